"""All-zero events are counted as the rows say, in any order and chunks, and told through the pipeline."""

import itertools
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline import Pipeline
from prediction_events import batch, folded, monitor

from detectors.window import Window
from streams.bench import Bench
from streams.layout import compile_layout
from streams.profile import Profile, merged
from streams.publish import pane_row
from streams.recast import recast
from streams.window import window_of
from streams.wire import Part, decode_part, parts_of, profile_of, split
from streams.zeros import all_zero

NUMBERS = ("a", "b", "c")
MONITOR = monitor(features={name: {"type": "number"} for name in NUMBERS} | {"plan": {"type": "category"}})
LAYOUT = compile_layout(MONITOR)

values = st.sampled_from([None, 0.0, -0.0, 0.0, 1e-300, 2.0])
tables = st.lists(st.fixed_dictionaries({name: values for name in (*NUMBERS, "prediction")}), max_size=30)


def _recount(table: list[dict[str, Any]]) -> int:
    found = 0
    for row in table:
        present = [row[name] for name in NUMBERS if row[name] is not None]
        found += len(present) >= 2 and not any(present)
    return found


@settings(max_examples=150)
@given(table=tables)
def test_the_count_is_that_of_the_rows_one_by_one(table: list[dict[str, Any]]) -> None:
    profile = folded(LAYOUT, table)
    assert (profile.all_zero, profile.vectors) == (_recount(table), len(table))


@settings(max_examples=60)
@given(table=tables, cuts=st.lists(st.integers(0, 30), max_size=4), order=st.randoms())
def test_chunks_order_and_merging_change_nothing(
    table: list[dict[str, Any]], cuts: list[int], order: Any
) -> None:
    wanted = (_recount(table), len(table))
    order.shuffle(table)
    parts = [
        folded(LAYOUT, table[low:high]) for low, high in itertools.pairwise([0, *sorted(cuts), len(table)])
    ]
    whole, one_by_one = merged(LAYOUT, parts), Profile(LAYOUT)
    for part in parts:
        one_by_one.merge(part)
    back = profile_of(LAYOUT, [decode_part(raw) for raw in parts_of(whole)])
    other = recast(whole, compile_layout(MONITOR, edges={"a": (0.5,)}))
    assert other is not None
    for profile in (whole, one_by_one, back, other):
        assert (profile.all_zero, profile.vectors) == wanted


def test_missing_values_alone_are_no_zeros() -> None:
    assert all_zero(np.full((4, 3), np.nan)) == 0
    assert all_zero(np.zeros((0, 3))) == 0
    assert all_zero(np.array([[0.0, np.nan, 0.0], [np.nan, np.nan, 0.0]])) == 1


def test_one_number_makes_no_vector_and_nothing_is_judged() -> None:
    one = monitor(features={"a": {"type": "number"}, "plan": {"type": "category"}})
    layout = compile_layout(one)
    profile = Profile(layout)
    profile.fold(batch(layout, [{"a": 0.0, "prediction": 0.0}] * 3))
    assert (profile.all_zero, profile.vectors) == (0, 0)
    assert ("all_zero", "") not in Bench(one).watched
    assert ("all_zero", "") in Bench(MONITOR).watched
    assert ("all_zero", "") not in Bench(MONITOR.model_copy(update={"detectors": {"all_zero": None}})).watched


def test_a_row_written_before_they_were_counted_still_reads() -> None:
    (part,) = split(folded(LAYOUT, [dict.fromkeys(NUMBERS, 0.0)]))
    names = Part.__struct_fields__
    old = msgspec.msgpack.encode([getattr(part, name) for name in names[: names.index("zeros")]])
    found = profile_of(LAYOUT, [decode_part(old)])
    assert (found.events, found.all_zero, found.vectors) == (1, 0, 0)


def _make(share: float) -> Any:
    def make(random: np.random.Generator, number: int) -> dict[str, Any]:
        scale = float(random.random() >= share)
        return {"features": {name: scale * float(random.normal()) for name in NUMBERS} | {"plan": "free"}}

    return make


def _reference(share: float) -> tuple[Any, Window]:
    random = np.random.default_rng(3)
    rows = [_make(share)(random, number)["features"] | {"prediction": 0.5} for number in range(5_000)]
    edges = tuple(np.quantile([row["a"] for row in rows], np.arange(1, 10) / 10).tolist())
    layout = compile_layout(
        MONITOR, edges=dict.fromkeys(NUMBERS, tuple(sorted(set(edges)))), values={"plan": ("free",)}
    )
    profile = folded(layout, rows)
    return layout, window_of(profile, version="", segment="", start_ms=0, end_ms=1)


@pytest.mark.parametrize("usual_share", [0.0, 0.2])
def test_a_broken_read_is_told_once_and_ends_and_what_is_usual_is_not(usual_share: float) -> None:
    layout, usual = _reference(usual_share)
    assert usual.all_zero == pytest.approx(usual_share * 5_000, abs=150)
    pipeline = Pipeline(MONITOR, layout, reference_file=usual)
    assert pipeline.run(180, _make(usual_share)) == []
    begun = pipeline.run(120, _make(usual_share + 0.1))
    assert begun.count(("firing", "AllZeroEvents")) == 1
    _, told = next((at, one) for at, one in pipeline.alerts if one.labels["alertname"] == "AllZeroEvents")
    assert "have 0 in every number feature" in told.annotations["summary"]
    drifts = [one for _, one in pipeline.alerts if one.labels["alertname"] == "FeatureDrift"]
    assert drifts
    assert all("answers with zeros" in one.annotations["cause"] for one in drifts if one.status == "firing")
    pipeline.restart_judge()
    assert ("resolved", "AllZeroEvents") in pipeline.run(180, _make(usual_share))
    shown = [pane_row(("", ""), window) for judged in pipeline.closed for window in judged.pane_windows]
    assert sum(row["all_zero"] for row in shown[-12:]) <= sum(row["all_zero"] for row in shown[20:32])
