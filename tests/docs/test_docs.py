import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from markdown_it import MarkdownIt

from detectors.cause.likely import Origin
from detectors.registry import DETECTORS
from driftline.replay.incident_file import load_incidents
from streams.bad_event import BadCode
from streams.events import PredictionEvent
from streams.joins.join import ODDITIES
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.stages.fleet import Watched

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def read(name: str) -> str:
    return (ROOT / name).read_text()


def rows(name: str, header: str) -> list[list[str]]:
    """Cells of the table whose first header cell is ``header``."""
    found = re.search(rf"(?m)^\| {header} \|.*\n\|[-|]+\n((?:\|.*\n)+)", read(name))
    assert found, f"{name} has no table of {header}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found[1].splitlines()]


def test_every_field_of_the_event_is_documented_with_whether_it_is_needed() -> None:
    documented = {row[0].strip("` |"): row[2] == "yes" for row in rows("docs/producer.md", "field")}
    assert documented == {name: field.is_required() for name, field in PredictionEvent.model_fields.items()}


def test_every_error_code_is_documented() -> None:
    assert {row[0].strip("` |") for row in rows("docs/producer.md", "code")} == {
        code.value for code in BadCode
    }


def test_the_example_event_is_valid() -> None:
    example = re.findall(r"```json\n(.*?)```", read("docs/producer.md"), flags=re.DOTALL)[0]
    assert PredictionEvent.model_validate_json(example).model == "churn"


def test_the_example_monitor_is_valid() -> None:
    example = re.findall(r"```yaml\n(.*?)```", read("docs/model-owner.md"), flags=re.DOTALL)[0]
    assert Monitor.model_validate(yaml.safe_load(example)).model == "churn"


def test_the_example_incidents_are_of_the_example_monitor(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", read("docs/model-owner.md"), flags=re.DOTALL)
    monitor = Monitor.model_validate(yaml.safe_load(blocks[0]))
    (tmp_path / "incidents.yaml").write_text(next(one for one in blocks if one.startswith("incidents:")))
    watched = {monitor.model: Watched(monitor, compile_layout(monitor))}
    assert [one.name for one in load_incidents(tmp_path / "incidents.yaml", watched)] == ["upstream bug"]


def test_every_key_of_the_monitor_is_documented() -> None:
    documented = {row[0].strip("` |") for row in rows("docs/model-owner.md", "key")}
    assert documented == set(Monitor.model_fields) - {"model"}


def test_every_detector_is_documented_with_its_kind_and_default() -> None:
    documented = {
        row[0].strip("` |"): (row[1], row[2] == "yes") for row in rows("docs/model-owner.md", "detector")
    }
    assert documented == {name: (cls.kind, cls.default) for name, cls in DETECTORS.items()}


def test_every_oddity_of_labels_is_documented() -> None:
    named = {name for row in rows("docs/model-owner.md", "oddity") for name in re.findall(r"`(\w+)`", row[0])}
    assert named == set(ODDITIES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_named_exist(page: Path) -> None:
    links = [
        str(child.attrs["href"])
        for token in MarkdownIt().parse(page.read_text())
        for child in token.children or []
        if child.type == "link_open"
    ]
    local = [link for link in links if not link.startswith("http")]
    named = re.findall(r"`((?:docs|deploy|streams|tests)/[\w./-]+\.\w+)`", page.read_text())
    assert [link for link in local if not (page.parent / link).exists()] == []
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_changelog_has_unreleased_on_top() -> None:
    headings = re.findall(r"(?m)^## (.+)$", read("CHANGELOG.md"))
    assert headings[0] == "[Unreleased]"


def test_every_test_of_the_fault_matrix_exists_and_every_fault_has_an_outcome() -> None:
    matrix = rows("docs/reliability.md", "fault")
    assert len(matrix) > 20
    for fault, outcome, test, result in matrix:
        file, _, name = test.strip("` |").partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(), fault
        assert outcome
        assert result.strip(" |")


def test_every_likely_cause_has_its_rule_in_the_table() -> None:
    told = {cells[0].strip("` |") for cells in rows("docs/on-call.md", "origin")}
    assert told == set(get_args(Origin))
