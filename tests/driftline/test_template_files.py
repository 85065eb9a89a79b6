"""Templates of the alerting file, as `driftline check` and a reload see them."""

from pathlib import Path

import pytest
from command_line import Run

from alerts.errors import ConfigRefused
from driftline.errors import Problem
from driftline.fleet import load_alerting, reload_alerting

ALERTING = """\
templates: [templates/*.jinja]
route: {receiver: ops}
receivers:
  - name: ops
    slack_configs:
      - channel: "#ml"
        token_file: /run/secrets/slack
        title: "{{ what() }}"
        text: |
          *{{ status }}*
          %s
"""


def write(folder: Path, text: str, **files: str) -> Path:
    (folder / "templates").mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / "templates" / f"{name}.jinja").write_text(content)
    (folder / "alerting.yml").write_text(text)
    return folder / "alerting.yml"


WHAT = "{% macro what() %}{{ title }}{% endmacro %}\n"


def check(driftline: Run, folder: Path, path: Path) -> tuple[int, list[str]]:
    (folder / "monitors").mkdir(exist_ok=True)
    ran = driftline("check", "--monitors", folder / "monitors", "--alerting", path)
    return ran.status, [line.replace(f"{folder}/", "") for line in ran.err.splitlines()]


def test_templates_without_a_mistake_are_taken(driftline: Run, tmp_path: Path) -> None:
    path = write(tmp_path, ALERTING % "{{ what() }}", our=WHAT)
    assert check(driftline, tmp_path, path) == (0, [])


def test_every_mistake_of_templates_is_shown_with_file_and_line(driftline: Run, tmp_path: Path) -> None:
    text = (
        ALERTING.replace('"#ml"', '"#{{ team }}"')
        % "{{ .CommonLabels.model }}\n          {{ range .Alerts }}"
    )
    path = write(tmp_path, text.replace("what()", "wat()"), our=WHAT, other="{% macro x() %}\n{{ y( }}")
    status, said = check(driftline, tmp_path, path)
    place = "receivers.0.slack_configs.0"
    assert status == 1
    assert said == [
        f"alerting.yml:11: {place}.text: Go template {{{{ .CommonLabels.model }}}}; templates are Jinja2 here: write "
        "{{ common_labels.model }}",
        f"alerting.yml:12: {place}.text: Go template {{{{ range .Alerts }}}}; templates are Jinja2 here: write "
        "{% for alert in alerts %}",
        "templates/other.jinja:2: unexpected '}', expected ')'",
        f"alerting.yml:6: {place}.channel: is no template and would be sent as it is; templates are: title, text, "
        "fallback",
    ]
    status, said = check(driftline, tmp_path, write(tmp_path, text.replace("what()", "wat()"), other="{# #}"))
    assert said[0] == f"alerting.yml:8: {place}.title: there is no 'wat'; did you mean what?"


def test_a_glob_without_a_file_and_a_template_that_would_fail_are_warnings(
    driftline: Run, tmp_path: Path
) -> None:
    path = write(tmp_path, ALERTING.replace("what()", "alerts[0].lables") % "x")
    assert check(driftline, tmp_path, path) == (
        0,
        [
            "warning: alerting.yml:1: templates.0: no file is named 'templates/*.jinja'; correct it, or leave it out",
            "warning: alerting.yml:6: receivers.0.slack_configs.0: fails for an ordinary alert, which is then told in "
            "the built-in words: title, line 1: an alert has no 'lables'",
        ],
    )


def test_a_reload_reads_the_files_of_templates_again(tmp_path: Path) -> None:
    path = write(tmp_path, ALERTING % "x", our=WHAT)
    before = reload_alerting(path)
    assert reload_alerting(path) == before
    write(tmp_path, ALERTING % "x", our=WHAT.replace("title", "status"))
    assert reload_alerting(path) != before
    write(tmp_path, ALERTING % "x", our="{% macro what( %}")
    with pytest.raises(ConfigRefused, match=r"our\.jinja:1: "):
        reload_alerting(path)


def test_files_are_read_once_and_from_the_alerting_files_folder(tmp_path: Path) -> None:
    text = (ALERTING % "x").replace("[templates/*.jinja]", f'["templates/*", {tmp_path}/templates/our.jinja]')
    warned: list[Problem] = []
    config = load_alerting(write(tmp_path, text, our=WHAT), warned.append)
    assert ([Path(one.name).name for one in config.catalogue.sources], warned) == (["our.jinja"], [])
