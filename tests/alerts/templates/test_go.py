"""Go templates are refused, each with what to write instead, which then means the same."""

import pytest

from alerts.errors import TemplateRefused
from alerts.notification import Notification
from alerts.templates.catalogue import Catalogue
from alerts.templates.go import go_actions

#: What a team that comes from Alertmanager has, and what it is told to write.
WRITTEN = [
    ("{{ .CommonLabels.alertname }}", "{{ common_labels.alertname }}"),
    ("{{- .Status | toUpper -}}", "{{ status | upper }}"),
    ("{{ .Alerts | len }}", "{{ alerts | length }}"),
    ("{{ len .Alerts.Firing }}", "{{ alerts.firing | length }}"),
    ("{{ .ExternalURL }}/#/alerts?receiver={{ .Receiver }}", "{{ external_url }}/#/alerts?receiver={{ receiver }}"),
    ("{{ range .Alerts }}{{ .Labels.feature }} {{ .StartsAt }}{{ $.Status }}{{ end }}",
     "{% for alert in alerts %}{{ alert.labels.feature }} {{ alert.starts_at }}{{ status }}{% endfor %}"),
    ("{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}",
     "{% for name, value in common_labels | dictsort %}{{ name }}={{ value }} {% endfor %}"),
    ('{{ if eq .Status "firing" }}up{{ else if .CommonLabels.team }}t{{ else }}over{{ end }}',
     '{% if status == "firing" %}up{% elif common_labels.team %}t{% else %}over{% endif %}'),
    ("{{ range $k, $v := .GroupLabels }}{{ $k }}: {{ $v }}{{ end }}",
     "{% for k, v in group_labels.items() %}{{ k }}: {{ v }}{% endfor %}"),
    ('{{ range $i, $a := .Alerts }}{{ end }}', None),
    ('{{ define "slack.title" }}{{ .Status }}{{ end }}', "{% macro slack_title() %}{{ status }}{% endmacro %}"),
    ('{{ index .CommonLabels "model" }}', '{{ common_labels["model"] }}'),
    ('{{ .CommonLabels.Values | join ", " }}', '{{ common_labels.values() | join(", ") }}'),
    ('{{ printf "%s!" .Receiver }}', '{{ "%s!" | format(receiver) }}'),
    ("{{ /* nothing */ }}", "{# … #}"),
]  # fmt: skip


def remedied(text: str) -> str:
    """The text with each Go action replaced as the mistake says."""
    for _, message in go_actions(text):
        said = message.split("write ", 1)[1]
        start = text.index("{{")
        while text[start:].startswith("{{ ") and not list(
            go_actions(text[start : text.index("}}", start) + 2])
        ):
            start = text.index("{{", start + 2)
        text = text[:start] + said + text[text.index("}}", start) + 2 :]
    return text


@pytest.mark.parametrize(("text", "written"), [pair for pair in WRITTEN if pair[1]])
def test_what_a_go_template_says_is_said_in_jinja(text: str, written: str, told: Notification) -> None:
    with pytest.raises(TemplateRefused) as refused:
        Catalogue().check("plain", text)
    assert all("templates are Jinja2 here: write {" in message for _, message in refused.value.mistakes)
    assert remedied(text) == written
    Catalogue().check("plain", written)


def test_a_named_block_is_a_macro() -> None:
    ((line, message),) = go_actions('\n{{ template "slack.default.title" . }}')
    assert (line, message.split("write ")[1]) == (2, "{{ slack_default_title() }}")


@pytest.mark.parametrize(
    "text",
    [
        "{{ title }}", "{{ (1 - .5) }}", "{{ not (status == 'firing') }}", "{{ alerts[0].labels.model }}",
        "{% if status == 'firing' %}{{ '.Status' | upper }}{% endif %}", "{{ '{{' }}", "plain $ .words",
    ],
)  # fmt: skip
def test_jinja_is_not_taken_for_go(text: str) -> None:
    assert list(go_actions(text)) == []


def test_what_cannot_be_put_into_jinja_is_refused_all_the_same() -> None:
    ((_, message),) = go_actions('{{ .CommonLabels.Remove (stringSlice "a") | mystery }}')
    assert message.endswith("see Templates in docs/alerting.md")
