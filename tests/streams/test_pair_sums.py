"""Laws of sums over pairs: functions of the rows, not of their order, chunks, partitions or way over the wire."""

import itertools
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline import Pipeline
from prediction_events import T0, batch, event, monitor

from detectors.pairs import normal_scores
from detectors.window import Window
from streams.bench import Bench
from streams.codec import ModelCodec
from streams.decode import Decoder
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.pair_sums import PairSums
from streams.pairing import paired_names, paired_positions
from streams.profile import Profile, merged
from streams.window import window_of
from streams.wire import Part, decode_part, encode, parts_of, profile_of, split

NUMBERS = ("a", "b", "c")
EDGES = {"a": (-1.0, 0.0, 1.0), "b": (0.0,), "c": (-2.0, 0.5)}
MONITOR = monitor(features={name: {"type": "number"} for name in NUMBERS})
LAYOUT = compile_layout(MONITOR, edges=EDGES)
PAIRED = paired_positions(MONITOR, LAYOUT)

values = st.one_of(st.none(), st.sampled_from([-3.0, -1.0, 0.0, 0.25, 1.0, 9.0]))
tables = st.lists(st.fixed_dictionaries({name: values for name in NUMBERS}), max_size=30)


def _folded(*chunks: list[dict[str, Any]], paired: tuple[int, ...] = PAIRED) -> Profile:
    profile = Profile(LAYOUT)
    for rows in chunks:
        profile.fold(replace(batch(LAYOUT, rows), paired=paired))
    return profile


def _same(one: PairSums | None, other: PairSums | None) -> bool:
    if one is None or other is None:
        return one is other
    return (
        one.positions == other.positions
        and np.array_equal(one.counts, other.counts)
        and np.array_equal(one.gram, other.gram)
    )


@settings(max_examples=60)
@given(table=tables)
def test_sums_are_those_of_the_rows_one_by_one(table: list[dict[str, Any]]) -> None:
    found = _folded(table).pairs
    if not table:
        assert found is None
        return
    assert found is not None
    rows = []
    for row in table:
        bins = {
            name: sum(row[name] >= edge for edge in EDGES[name]) for name in NUMBERS if row[name] is not None
        }
        scores = [float(normal_scores(len(EDGES[n]) + 1)[bins[n]]) if n in bins else 0.0 for n in NUMBERS]
        rows.append([1.0, *scores, *(score**2 for score in scores)])
    np.testing.assert_array_equal(found.gram, np.einsum("ni,nj->ij", np.array(rows), np.array(rows)))
    held = np.array([[row[name] is not None for name in NUMBERS] for row in table], np.int64)
    np.testing.assert_array_equal(found.counts, np.einsum("ni,nj->ij", held, held))


@settings(max_examples=60)
@given(table=tables, cuts=st.lists(st.integers(0, 30), max_size=4), order=st.randoms())
def test_chunks_order_and_merging_change_nothing(
    table: list[dict[str, Any]], cuts: list[int], order: Any
) -> None:
    whole = _folded(table).pairs
    shuffled = list(table)
    order.shuffle(shuffled)
    places = [0, *sorted(cuts), len(table)]
    chunks = [shuffled[low:high] for low, high in itertools.pairwise(places)]
    assert _same(whole, _folded(*chunks).pairs)
    parts = [_folded(chunk) for chunk in chunks]
    assert _same(whole, merged(LAYOUT, parts).pairs)
    one_by_one = Profile(LAYOUT)
    for part in reversed(parts):
        one_by_one.merge(part)
    assert _same(whole, one_by_one.pairs)


@settings(max_examples=40)
@given(one=tables, two=tables, three=tables)
def test_workers_that_count_other_pairs_still_merge_in_any_order(
    one: list[dict[str, Any]], two: list[dict[str, Any]], three: list[dict[str, Any]]
) -> None:
    parts = [_folded(one), _folded(two, paired=PAIRED[:2]), _folded(three, paired=())]
    totals = [merged(LAYOUT, list(order)).pairs for order in itertools.permutations(parts)]
    assert all(_same(totals[0], total) for total in totals)


@settings(max_examples=40)
@given(table=tables)
def test_the_wire_carries_them_to_the_bit(table: list[dict[str, Any]]) -> None:
    profile = _folded(table)
    back = profile_of(LAYOUT, [decode_part(raw) for raw in parts_of(profile)])
    assert _same(profile.pairs, back.pairs)


def test_sums_far_beyond_a_pane_survive_the_wire() -> None:
    profile = _folded([{"a": -3.0, "b": 5.0, "c": -9.0}])
    assert profile.pairs is not None
    sums = profile.pairs
    profile.pairs = PairSums(sums.positions, sums.counts * 10**10, sums.gram * 10**10)
    back = profile_of(LAYOUT, [decode_part(raw) for raw in parts_of(profile)])
    assert _same(profile.pairs, back.pairs)


def test_a_row_written_before_pairs_were_counted_still_reads() -> None:
    (part,) = split(_folded([{"a": 1.0, "b": 1.0, "c": 1.0}]))
    names = Part.__struct_fields__
    old = msgspec.msgpack.encode([getattr(part, name) for name in names[: names.index("pairs")]])
    assert profile_of(LAYOUT, [decode_part(old)]).pairs is None
    assert profile_of(LAYOUT, [decode_part(encode(part))]).pairs is not None


def test_events_are_paired_as_the_monitor_says() -> None:
    features = {name: {"type": "number"} for name in "abcd"} | {"plan": {"type": "category"}}
    for entry, names in [
        (None, ("a", "b", "c", "d")),
        ({"max_features": 2}, ("a", "b")),
        ({"features": ["d", "b"], "max_features": 2}, ("b", "d")),
        (False, ()),
    ]:
        found = monitor(features=features, detectors={} if entry is None else {"correlation_drift": entry})
        assert paired_names(found) == names
        layout = compile_layout(found)
        decoded = Decoder({"churn": ModelCodec(found, layout)}).decode(
            [event(0, T0, features={"a": 1.0})], np.arange(1), np.array([T0])
        )
        assert [layout.numbers[at].name for at in decoded.models["churn"].batch.paired] == list(names)
        assert ("correlation_drift", "") in Bench(found).watched or not names
    assert ("correlation_drift", "") not in Bench(monitor()).watched  # one number has no pair


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"features": ["a", "plan"]}, "names 'plan', which is a category; the number features are: a, b"),
        ({"features": ["a", "z"]}, "names 'z', which is not among `features`"),
        ({"features": ["a"]}, "name at least two"),
        ({"max_features": 1}, "greater than or equal to 2"),
    ],
)
def test_what_cannot_be_paired_is_refused_with_a_remedy(entry: dict[str, Any], said: str) -> None:
    features = {"a": {"type": "number"}, "b": {"type": "number"}, "plan": {"type": "category"}}
    with pytest.raises(ValueError, match=r"correlation_drift|max_features") as error:
        monitor(features=features, detectors={"correlation_drift": entry})
    assert said in str(error.value)


def _pair(flip: bool) -> Any:
    def make(random: np.random.Generator, number: int) -> dict[str, Any]:
        first = float(random.normal())
        second = (-0.8 if flip else 0.8) * first + 0.6 * float(random.normal())
        return {"features": {"a": first, "b": second, "c": float(random.normal())}}

    return make


def _reference(watched: Monitor) -> tuple[Any, Window]:
    random = np.random.default_rng(3)
    deciles = tuple(np.quantile(random.normal(size=100_000), np.arange(1, 10) / 10).tolist())
    layout = compile_layout(watched, edges=dict.fromkeys(NUMBERS, deciles))
    profile = Profile(layout)
    rows = [_pair(flip=False)(random, 0)["features"] | {"prediction": 0.5} for _ in range(5_000)]
    profile.fold(replace(batch(layout, rows), paired=paired_positions(watched, layout)))
    return layout, window_of(profile, version="", segment="", start_ms=0, end_ms=1)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_flip_that_no_feature_shows_is_told_and_ends(restarts: bool) -> None:
    watched = monitor(features={name: {"type": "number"} for name in NUMBERS})
    layout, usual = _reference(watched)
    pipeline = Pipeline(watched, layout, reference_file=usual)
    assert pipeline.run(180, _pair(flip=False)) == []
    begun = pipeline.run(90, _pair(flip=True))
    if restarts:
        pipeline.restart_judge()
    assert begun == [("firing", "MultivariateDrift")]
    told = pipeline.alerts[0][1].annotations
    assert told["cause"].startswith("a~b 0.7")
    assert "(100 % of the shift)" in told["cause"]
    assert pipeline.run(150, _pair(flip=False)) == [("resolved", "MultivariateDrift")]


def test_a_trailing_reference_counts_pairs_too() -> None:
    watched = monitor(features={name: {"type": "number"} for name in NUMBERS}, reference={"trailing": "1h"})
    pipeline = Pipeline(watched)
    assert pipeline.run(600, _pair(flip=False)) == []
    assert ("firing", "MultivariateDrift") in pipeline.run(120, _pair(flip=True))
