"""Which segment values have statistics of their own: the same ones in every partition, and all events are counted."""

from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline import Pipeline
from prediction_events import T0, event, monitor
from prometheus_client import CollectorRegistry

from streams import labels, segment_settings, segment_values
from streams.layout import Layout, SegmentValues, compile_layout, fits
from streams.metrics import Metrics
from streams.monitor import Monitor
from streams.profiler import Profiler
from streams.projection import Projection
from streams.publish import encoded, model_view
from streams.segment_values import known_values, most_frequent, remarks
from streams.stages.board import Board
from streams.views import ModelView

LISTED = monitor(segments={"country": {"values": ["de", "fr"]}, "plan": None})
BY_REFERENCE = (SegmentValues("country", ("de", "pl")),)
WRONG: dict[str, tuple[Any, str]] = {
    "no list": ("country", "expected a list, found 'country'; write [country]"),
    "a list of mappings": ([{"country": {}}], "write a list of names, or a mapping"),
    "twice": (["country", "country"], "'country' is listed twice"),
    "a value twice": ({"country": {"values": ["de", "de"]}}, "'de' is listed twice"),
    "other itself": ({"country": {"values": ["de", "other"]}}, "what all values not listed count as; leave it out"),
    "the empty value": ({"country": {"values": [""]}}, "must have 1 to 200 characters"),
    "no value": ({"country": {"values": []}}, "at least 1 item"),
    "more values than places": ({"country": {"values": [f"{i}" for i in range(51)]}}, "at most 50 items"),
    "a key of its own": ({"country": {"value": ["de"]}}, "country.value\n"),
    "nine": ({f"s{i}": None for i in range(9)}, "at most 8 items"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_each_mistake_is_said_in_words(name: str) -> None:
    segments, said = WRONG[name]
    with pytest.raises(ValueError, match="segments") as caught:
        monitor(segments=segments)
    assert said in str(caught.value)


def test_a_list_of_names_stands_for_segments_without_values() -> None:
    assert monitor(segments=["country"]) == monitor(segments={"country": {}})


values = st.sampled_from(["", "de", "fr", "pl", "se", "other", "x" * 300, "x" * 201])


@pytest.mark.parametrize(
    ("own", "layout"),
    [
        (LISTED, compile_layout(LISTED)),
        (LISTED, compile_layout(LISTED, segments=BY_REFERENCE)),
        (monitor(segments=["country"]), compile_layout(monitor(segments=["country"]), segments=BY_REFERENCE)),
    ],
)
@settings(max_examples=40)
@given(
    rows=st.lists(st.tuples(values, st.integers(0, 2), st.integers(0, 30)), max_size=40),
    chunk=st.integers(1, 9),
)
def test_known_values_are_kept_in_every_partition_and_the_rest_is_other(
    own: Monitor, layout: Layout, rows: list[tuple[str, int, int]], chunk: int
) -> None:
    kept = {"de", "fr"} if own is LISTED else {"de", "pl"}
    profiler = Profiler({"churn": (own, layout)})
    for partition in range(3):
        mine = [(value, after_s) for value, home, after_s in rows if home == partition]
        for low in range(0, len(mine), chunk):
            part = mine[low : low + chunk]
            raw = [event(i, T0, segments={"country": value}) for i, (value, _) in enumerate(part)]
            profiler.fold_records(
                partition, raw, np.arange(low, low + len(raw)), np.full(len(raw), T0)
            )  # fmt: skip
    found: Counter[str] = Counter()
    for state in profiler.partitions.values():
        for key, profile in state.open.items():
            found[key.segment] += profile.events
    expected: Counter[str] = Counter()
    for value, _, _ in rows:
        expected[""] += 1
        if value:
            expected[f"country={value}" if value in kept else "country=other"] += 1
    assert found == expected


def test_a_value_that_is_too_long_to_keep_is_known_by_its_beginning() -> None:
    own = monitor(segments={"country": {"values": ["x" * 200]}})
    assert labels.label_listed(own.segments["country"].values or (), ["x" * 300, "x", ""]) == [
        "x" * 200,
        "other",
        "",
    ]


def test_a_layout_of_before_segments_keeps_its_hash_and_reads() -> None:
    layout = compile_layout(LISTED)
    told = msgspec.to_builtins(layout)
    del told["segments"]
    assert msgspec.convert(told, Layout).hash == layout.hash
    assert msgspec.json.decode(msgspec.json.encode(told), type=Layout) == layout
    other = compile_layout(LISTED, segments=BY_REFERENCE)
    assert other.hash != layout.hash
    assert msgspec.json.decode(msgspec.json.encode(other), type=Layout).hash == other.hash


def test_changing_segments_of_a_monitor_leaves_its_layout_in_force() -> None:
    layout = compile_layout(LISTED, segments=BY_REFERENCE, frozen=True)
    for segments in ([], ["plan"], {"country": {"values": ["se"]}}):
        assert fits(monitor(segments=segments), layout)


def test_the_most_frequent_take_the_places_whatever_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_values, "SEGMENT_VALUES_KEPT", 3)
    counts = {"d": 5, "a": 1, "c": 1, "b": 1, "e": 7, "": 99, "other": 50}
    assert most_frequent(counts) == most_frequent(dict(reversed(counts.items()))) == ("a", "d", "e")


def _from(shares: dict[str, float]) -> Any:
    names, odds = list(shares), np.array(list(shares.values()))

    def make(random: np.random.Generator, number: int) -> dict[str, Any]:
        return {
            "features": {"age": float(random.normal(40, 5)), "city": "Bonn"},
            "segments": {"country": str(random.choice(names, p=odds / odds.sum()))},
        }

    return make


@pytest.mark.parametrize("restarts", [False, True])
def test_two_partitions_come_to_the_same_values_once_the_reference_has_warmed_up(
    monkeypatch: pytest.MonkeyPatch, restarts: bool
) -> None:
    for module in (segment_values, labels, segment_settings):
        monkeypatch.setattr(module, "SEGMENT_VALUES_KEPT", 2)
    own = monitor(segments=["country"], reference={"trailing": "1h"})
    pipeline = Pipeline(own, partitions=2)
    # The first of each partition: se and fr, pl and de. By arrival alone they would stay.
    pipeline.run(1, lambda random, n: {"segments": {"country": ["se", "pl", "fr", "de"][n % 4]}}, rate=8)
    states = [pipeline.profiler.partitions[partition] for partition in (0, 1)]
    assert [state.segments["churn\xffcountry"] for state in states] == [["se", "fr"], ["pl", "de"]]
    usual = _from({"se": 1, "pl": 5, "fr": 2, "de": 9})
    pipeline.run(60, usual)
    assert [one.segments for one in pipeline.layouts] == [(SegmentValues("country", ("de", "pl")),)]
    assert "not in" not in " ".join(remarks(own, pipeline.judge.layout))
    pipeline.run(60, usual)
    if restarts:
        pipeline.restart_judge()
    pipeline.run(40, _from({"se": 1, "pl": 5, "fr": 2, "de": 9, "at": 3}))
    panes = [(group, pane) for judged in pipeline.closed for group, pane in judged.panes][-60:]
    late = [(group[1], pane) for group, pane in panes if pane.start_ms >= panes[-1][1].start_ms - 20_000]
    assert {segment for segment, _ in late} == {"", "country=de", "country=pl", "country=other"}
    for start in {pane.start_ms for _, pane in late}:
        events = {segment: pane.profile.events for segment, pane in late if pane.start_ms == start}
        assert events.pop("") == sum(events.values())


async def _refill(whole: bool) -> None:
    raise AssertionError("nothing is written to the store here")


def test_the_share_that_counts_as_other_and_where_values_come_from_are_told() -> None:
    pipeline = Pipeline(monitor(segments={"country": {"values": ["de", "fr"]}, "plan": {}}), partitions=2)
    pipeline.run(40, _from({"de": 6, "fr": 2, "at": 1, "pl": 1}))
    view = ModelView.model_validate_json(encoded(model_view(pipeline.judge, T0)))
    shares = {window.segment: window.share for window in view.windows}
    assert shares[""] is None
    parts = [share for segment, share in shares.items() if segment]
    assert sum(share for share in parts if share is not None) == pytest.approx(1.0)
    assert shares["country=other"] == pytest.approx(0.2, abs=0.05)
    assert (
        view.segments[0] == "segment country: 2 values (listed in the monitor), all others count as 'other'"
    )
    assert view.segments[1].startswith(
        "segment plan: the first 50 values that come have statistics of their own, in"
    )
    assert "list them under `values`" in view.segments[1]
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    board = Board(Projection("redis://localhost:1", "test", metrics, _refill), metrics)
    board.show(
        pipeline.judge, next(one for one in reversed(pipeline.closed) if one.panes), T0, monitored=True
    )
    told = registry.get_sample_value(
        "driftline_segment_other_ratio", {"model": "churn", "segment": "country"}
    )
    assert told == pytest.approx(shares["country=other"])


def test_a_monitor_says_which_values_hold() -> None:
    own = monitor(segments={"country": {"values": ["se"]}, "plan": None, "shop": None})
    layout = compile_layout(own, segments=(*BY_REFERENCE, SegmentValues("plan", ("pro",))))
    assert known_values(own, layout) == {"country": ("se",), "plan": ("pro",), "shop": None}
