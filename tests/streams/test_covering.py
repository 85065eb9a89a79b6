"""One cause, one alert: what another alert says is held and named there; nothing is lost."""

from collections import Counter
from functools import partial
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline import Pipeline
from prediction_events import monitor

from alerts.alert import AlertUpsert
from detectors.base import Detector, Evidence, Params, Verdict
from detectors.registry import KINDS
from streams.alert_state import Alert, AlertKey
from streams.alerting import AlertBook, Links
from streams.covering import OVER, TOGETHER_MS, cover, kinds_over, rank
from streams.judge import JudgeState

SECOND = 1_000
PANE = 10 * SECOND
WHOLE, PRO, FREE = ("1.4.2", ""), ("1.4.2", "plan=pro"), ("1.4.2", "plan=free")
KIND_OF = {
    "psi": "FeatureDrift",
    "new_categories": "NewCategories",
    "vanished_categories": "VanishedCategories",
    "missing_rate": "MissingValues",
}


def _verdict(detector: str, status: Any = "firing") -> Verdict:
    score = 1.0 if status == "firing" else 0.0
    return Verdict(
        detector, KIND_OF[detector], "city", status, score, 0.2, 500, Evidence(f"city: by {detector}")
    )


def _book(**detectors: Any) -> AlertBook:
    windows = {"pane": "10s", "current": "1m", "min_samples": 100}
    return AlertBook(monitor(windows=windows, detectors=detectors), Links())


def _pane(
    book: AlertBook, number: int, firing: dict[tuple[str, str], set[str]], names: tuple[str, ...] = ("psi",)
) -> list[AlertUpsert]:
    """Close pane ``number``: which detectors fire in which group; the others of ``names`` are well."""
    at_ms = number * PANE
    told = []
    for group in (WHOLE, FREE, PRO):
        found = [_verdict(name, "firing" if name in firing.get(group, ()) else "ok") for name in names]
        told += book.take(group, found, at_ms)
    return told + book.settle(at_ms)


def _said(upserts: list[AlertUpsert]) -> list[tuple[str, str, str]]:
    return [(one.status, one.labels["alertname"], one.labels.get("segment", "")) for one in upserts]


ALL = {WHOLE: {"psi"}, PRO: {"psi"}, FREE: {"psi"}}


def test_one_drift_of_the_whole_and_its_segments_is_one_alert_that_names_them() -> None:
    book = _book()
    told = _pane(book, 0, ALL)
    assert set(_said(told)) == {("firing", "FeatureDrift", "")}
    assert told[-1].annotations["segments"] == "plan=free, plan=pro"
    assert [upsert.annotations["segments"] for upsert in book.current()] == ["plan=free, plan=pro"]


def test_a_drift_of_one_segment_alone_is_told_of_that_segment() -> None:
    assert _said(_pane(_book(), 0, {PRO: {"psi"}})) == [("firing", "FeatureDrift", "plan=pro")]


def test_a_segment_that_is_well_again_leaves_the_alert_and_is_never_told() -> None:
    book = _book()
    _pane(book, 0, ALL)
    told = [one for number in range(1, 5) for one in _pane(book, number, {WHOLE: {"psi"}, PRO: {"psi"}})]
    assert {one.labels.get("segment", "") for one in told} == {""}
    assert told[-1].annotations["segments"] == "plan=pro"


def test_a_segment_that_still_holds_is_told_once_the_whole_has_been_well_for_a_window() -> None:
    book = _book()
    _pane(book, 0, ALL)
    told = [(number, one) for number in range(1, 12) for one in _pane(book, number, {PRO: {"psi"}})]
    (resolved,) = [number for number, one in told if one.status == "resolved"]
    began = [number for number, one in told if one.labels.get("segment") == "plan=pro"]
    assert began[0] == resolved + 5
    segment = next(one for _, one in told if one.labels.get("segment") == "plan=pro")
    assert (segment.status, segment.starts_at_ms) == ("firing", 0)


def test_segments_that_are_well_a_little_later_than_the_whole_are_never_told() -> None:
    book = _book()
    _pane(book, 0, ALL)
    told = [one for number in range(1, 5) for one in _pane(book, number, {PRO: {"psi"}})]
    told += [one for number in range(5, 20) for one in _pane(book, number, {})]
    assert {one.labels.get("segment", "") for one in told} == {""}
    assert told[-1].status == "resolved"
    assert not book.held
    assert not book.signals


def test_a_segment_told_just_before_the_whole_is_taken_in() -> None:
    book = _book()
    _pane(book, 0, {PRO: {"psi"}})
    told = _pane(book, 1, ALL)
    assert ("resolved", "FeatureDrift", "plan=pro") in _said(told)
    assert told[-1].annotations["segments"] == "plan=free, plan=pro"
    (over,) = [one for one in told if one.status == "resolved"]
    assert over.annotations["description"] == "FeatureDrift city names it while that lasts."


def test_a_segment_told_long_before_the_whole_stands_on_its_own() -> None:
    book = _book()
    _pane(book, 0, {PRO: {"psi"}})
    told = _pane(book, TOGETHER_MS // PANE + 1, {WHOLE: {"psi"}, PRO: {"psi"}})
    assert set(_said(told)) == {("firing", "FeatureDrift", ""), ("firing", "FeatureDrift", "plan=pro")}


def test_what_is_worse_than_the_whole_is_told() -> None:
    book = _book(new_categories={"severity": "info"})
    names = ("psi", "new_categories")
    told = _pane(book, 0, {WHOLE: {"psi", "new_categories"}}, names)
    assert set(_said(told)) == {("firing", "NewCategories", ""), ("firing", "FeatureDrift", "")}


def test_what_gets_worse_while_it_is_held_is_told_at_once() -> None:
    book = _book(missing_rate={"severity": "warning"}, kolmogorov_smirnov={"severity": "critical"})
    names = ("psi", "missing_rate")
    _pane(book, 0, {WHOLE: {"psi", "missing_rate"}}, names)
    assert [key.kind for key in book.held] == ["FeatureDrift"]
    worse = Verdict(
        "kolmogorov_smirnov", "FeatureDrift", "city", "firing", 9.0, 0.1, 500, Evidence("city: far off")
    )
    (told,) = book.take(WHOLE, [worse], PANE)
    assert (told.labels["alertname"], told.labels["severity"]) == ("FeatureDrift", "critical")
    assert not book.held


def test_kinds_of_one_feature_are_one_alert_with_the_strongest_and_the_others_named() -> None:
    book = _book()
    names = ("psi", "new_categories", "vanished_categories")
    told = _pane(book, 0, {WHOLE: set(names), PRO: set(names)}, names)
    assert set(_said(told)) == {("firing", "NewCategories", "")}
    assert told[-1].annotations["also"] == (
        "VanishedCategories: churn 1.4.2: city: by vanished_categories; FeatureDrift: churn 1.4.2: city: by psi"
    )
    assert told[-1].annotations["segments"] == "plan=pro"


def test_another_kind_that_begins_much_later_has_a_cause_of_its_own() -> None:
    book = _book()
    names = ("psi", "missing_rate")
    for number in range(61):
        assert set(_said(_pane(book, number, {WHOLE: {"missing_rate"}}, names))) <= {
            ("firing", "MissingValues", "")
        }
    told = _pane(book, 61, {WHOLE: {"psi", "missing_rate"}}, names)
    assert ("firing", "FeatureDrift", "") in _said(told)


def test_detectors_that_fire_beside_the_strongest_are_listed() -> None:
    weaker = Verdict("hellinger", "FeatureDrift", "city", "firing", 0.3, 0.2, 500, Evidence("city: moved"))
    (alert,) = _book(hellinger={}).take(WHOLE, [_verdict("psi"), weaker], 0)
    assert alert.annotations["description"].startswith("psi scored 1")
    assert alert.annotations["description"].endswith("So do hellinger 0.3 (above 0.2).")


def test_no_kind_covers_itself_and_each_is_one_of_a_detector() -> None:
    assert OVER
    for kind, above in OVER.items():
        assert kind in KINDS
        assert kind not in above
    assert OVER["FeatureDrift"] >= {"NewCategories", "VanishedCategories", "OutOfRange", "MissingValues"}


def test_a_detector_reaches_through_a_third_kind() -> None:
    class First(Detector[Params]):
        kind = "A"
        also = frozenset({"B"})

    class Second(Detector[Params]):
        kind = "B"
        also = frozenset({"C"})

    assert kinds_over([First, Second]) == {"B": {"A"}, "C": {"A", "B"}}


@given(
    kind=st.sampled_from(KINDS), above=st.sampled_from(KINDS), segment=st.sampled_from(["", "plan=pro"]),
    higher=st.sampled_from(["", "plan=pro"]), age_ms=st.integers(-2 * TOGETHER_MS, 2 * TOGETHER_MS),
)  # fmt: skip
def test_what_covers_comes_before_what_it_covers(
    kind: str, above: str, segment: str, higher: str, age_ms: int
) -> None:
    key, other = AlertKey(kind, "1", segment, "x"), AlertKey(above, "1", higher, "x")
    told = {other: Alert(0, "warning", 0)}
    if cover(key, Alert(age_ms, "warning", 0), told) == other:
        assert rank(other) < rank(key)
        assert age_ms >= -TOGETHER_MS
    assert cover(other, told[other], told) is None


@pytest.mark.parametrize("restarts", [False, True])
@settings(max_examples=60)
@given(data=st.data())
def test_nothing_is_lost_and_a_restart_shows_nowhere(restarts: bool, data: st.DataObject) -> None:
    names = tuple(KIND_OF)
    groups = (WHOLE, FREE, PRO)
    steps = data.draw(
        st.lists(
            st.dictionaries(st.sampled_from(groups), st.sets(st.sampled_from(names))), min_size=5, max_size=40
        )
    )
    book, twin = _book(), _book()
    desk: dict[str, str] = {}
    for number, firing in enumerate(steps):
        if restarts:
            again = _book()
            again.restore(
                book.signals.items(), book.alerts.items(), book.sequences.items(),
                {(name, "city") for name in names}, book.told_ms.items(),
                msgspec.msgpack.decode(
                    msgspec.msgpack.encode(list(book.held.items())), type=dict(JudgeState.__annotations__)["held"]
                ),
            )  # fmt: skip
            book = again
        told = _pane(book, number, firing, names)
        assert told == _pane(twin, number, firing, names)
        desk |= {one.fingerprint: one.status for one in told}
        assert {name for name, status in desk.items() if status == "firing"} == {
            one.fingerprint for one in book.current()
        }
        for key, signals in book.signals.items():
            if any(signal.state == "firing" for signal in signals.values()):
                assert (key in book.alerts) != (key in book.held)
        for key, held in book.held.items():
            covers = cover(key, held.alert, book.alerts)
            assert covers is not None or number * PANE - held.covered_ms < 60 * SECOND
            if covers is not None:
                assert (key.segment or f"{key.kind}: ") in _named(book, covers)
    for number in range(len(steps), len(steps) + 12):
        _pane(book, number, {}, names)
    assert not book.alerts
    assert not book.held
    assert not book.signals


def _named(book: AlertBook, key: AlertKey) -> str:
    """Return what an alert names, as it was last told."""
    (told,) = [
        one
        for one in book.current()
        if (one.labels["alertname"], one.labels.get("segment", "")) == (key.kind, key.segment)
    ]
    return " ".join(told.annotations.get(name, "") for name in ("segments", "also"))


def _event(random: np.random.Generator, number: int, *, times: int = 1) -> dict[str, Any]:
    return {
        "version": "1.4.2",
        "features": {"age": round(float(random.normal(40, 10)), 1) * times},
        "segments": {"plan": ["free", "pro"][number % 2]},
    }


@pytest.mark.parametrize("restarts", [False, True])
def test_a_change_of_unit_in_all_traffic_pages_once_with_segments_on(restarts: bool) -> None:
    pipeline = Pipeline(
        monitor(
            features={"age": {"type": "number"}},
            segments=["plan"],
            windows={"pane": "10s", "current": "1m", "allowed_lateness": "5s", "min_samples": 200},
        )
    )
    assert pipeline.run(400, _event) == []
    fired = pipeline.run(60, partial(_event, times=12))
    if restarts:
        pipeline.restart_judge()
    fired += pipeline.run(60, partial(_event, times=12))
    assert fired == [("firing", "FeatureDrift age")]
    (alert,) = [one for one in pipeline.judge.book.current()]
    assert alert.annotations["segments"] == "plan=free, plan=pro"
    assert "segment" not in alert.labels
    again = pipeline.run(400, _event)
    assert Counter(status for status, _ in again)["firing"] == 0
    assert not pipeline.judge.book.held
