import pytest

from detectors.registry import DETECTORS
from driftline.reference_docs import PAGE, commands, reference
from driftline.settings import Settings, variable
from streams.topics import Topics


def test_the_committed_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run `make docs`"


def test_the_page_leaves_nothing_out() -> None:
    page = reference()
    for command in commands():
        assert f"### driftline {command}\n" in page
    for name in Settings.model_fields:
        assert f"| `{variable(name)}` |" in page
    for name in DETECTORS:
        assert f"### {name}\n" in page
    for topic in Topics().all():
        assert f"| `{topic.name}` |" in page
    assert "| `driftline:model:<m>:alerts` | HASH |" in page
    assert "| `driftline_events_total` | counter | model |" in page
    assert "| `allowed_lateness` | duration | `30s` |" in page


def test_the_page_is_the_same_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    first = reference()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("DRIFTLINE_PARTITIONS", "99")
    monkeypatch.setenv("DRIFTLINE_WORKER", "here")
    assert reference() == first
