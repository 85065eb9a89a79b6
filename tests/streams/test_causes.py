"""The causes of alerts told at once: by all that fires then, and bounded however many there are."""

from typing import Any

import numpy as np
from prediction_events import monitor

from detectors.base import Evidence, Verdict
from detectors.window import Column, Window
from streams.alerting import AlertBook, Links
from streams.causes import INQUIRIES, Taken

EDGES = np.arange(1.0, 10.0)
LABELS = tuple(map(str, range(10)))


def _column(name: str, counts: Any) -> Column:
    bins = np.asarray(counts, np.int64)
    return Column(name, "number", count=int(bins.sum()), bins=bins, edges=EDGES, labels=LABELS)


def _verdict(column: str, status: Any = "firing", score: float = 1.0) -> Verdict:
    return Verdict("psi", "FeatureDrift", column, status, score, 0.2, 1000, Evidence(f"{column}: moved"))


def _book(names: list[str], **fields: Any) -> AlertBook:
    features = {name: {"type": "number"} | fields.get(name, {}) for name in names}
    return AlertBook(monitor(features=features, segments=["country"]), Links())


def _windows(names: list[str]) -> tuple[Window, Window]:
    now = {name: _column(name, [10] * 5 + [190] * 5) for name in names}
    usual = {name: _column(name, [1000] * 10) for name in names}
    return Window("churn", features=now), Window("churn", features=usual)


def test_only_the_furthest_are_looked_into_and_the_others_say_so() -> None:
    names = [f"f{at:04}" for at in range(2000)]
    book, seen = _book(names), _windows(names)
    verdicts = [_verdict(name, score=1.0 + at) for at, name in enumerate(names)]
    told = book.take(("1", ""), verdicts, 0, seen)
    assert len(told) == 2000
    causes = {one.labels["feature"]: one.annotations["cause"] for one in told}
    deep = {name for name, cause in causes.items() if "of the score" in cause}
    assert deep == set(names[-INQUIRIES:])
    assert {cause.split("; ")[-1] for name, cause in causes.items() if name not in deep} == {
        "one of 1,980 more alerts told at once that are not taken apart"
    }
    assert all("2,000 of 2,000 features fire" in cause for cause in causes.values())


def test_alerts_of_one_source_say_so_whichever_is_told_first() -> None:
    sources = {"a": {"source": "crm"}, "b": {"source": "crm"}}
    names = ["a", "b", "c", "d"]
    book = _book(names, **sources)
    told = book.take(("1", ""), [_verdict("a"), _verdict("b"), _verdict("c", "ok", 0.0)], 0, _windows(names))
    assert [one.labels["feature"] for one in told] == ["a", "b"]
    for one in told:
        assert "likely upstream data of source 'crm': 2 of its 2 features fire" in one.annotations["cause"]


def test_segments_of_the_same_pane_are_heard_before_the_whole_is_told() -> None:
    names, fr, de = ["a", "b"], ("1", "country=fr"), ("1", "country=de")
    seen = _windows(names)
    takes = [
        Taken(("1", ""), [_verdict("a")], seen),
        Taken(de, [_verdict("a", "ok", 0.0)], seen),
        Taken(fr, [_verdict("a")], seen),
    ]
    book = _book(names)
    (told,) = book.take_all(takes, 0)
    assert "segment" not in told.labels
    (held,) = (one.alert for one in book.held.values())
    for one in (told, held):
        assert "likely the traffic of segment country=fr alone: country=de steady" in one.annotations["cause"]


def test_a_segment_with_too_little_to_judge_by_counts_as_nothing() -> None:
    names, seen = ["a", "b"], _windows(["a", "b"])
    takes = [
        Taken(("1", ""), [_verdict("a")], seen),
        Taken(("1", "country=de"), [_verdict("a", "insufficient", 0.0)], seen),
        Taken(("1", "country=fr"), [_verdict("a")], seen),
    ]
    for one in _book(names).take_all(takes, 0):
        assert "segment" not in one.annotations["cause"]


def test_what_fires_on_goes_on_counting_though_it_is_not_told_again() -> None:
    sources = {"a": {"source": "crm"}, "b": {"source": "crm"}}
    names = ["a", "b", "c"]
    book, seen = _book(names, **sources), _windows(names)
    book.take(("1", ""), [_verdict("a")], 0, seen)
    (second,) = book.take(("1", ""), [_verdict("a"), _verdict("b")], 10_000, seen)
    assert second.labels["feature"] == "b"
    assert "2 of its 2 features fire" in second.annotations["cause"]
