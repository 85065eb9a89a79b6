"""Laws of patterns: what is counted are the rows themselves, whatever their chunks, order, partitions and way."""

import itertools
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline import Pipeline
from prediction_events import T0, batch, event, monitor

from streams import patterns
from streams.layout import compile_layout
from streams.matching import EXAMPLES_KEPT, Matched, MatchKey, hold, pattern_keys
from streams.name_counts import NAME_KEPT
from streams.profile import Profile, merged
from streams.profiler import Profiler
from streams.recast import recast
from streams.window import window_of
from streams.wire import Part, decode_part, encode, parts_of, profile_of, split

CODE, TEST = r"^[A-Z]{2}-\d+$", "(?i)test"
MONITOR = monitor(
    features={
        "age": {"type": "number"},
        "plan": {"type": "category"},
        "code": {
            "type": "category",
            "expect": {"match_regex": {"regex": CODE, "mostly": 0.9}, "not_match_regex": {"regex": TEST}},
        },
    }
)
LAYOUT = compile_layout(MONITOR, values={"plan": ("free", "pro")})
MATCH, NOT_MATCH = MatchKey(1, "match_regex", CODE), MatchKey(1, "not_match_regex", TEST)

codes = st.one_of(
    st.none(),
    st.sampled_from(["DE-1", "FR-22", "de-1", "TEST", "", "DE-1\n", "a Test", "日本-7"]),
    st.text(max_size=6),
)
tables = st.lists(st.fixed_dictionaries({"code": codes}), max_size=30)


def _folded(*chunks: list[dict[str, Any]]) -> Profile:
    profile = Profile(LAYOUT)
    for rows in chunks:
        found = batch(LAYOUT, rows)
        profile.fold(replace(found, held=hold(pattern_keys(MONITOR, LAYOUT), found.texts)))
    return profile


def _recounted(values: Sequence[str | None], regex: str, *, wanted: bool) -> tuple[int, int, Counter[str]]:
    """Count one by one, by another engine that reads these patterns alike."""
    present = [value for value in values if value is not None]
    bad = [value for value in present if (re.search(regex, value) is not None) != wanted]
    return len(present), len(present) - len(bad), Counter(value[:NAME_KEPT] for value in bad)


@settings(max_examples=100)
@given(table=tables)
def test_counts_are_those_of_the_rows_one_by_one(table: list[dict[str, Any]]) -> None:
    values = [row["code"] for row in table]
    found = _folded(table).matched
    for key, regex, wanted in [(MATCH, r"\A[A-Z]{2}-[0-9]+\Z", True), (NOT_MATCH, TEST, False)]:
        looked, met, bad = _recounted(values, regex, wanted=wanted)
        if not table:
            assert found == {}
            continue
        assert found[key][:2] == (looked, met)
        assert len(found[key].examples) == min(len(bad), EXAMPLES_KEPT)
        assert all(bad[name] == times for name, times in found[key].examples.items())


@settings(max_examples=60)
@given(table=tables, cuts=st.lists(st.integers(0, 30), max_size=4), order=st.randoms())
def test_chunks_order_and_merging_change_nothing(
    table: list[dict[str, Any]], cuts: list[int], order: Any
) -> None:
    whole = _folded(table).matched
    shuffled = list(table)
    order.shuffle(shuffled)
    chunks = [shuffled[low:high] for low, high in itertools.pairwise([0, *sorted(cuts), max(len(table), 30)])]
    assert whole == _folded(*chunks).matched
    parts = [_folded(chunk) for chunk in chunks]
    assert whole == merged(LAYOUT, parts).matched
    one_by_one = Profile(LAYOUT)
    for part in reversed(parts):
        one_by_one.merge(part)
    assert whole == one_by_one.matched


@settings(max_examples=40)
@given(table=tables)
def test_the_wire_and_a_new_layout_carry_them(table: list[dict[str, Any]]) -> None:
    profile = _folded(table)
    assert profile_of(LAYOUT, [decode_part(raw) for raw in parts_of(profile)]).matched == profile.matched
    other = recast(profile, compile_layout(MONITOR, values={"code": ("DE-1",)}))
    assert other is not None
    assert other.matched == profile.matched


def test_a_row_written_before_patterns_were_counted_still_reads_and_is_not_judged() -> None:
    (part,) = split(_folded([{"code": "x"}]))
    names = Part.__struct_fields__
    old = msgspec.msgpack.encode([getattr(part, name) for name in names[: names.index("matched")]])
    profile = profile_of(LAYOUT, [decode_part(old)])
    assert profile.matched == {}
    window = window_of(profile, version="", segment="", start_ms=0, end_ms=1)
    column = window.column("code")
    assert column is not None
    assert column.matched == {}
    assert profile_of(LAYOUT, [decode_part(encode(part))]).matched[MATCH] == Matched(1, 0, {"x": 1})


def test_columns_of_several_parts_come_back_to_their_places() -> None:
    features = {
        f"c{i}": {"type": "category", "expect": {"match_regex": {"regex": f"^{i}$"}}} for i in range(30)
    }
    own = monitor(features=features)
    layout = compile_layout(own)
    profile, rows = Profile(layout), [{f"c{i}": str(i % 7) for i in range(30)}]
    found = batch(layout, rows)
    profile.fold(replace(found, held=hold(pattern_keys(own, layout), found.texts)))
    raw = parts_of(profile)
    assert len(raw) > 2
    back = profile_of(layout, [decode_part(one) for one in raw])
    assert back.matched == profile.matched
    assert [key.position for key, counts in sorted(back.matched.items()) if counts.met] == list(range(7))


def test_each_distinct_value_is_matched_once_a_chunk_however_many_segments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: list[str] = []
    inner = patterns.matches

    def noting(regex: str, values: Sequence[str]) -> Any:
        looked_at.extend(values)
        return inner(regex, values)

    monkeypatch.setattr("streams.matching.matches", noting)
    features = {"code": {"type": "category", "expect": {"match_regex": {"regex": CODE}}}}
    own = monitor(features=features, segments=["country"])
    profiler = Profiler({"churn": (own, compile_layout(own))})
    values = [
        event(i, T0 + i % 3 * 10_000, features={"code": f"DE-{i % 5}"}, segments={"country": f"c{i % 4}"})
        for i in range(400)
    ]
    profiler.fold_records(0, values, np.arange(400), np.full(400, T0))
    assert sorted(looked_at) == [f"DE-{i}" for i in range(5)]
    counted = {
        key: one.matched[MatchKey(0, "match_regex", CODE)] for key, one in profiler.partitions[0].open.items()
    }
    assert sum(one.looked for key, one in counted.items() if key.segment) == 400
    assert sum(one.met for key, one in counted.items() if not key.segment) == 400


def test_half_a_character_is_looked_at_too() -> None:
    assert patterns.matches("^a.$", ["a\ud800", "ab", "a"]).tolist() == [True, True, False]


def test_a_value_made_to_take_hours_takes_none() -> None:
    started = time.process_time()
    assert patterns.matches("^(([a-z])+.)+[A-Z]([a-z])+$", ["a" * 200_000]).tolist() == [False]
    assert time.process_time() - started < 5.0


def _coded(bad: float) -> Any:
    def make(random: np.random.Generator, number: int) -> dict[str, Any]:
        code = f"x{random.integers(9)}" if random.random() < bad else f"DE-{random.integers(1000)}"
        return {"features": {"code": code}}

    return make


def _alerts(pipeline: Pipeline) -> list[str]:
    return [alert.annotations["summary"] for _, alert in pipeline.alerts]


@pytest.mark.parametrize("restarts", [False, True])
def test_values_of_another_form_are_told_with_examples_and_end(restarts: bool) -> None:
    features = {"code": {"type": "category", "expect": {"match_regex": {"regex": CODE, "mostly": 0.95}}}}
    pipeline = Pipeline(monitor(features=features, detectors={"new_categories": False}))
    assert pipeline.run(90, _coded(0.02)) == []
    assert pipeline.run(60, _coded(0.4)) == [("firing", "ExpectationFailed code")]
    if restarts:
        pipeline.restart_judge()
    assert pipeline.run(120, _coded(0.02)) == [("resolved", "ExpectationFailed code")]
    told = _alerts(pipeline)[0]
    assert r"expected at least 95 % matching '^[A-Z]{2}-\d+$', found " in told
    assert re.search(r"not so: 'x\d', 'x\d'\)", told)
