"""Laws of what features contribute: sums of the rows, whatever their order, chunks, partitions or way over the wire."""

import itertools
import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline import Pipeline
from prediction_events import T0, batch, event, monitor

from detectors.window import Window
from streams.attribution_sums import LARGEST, AttributionSums
from streams.bench import Bench
from streams.codec import ModelCodec
from streams.decode import Decoder
from streams.layout import compile_layout
from streams.profile import Profile, merged
from streams.recast import recast
from streams.window import window_of
from streams.wire import Part, decode_part, encode, parts_of, profile_of, split

MONITOR = monitor()
LAYOUT = compile_layout(MONITOR)
FEATURES = ("age", "plan", "city", "new")

numbers = st.one_of(st.integers(-3, 3), st.floats(-1e6, 1e6))
given_ = st.one_of(
    st.none(), st.dictionaries(st.sampled_from([*FEATURES, "of_another_model"]), numbers, max_size=5)
)
tables = st.lists(given_, max_size=25)


def _decoded(table: list[dict[str, float] | None]) -> Any:
    values = [event(at) if one is None else event(at, attributions=one) for at, one in enumerate(table)]
    decoder = Decoder({"churn": ModelCodec(MONITOR, LAYOUT)})
    decoded = decoder.decode(values, np.arange(len(values)), np.full(len(values), T0))
    assert decoded.bad == []
    return decoded.models["churn"].batch if values else batch(LAYOUT, [])


def _folded(*chunks: list[dict[str, float] | None]) -> Profile:
    profile = Profile(LAYOUT)
    for table in chunks:
        profile.fold(_decoded(table))
    return profile


def _assert_same(one: AttributionSums | None, other: AttributionSums | None) -> None:
    if one is None or other is None:
        assert one is other
        return
    assert one.events == other.events
    # Of signed numbers a sum may be nearly nothing: it agrees to a part of their sizes.
    np.testing.assert_allclose(one.sums[[0, 2]], other.sums[[0, 2]], rtol=1e-9)
    assert (np.abs(one.sums[1] - other.sums[1]) <= 1e-9 * one.sums[0]).all()


@settings(max_examples=80)
@given(table=tables)
def test_sums_are_those_of_the_events_one_by_one(table: list[dict[str, float] | None]) -> None:
    profile = _folded(table)
    carrying = [one for one in table if one is not None and set(one) & set(FEATURES)]
    if not carrying:
        assert profile.attributions is None
        return
    assert profile.attributions is not None
    assert profile.attributions.events == len(carrying)
    seen = window_of(profile, version="", segment="", start_ms=0, end_ms=1).attributions
    assert seen is not None
    assert set(seen.names) == set(FEATURES)
    for place, name in enumerate(seen.names):
        values = [float(one.get(name, 0.0)) for one in carrying]
        wanted = [sum(map(abs, values)), sum(values), sum(value**2 for value in values)]
        assert seen.sums[:, place] == pytest.approx(wanted, rel=1e-9, abs=1e-9 * max(wanted[0], 1e-300))


@settings(max_examples=60)
@given(table=tables, cuts=st.lists(st.integers(0, 25), max_size=4), order=st.randoms())
def test_chunks_order_and_merging_change_nothing(
    table: list[dict[str, float] | None], cuts: list[int], order: Any
) -> None:
    whole = _folded(table).attributions
    shuffled = list(table)
    order.shuffle(shuffled)
    places = [0, *sorted(cuts), len(table)]
    parts = [_folded(shuffled[low:high]) for low, high in itertools.pairwise(places)]
    _assert_same(whole, merged(LAYOUT, parts).attributions)
    one_by_one = Profile(LAYOUT)
    for part in reversed(parts):
        one_by_one.merge(part)
    _assert_same(whole, one_by_one.attributions)


@pytest.mark.parametrize("columns", [1, 5, 40])
def test_the_wire_carries_them_to_the_bit_over_any_number_of_parts(columns: int) -> None:
    features = {f"n{at}": {"type": "number"} for at in range(columns)}
    features |= {f"c{at}": {"type": "category"} for at in range(columns)}
    watched = monitor(features=features)
    layout = compile_layout(watched)
    rng = np.random.default_rng(columns)
    values = [event(at, attributions={name: float(rng.normal()) for name in features}) for at in range(20)]
    decoded = Decoder({"churn": ModelCodec(watched, layout)}).decode(values, np.arange(20), np.full(20, T0))
    profile = Profile(layout)
    profile.fold(decoded.models["churn"].batch)
    raw = parts_of(profile)
    assert len(raw) == -(-(2 * columns + 2) // 12)
    back = profile_of(layout, [decode_part(one) for one in raw])
    assert profile.attributions is not None
    assert back.attributions is not None
    assert back.attributions.events == profile.attributions.events == 20
    np.testing.assert_array_equal(back.attributions.sums, profile.attributions.sums)
    (bytes_before,) = {len(encode(one)) for one in split(Profile(layout))[:1]}
    assert len(raw[0]) - bytes_before < 4_000


def test_a_row_written_before_they_were_counted_still_reads_and_merges() -> None:
    (part,) = split(_folded([{"age": 1.0}]))
    names = Part.__struct_fields__
    old = msgspec.msgpack.encode([getattr(part, name) for name in names[: names.index("attributions")]])
    without = profile_of(LAYOUT, [decode_part(old)])
    assert without.attributions is None
    _assert_same(
        merged(LAYOUT, [without, _folded([{"age": 1.0}])]).attributions, _folded([{"age": 1.0}]).attributions
    )


def test_sizes_without_end_stay_finite() -> None:
    profile = _folded([{"age": 1.7e308}, {"age": -1.7e308}])
    assert profile.attributions is not None
    assert np.isfinite(profile.attributions.sums).all()
    assert profile.attributions.sums[0].max() == 2 * LARGEST


def test_they_outlive_a_change_of_bins() -> None:
    profile = _folded([{"age": 1.0, "city": -2.0}])
    found = recast(profile, compile_layout(MONITOR, edges={"age": (30.0, 50.0)}))
    assert found is not None
    _assert_same(found.attributions, profile.attributions)


def test_rows_of_one_batch_with_and_without_stay_apart() -> None:
    some = _decoded([{"age": 1.0}, None, {"city": 2.0}])
    none = _decoded([None, None])
    assert none.attributions is None
    picked = some.take(np.array([2, 1]))
    assert picked.attributions is not None
    assert np.isnan(picked.attributions[1]).all()
    assert picked.attributions[0].tolist() == [0.0, 0.0, 2.0, 0.0]
    profile = Profile(LAYOUT)
    profile.fold(some.between(1, 2))
    assert profile.attributions is None


def test_the_bench_has_the_detector_wherever_there_are_features() -> None:
    assert ("attribution_drift", "") in Bench(monitor()).watched
    assert ("attribution_drift", "") not in Bench(monitor(features={})).watched
    assert ("attribution_drift", "") not in Bench(monitor(detectors={"attribution_drift": False})).watched


CALM = {"age": 1.0, "plan": 0.6, "city": 0.4, "new": 0.1}
FLIPPED = CALM | {"age": 0.1, "new": 1.0}


def _make(scales: dict[str, float] | None, share: float = 1.0) -> Any:
    def make(random: np.random.Generator, number: int) -> dict[str, Any]:
        if scales is None or random.random() > share:
            return {}
        return {"attributions": {name: scale * float(random.normal(0.3)) for name, scale in scales.items()}}

    return make


def _reference(*, attributed: bool = True) -> tuple[Any, Window]:
    random = np.random.default_rng(3)
    rows = [_make(CALM)(random, number).get("attributions") for number in range(4_000)]
    profile = Profile(LAYOUT)
    profile.fold(_decoded(rows if attributed else [None] * 4_000))
    return LAYOUT, window_of(profile, version="", segment="", start_ms=0, end_ms=1)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_rank_flip_is_told_once_and_ends(restarts: bool) -> None:
    layout, usual = _reference()
    pipeline = Pipeline(MONITOR, layout, reference_file=usual)
    assert pipeline.run(180, _make(CALM, share=0.5)) == []
    begun = pipeline.run(180, _make(FLIPPED, share=0.5))
    if restarts:
        pipeline.restart_judge()
    assert begun == [("firing", "AttributionDrift")]
    _, told = pipeline.alerts[-1]
    assert "age 1st → 4th" in told.annotations["summary"]
    assert "new 4th → 1st" in told.annotations["summary"]
    assert pipeline.run(150, _make(CALM, share=0.5)) == [("resolved", "AttributionDrift")]


def test_a_trailing_reference_counts_them_too() -> None:
    pipeline = Pipeline(monitor(reference={"trailing": "1h"}))
    assert pipeline.run(600, _make(CALM)) == []
    assert ("firing", "AttributionDrift") in pipeline.run(120, _make(FLIPPED))


def test_without_attributions_nothing_is_said_and_what_one_side_lacks_is() -> None:
    layout, bare = _reference(attributed=False)
    silent = Pipeline(MONITOR, layout, reference_file=bare)
    silent.run(120, _make(None))
    assert "attribution_drift" not in {verdict.detector for *_, verdict in _verdicts(silent)}
    for usual, scales, said in [(bare, CALM, "build it again"), (_reference()[1], None, "0 of 100 events")]:
        pipeline = Pipeline(MONITOR, layout, reference_file=usual)
        pipeline.run(120, _make(scales))
        found = [one for *_, one in _verdicts(pipeline) if one.detector == "attribution_drift"]
        assert {one.status for one in found} == {"insufficient"}
        assert said in found[-1].evidence.sentence


def _verdicts(pipeline: Pipeline) -> list[Any]:
    return [one for judged in pipeline.closed for one in judged.verdicts]


def test_attributions_of_the_wrong_type_are_told_by_their_feature() -> None:
    decoder = Decoder({"churn": ModelCodec(MONITOR, LAYOUT)})
    raw = json.loads(event()) | {"attributions": {"age": "much"}}
    (bad,) = decoder.decode([json.dumps(raw).encode()], np.arange(1), np.array([T0])).bad
    assert bad.code == "wrong_type"
    assert "attributions.age" in bad.reason
