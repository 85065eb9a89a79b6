import json
from pathlib import Path

import numpy as np
import pytest

from detectors.registry import DETECTORS
from driftline.errors import ConfigError
from driftline.history.files import parse_mapping
from driftline.monitors import load_folder
from driftline.reference_build import build
from streams.monitor import Monitor
from streams.reference import dump

CHURN = """\
model: churn
features:
  age: {type: number}
  plan: {type: category}
reference:
  file: churn.json
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the monitor of churn, and a reference built for it."""
    data = tmp_path / "held_out.csv"
    ages = np.random.default_rng(1).normal(40, 10, 400)
    data.write_text("age,plan\n" + "".join(f"{age:.1f},{'pro' if age > 40 else 'free'}\n" for age in ages))
    monitors = tmp_path / "monitors"
    monitors.mkdir()
    (monitors / "churn.yaml").write_text(CHURN)
    monitor = Monitor.model_validate(
        {"model": "churn", "features": {"age": {"type": "number"}, "plan": {"type": "category"}}}
    )
    (monitors / "churn.json").write_bytes(dump(build([data], monitor, mapping=parse_mapping(""))))
    return monitors


def refused(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_folder(folder)
    return [str(problem).replace(f"{folder}/", "") for problem in error.value.problems]


def test_a_monitor_comes_with_its_reference_and_the_references_layout(folder: Path) -> None:
    found = load_folder(folder)["churn"]
    assert found.reference is not None
    assert found.reference.events == 400
    assert found.reference.features["age"].mean == pytest.approx(40, abs=2)
    assert [column.name for column in found.layout.numbers if column.edges][:1] == ["age"]


def test_an_empty_folder_watches_nothing(tmp_path: Path) -> None:
    assert load_folder(tmp_path) == {}


def test_files_of_other_kinds_are_left_alone(folder: Path) -> None:
    (folder / "README.md").write_text("not: [yaml")
    (folder / "old").mkdir()
    assert list(load_folder(folder)) == ["churn"]


def test_every_problem_of_every_file_is_said_at_once_with_its_line(folder: Path) -> None:
    (folder / "a.yaml").write_text("model: a\nfeatures:\n  x: {type: nubmer}\n  y: {type: number, mni: 1}\n")
    (folder / "b.yml").write_text("model: b\nwindows: {current: 7s}\ndetectors: {pis: {}}\n")
    (folder / "c.yaml").write_text("model: c\nmodel: d\n")
    assert refused(folder) == [
        "a.yaml:3: features.x.type: expected 'number', 'category' or 'boolean', found 'nubmer'",
        "a.yaml:4: features.y.mni: no such key; did you mean min?",
        "b.yml:2: windows: current (7s) must be a multiple of pane (10s)",
        f"b.yml:3: detectors.pis: no detector 'pis'; did you mean psi? There are: {', '.join(sorted(DETECTORS))}",
        "c.yaml:2: not YAML: key 'model' stands here twice; keep one",
    ]  # fmt: skip


def test_two_files_for_one_model_are_refused_and_both_are_named(folder: Path) -> None:
    (folder / "second.yaml").write_text("team: growth\nmodel: churn\n")
    assert refused(folder) == [
        "second.yaml:2: model: 'churn' is monitored by churn.yaml already; keep one of the files"
    ]


def test_a_missing_reference_names_the_command_that_builds_it(folder: Path) -> None:
    (folder / "churn.json").unlink()
    assert refused(folder) == [
        "churn.yaml:6: reference.file: churn.json: No such file or directory; build it: "
        "driftline reference build DATA --monitor churn.yaml --out churn.json"
    ]


def test_a_reference_of_another_model_is_refused(folder: Path) -> None:
    (folder / "churn.yaml").write_text(CHURN.replace("model: churn", "model: fraud"))
    assert refused(folder) == [
        "churn.yaml:6: reference.file: churn.json: it was built for model 'churn', the monitor is of 'fraud'"
    ]


def test_a_reference_built_for_other_features_is_refused_with_their_names(folder: Path) -> None:
    (folder / "churn.yaml").write_text(CHURN.replace("  age: {type: number}", "  years: {type: number}"))
    assert refused(folder) == [
        "churn.yaml:6: reference.file: was built for other numbers (differing: age, years); "
        "build the reference again"
    ]


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b"\xff\xfe", b"[1]"])
def test_what_is_no_reference_is_refused(content: bytes, folder: Path) -> None:
    (folder / "churn.json").write_bytes(content)
    (line,) = refused(folder)
    assert line.startswith("churn.yaml:6: reference.file: churn.json: not a reference file (")
    assert line.endswith("build it with `driftline reference build`")


def test_a_damaged_reference_is_refused(folder: Path) -> None:
    stored = json.loads((folder / "churn.json").read_text())
    stored["profile"] = ["AAAA"]
    (folder / "churn.json").write_text(json.dumps(stored))
    (line,) = refused(folder)
    assert line.startswith("churn.yaml:6: reference.file: churn.json is damaged (")
    stored["profile"] = []
    (folder / "churn.json").write_text(json.dumps(stored))
    assert refused(folder)[0].startswith("churn.yaml:6: reference.file: churn.json is damaged (")


def test_a_folder_that_is_none_is_said(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder; make it, or name another with --monitors"):
        load_folder(folder / "nowhere")
    with pytest.raises(ConfigError, match="is no folder"):
        load_folder(folder / "churn.yaml")
