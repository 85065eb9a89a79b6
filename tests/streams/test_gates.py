"""Alerts gated by impact: they page only where estimated performance falls too, or cannot be told."""

import json
from typing import Any

import msgspec
import pytest
from prediction_events import monitor

from detectors.base import Evidence, Verdict
from streams.alerting import AlertBook, Links
from streams.judge import JudgeState, ModelJudge
from streams.layout import compile_layout
from streams.monitor import Monitor

PANE = 10_000
GROUP, SEGMENT = ("1.4.2", ""), ("1.4.2", "country=fr")


def _monitor(**psi: Any) -> Monitor:
    return monitor(
        segments=["country"],
        labels={"objectives": {"recall": 0.7}},
        detectors={"psi": {"gate": "performance"} | psi, "estimated_performance": {"clear_for": "10s"}},
    )


def _book(**psi: Any) -> AlertBook:
    return AlertBook(_monitor(**psi), Links())


def _drift(status: Any = "firing", detector: str = "psi") -> Verdict:
    return Verdict(detector, "FeatureDrift", "age", status, 1.0, 0.2, 500, Evidence("age: moved"))


def _estimate(status: Any, *, withdrawn: bool = False, metric: str = "recall") -> Verdict:
    score = 9.0 if status == "firing" else 0.0
    return Verdict(
        "estimated_performance", "EstimatedPerformanceDrop", metric, status, score, 3.0, 500,
        Evidence(f"{metric}: {status}"), withdrawn,
    )  # fmt: skip


def _severities(
    book: AlertBook, *panes: list[Verdict], group: tuple[str, str] = GROUP, start: int = 0
) -> list[str]:
    """Return the severity that each telling of the drift has, pane by pane; "" where it is not told."""
    found = []
    for at, verdicts in enumerate(panes, start):
        told = [
            one for one in book.take(group, verdicts, at * PANE) if one.labels["alertname"] == "FeatureDrift"
        ]
        found.append(told[0].labels["severity"] if told else "")
    return found


OK, FALLS, NONE = _estimate("ok"), _estimate("firing"), _estimate("insufficient")


def test_while_performance_holds_the_alert_stays_at_info_and_says_why() -> None:
    (alert,) = _book().take(GROUP, [_drift(), OK], 0)
    assert alert.labels["severity"] == "info"
    assert "Kept at info: estimated performance holds" in alert.annotations["description"]
    assert json.loads(alert.annotations["evidence"])["gate"] == {"performance": "holds"}


def test_once_performance_falls_the_same_alert_has_its_own_severity_at_once_and_loses_it_again() -> None:
    book = _book(severity="critical")
    told = _severities(
        book,
        [_drift(), OK],
        [_drift(), OK],
        [_drift(), FALLS],
        [_drift(), FALLS],
        [_drift(), OK],
        [_drift(), OK],
    )
    assert told == ["info", "", "critical", "", "", "info"]
    assert len(book.sequences) == 2


def test_one_metric_that_falls_opens_the_gate_whatever_the_others_say() -> None:
    other = _estimate("ok", metric="brier")
    assert _severities(_book(), [_drift(), FALLS, other]) == ["warning"]


def test_an_estimate_that_cannot_be_made_counts_for_a_window_and_then_the_gate_is_open() -> None:
    told = _severities(_book(), [_drift(), OK], *[[_drift(), NONE]] * 8)
    assert told[0] == "info"
    assert told[7] == "warning", "the window of a minute is over"
    assert set(told[1:7]) <= {"", "info"}


def test_without_any_estimate_the_alert_is_told_as_without_a_gate() -> None:
    (alert,) = _book().take(GROUP, [_drift(), NONE], 0)
    assert alert.labels["severity"] == "warning"
    assert "performance cannot be estimated now" in alert.annotations["description"]


def test_an_estimate_that_is_taken_back_no_longer_holds() -> None:
    told = _severities(_book(), [_drift(), OK], [_drift(), _estimate("insufficient", withdrawn=True)])
    assert told == ["info", "warning"]


def test_where_drift_itself_cannot_be_judged_its_severity_stays() -> None:
    told = _severities(_book(), [_drift(), OK], *[[_drift("insufficient"), NONE]] * 30)
    assert set(told) == {"info", ""}


def test_a_detector_without_a_gate_on_the_same_feature_has_its_say() -> None:
    book = _book()
    ungated = _drift(detector="kolmogorov_smirnov")
    assert _severities(book, [_drift(), ungated, OK]) == ["warning"]
    assert _severities(AlertBook(monitor(), Links()), [_drift(), OK]) == ["warning"]


def test_a_segment_goes_by_its_own_estimate_and_else_by_the_versions() -> None:
    shut, open_ = [(OK, NONE), (NONE, OK)], [(FALLS, OK), (OK, FALLS)]
    for whole, own, severity in [(*one, "info") for one in shut] + [(*one, "warning") for one in open_]:
        book = _book()
        book.take(GROUP, [whole], 0)
        assert _severities(book, [_drift(), own], group=SEGMENT) == [severity]
    book = _book()
    book.take(("2.0", ""), [OK], 0)
    assert _severities(book, [_drift(), NONE]) == ["warning"], "another version's estimate says nothing"


@pytest.mark.parametrize("at", range(1, 7))
def test_a_restart_anywhere_changes_nothing(at: int) -> None:
    panes = [[_drift(), one] for one in (OK, NONE, FALLS, NONE, OK, NONE, OK)]
    made = _monitor()
    steady, before, after = (ModelJudge(made, compile_layout(made)) for _ in range(3))
    whole = _severities(steady.book, *panes)
    first = _severities(before.book, *panes[:at])
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(before.snapshot()), type=JudgeState)
    after.restore(state, {})
    assert first + _severities(after.book, *panes[at:], start=at) == whole
    assert "info" in whole
    assert "warning" in whole


def test_a_snapshot_of_before_gates_is_taken_up_with_open_gates() -> None:
    made = _monitor()
    judge, old = ModelJudge(made, compile_layout(made)), ModelJudge(made, compile_layout(made))
    old.book.take(GROUP, [OK], 0)
    state = msgspec.to_builtins(old.snapshot())
    del state["holds_ms"]
    judge.restore(msgspec.convert(state, JudgeState), {})
    assert _severities(judge.book, [_drift(), NONE], start=1) == ["warning"]
    assert _severities(old.book, [_drift(), NONE], start=1) == ["info"]


def test_a_version_that_is_gone_leaves_no_estimate_behind() -> None:
    book = _book()
    book.take(GROUP, [OK], 0)
    book.retire(GROUP, PANE)
    assert book.holds_ms == {}
