"""Laws of profiles: what is counted is a function of the rows, not of their order, chunks or partitions."""

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_events import bits, folded, monitor

from streams import sketch
from streams.layout import compile_layout
from streams.name_counts import NAME_KEPT
from streams.profile import UNEXPECTED_KEPT, UNLISTED_KEPT, Profile, merged

EDGES = (-1.0, 0.0, 0.5, 30.0)
LAYOUT = compile_layout(
    monitor(
        features={
            "age": {"type": "number", "min": 0, "max": 60},
            "size": {"type": "number"},
            "plan": {"type": "category", "values": ["free", "pro"]},
            "city": {"type": "category"},
            "new": {"type": "boolean"},
        }
    ),
    edges={"age": EDGES},
)

numbers = st.one_of(
    st.none(), st.sampled_from([-1.0, 0.0, -0.0, 0.5, 30.0, 60.0]), st.floats(-1e9, 1e9, allow_subnormal=True)
)
rows = st.fixed_dictionaries(
    {
        "id": st.integers(0, 30),
        "age": numbers,
        "size": numbers,
        "plan": st.sampled_from([None, "free", "pro", "team", ""]),
        "city": st.one_of(st.none(), st.text(max_size=3)),
        "new": st.sampled_from([None, "true", "false"]),
        "prediction": numbers,
        "error": st.booleans(),
    }
)
tables = st.lists(rows, max_size=40)


def _assert_moments_agree(one: Profile, two: Profile) -> None:
    np.testing.assert_allclose(one.mean, two.mean, rtol=1e-9, atol=1e-6)
    largest = np.where(one.count > 0, np.maximum(np.abs(one.minimum), np.abs(one.maximum)), 0.0)
    noise = 1e-12 * one.count * largest**2
    assert (np.abs(one.squares - two.squares) <= 1e-9 * one.squares + noise + 1e-12).all()


@settings(max_examples=80)
@given(table=tables, cuts=st.lists(st.integers(0, 40), max_size=4))
def test_folding_in_chunks_equals_folding_at_once(table: list[dict[str, Any]], cuts: list[int]) -> None:
    whole = folded(LAYOUT, table)
    places = [0, *sorted(cuts), len(table)]
    parts = [table[low:high] for low, high in itertools.pairwise(places)]
    in_chunks = folded(LAYOUT, *parts)
    assert bits(whole) == bits(in_chunks)
    _assert_moments_agree(whole, in_chunks)


@settings(max_examples=60)
@given(one=tables, two=tables, three=tables)
def test_merging_is_associative_commutative_and_the_same_as_folding(
    one: list[dict[str, Any]], two: list[dict[str, Any]], three: list[dict[str, Any]]
) -> None:
    a, b, c = (folded(LAYOUT, table) for table in (one, two, three))
    left, right, back = Profile(LAYOUT), folded(LAYOUT, two), Profile(LAYOUT)
    for part in (a, b, c):
        left.merge(part)
    right.merge(c)
    right.merge(a)
    for part in (c, b, a):
        back.merge(part)
    at_once = folded(LAYOUT, one + two + three)
    for other in (right, back, at_once, merged(LAYOUT, [a, b, c])):
        assert bits(left) == bits(other)
        _assert_moments_agree(left, other)


@settings(max_examples=60)
@given(table=tables, seed=st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(table: list[dict[str, Any]], seed: Any) -> None:
    shuffled = list(table)
    seed.shuffle(shuffled)
    assert bits(folded(LAYOUT, table)) == bits(folded(LAYOUT, shuffled))


@settings(max_examples=80)
@given(table=tables)
def test_statistics_equal_an_independent_recount(table: list[dict[str, Any]]) -> None:
    profile = folded(LAYOUT, table)
    for position, column in enumerate(LAYOUT.numbers):
        values = [row[column.name] for row in table if row.get(column.name) is not None]
        assert profile.count[position] == len(values)
        assert profile.minimum[position] == min(values, default=math.inf)
        assert profile.maximum[position] == max(values, default=-math.inf)
        if values:
            assert profile.mean[position] == pytest.approx(
                math.fsum(values) / len(values), rel=1e-9, abs=1e-6
            )
        low = -math.inf if column.minimum is None else column.minimum
        high = math.inf if column.maximum is None else column.maximum
        assert profile.out_of_range[position] == sum(not low <= value <= high for value in values)
        start, end = LAYOUT.number_offsets[position : position + 2]
        # Bins are half open: bin i holds edges[i-1] <= x < edges[i].
        marks = [-math.inf, *column.edges, math.inf]
        assert profile.bins[start:end].tolist() == [
            sum(a <= value < b for value in values) for a, b in itertools.pairwise(marks)
        ]
    for position, listed in enumerate(LAYOUT.categories):
        counts = Counter(row.get(listed.name) for row in table if row.get(listed.name) is not None)
        start, end = LAYOUT.category_offsets[position : position + 2]
        inside = [counts[value] for value in listed.values]
        assert profile.category_counts[start:end].tolist() == [*inside, sum(counts.values()) - sum(inside)]
        assert profile.unlisted[position] == {
            name: count for name, count in counts.items() if name not in listed.values
        }
    assert profile.events == len(table)
    assert profile.errors == sum(row["error"] for row in table)


def test_bins_count_as_numpy_histogram_does() -> None:
    values = np.random.default_rng(7).normal(0.2, 1.0, 5_000)
    profile = folded(LAYOUT, [{"age": value} for value in values.tolist()])
    expected, _ = np.histogram(values, bins=[-np.inf, *EDGES, np.inf])
    start, end = LAYOUT.number_offsets[:2]
    assert profile.bins[start:end].tolist() == expected.tolist()


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(50.0, 20.0, 20_000),
        np.random.default_rng(2).lognormal(0.0, 3.0, 20_000),
        -np.random.default_rng(3).exponential(1e6, 20_000),
        np.random.default_rng(4).integers(0, 5, 20_000).astype(float),
    ],
    ids=["normal", "lognormal", "negative", "few values"],
)
def test_quantiles_are_within_the_stated_relative_error(values: np.ndarray[Any, Any]) -> None:
    buckets, counts = sketch.histogram(values)
    middles = sketch.bucket_values(buckets)
    ordered = np.sort(values)
    for q in (0.0, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99):
        rank = int(q * len(values))
        found = middles[np.searchsorted(np.cumsum(counts), rank, side="right")]
        assert found == pytest.approx(ordered[rank], rel=sketch.RELATIVE_ERROR * 1.0001, abs=1e-12)


@settings(max_examples=200)
@given(st.floats(2.0**-31, 2.0**63), st.booleans())
def test_a_bucket_lies_within_the_relative_error_of_its_values(magnitude: float, negative: bool) -> None:
    value = np.array([-magnitude if negative else magnitude])
    found = sketch.bucket_values(sketch.buckets(value))
    assert abs(found[0] - value[0]) <= sketch.RELATIVE_ERROR * magnitude * (1 + 1e-9)


@settings(max_examples=100)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=20))
def test_buckets_grow_with_their_values(values: list[float]) -> None:
    ordered = np.sort(np.array(values))
    assert (np.diff(sketch.buckets(ordered)) >= 0).all()
    assert np.unique(sketch.buckets(ordered)).size <= sketch.MAX_BUCKETS


@pytest.mark.parametrize("n", [0, 1, 10, 100, 1_000, 20_000])
@pytest.mark.parametrize(("size", "bits_of"), [(256, 8), (4096, 12)])
def test_distinct_counts_are_within_four_standard_errors(n: int, size: int, bits_of: int) -> None:
    registers = np.zeros(size, np.uint8)
    sketch.observe_hashes(registers, sketch.hashed(np.arange(n, dtype=np.float64)), bits_of)
    assert abs(sketch.distinct(registers) - n) <= max(4 * 1.04 / math.sqrt(size) * n, 1)


def test_repeated_ids_are_counted_as_duplicates_and_unique_ones_are_not() -> None:
    unique = folded(LAYOUT, [{"id": f"u{i}"} for i in range(3_000)])
    half = folded(LAYOUT, [{"id": f"u{i % 1_500}"} for i in range(3_000)])
    assert unique.duplicates == 0
    assert half.duplicates == pytest.approx(1_500, rel=0.1)


def test_endless_names_are_capped_with_exact_counts_in_any_order() -> None:
    names = [f"city-{i % 500}" for i in range(2_000)]
    one = folded(LAYOUT, *([{"city": name}] for name in names[:700]))
    one.merge(folded(LAYOUT, [{"city": name} for name in names[700:]]))
    two = folded(LAYOUT, [{"city": name} for name in reversed(names)])
    position = [column.name for column in LAYOUT.categories].index("city")
    assert one.unlisted[position] == two.unlisted[position]
    assert len(one.unlisted[position]) == UNLISTED_KEPT
    assert set(one.unlisted[position].values()) == {4}
    assert one.category_counts[LAYOUT.category_offsets[position]] == 2_000
    one.note_unexpected(f"{'x' * 300}{i}" for i in range(500))
    one.note_unexpected(f"{i}" for i in range(500))
    assert len(one.unexpected) == UNEXPECTED_KEPT
    assert max(map(len, one.unexpected)) <= NAME_KEPT


def test_a_long_category_cut_for_the_reference_is_still_the_same_category() -> None:
    long = "street " * 40
    before = folded(LAYOUT, [{"city": long}])
    position = [column.name for column in LAYOUT.categories].index("city")
    (cut,) = before.unlisted[position]
    layout = compile_layout(
        monitor(features={"city": {"type": "category"}}), values={"city": (cut,)}, edges={}
    )
    after = folded(layout, [{"city": long}])
    assert after.category_counts.tolist()[:2] == [1, 0]


def test_the_largest_floats_leave_moments_finite() -> None:
    profile = folded(LAYOUT, [{"age": 1.7e308}, {"age": -1.7e308}, {"age": 1.0}])
    profile.merge(folded(LAYOUT, [{"age": 1.7e308}] * 3))
    assert np.isfinite(profile.mean).all()
    assert np.isfinite(profile.squares).all()
    assert profile.maximum[0] == 1.7e308


def test_profiles_of_different_layouts_do_not_merge() -> None:
    other = compile_layout(monitor(features={"age": {"type": "number"}}))
    with pytest.raises(ValueError, match="don't merge"):
        Profile(LAYOUT).merge(Profile(other))


def test_a_layouts_hash_is_stable_and_changes_with_its_content() -> None:
    plain = compile_layout(monitor())
    assert plain.hash == compile_layout(monitor()).hash
    others = [
        compile_layout(monitor(), edges={"age": (1.0, 2.0)}),
        compile_layout(monitor(), edges={"age": (1.0, 2.5)}),
        compile_layout(monitor(), values={"city": ("Bonn",)}),
        compile_layout(monitor(), frozen=True),
        compile_layout(monitor(features={"age": {"type": "number", "max": 99}})),
        compile_layout(monitor(model="other")),
        compile_layout(monitor(prediction={"type": "class"})),
    ]
    assert len({plain.hash, *(layout.hash for layout in others)}) == len(others) + 1
