"""Spans of a reference: what is counted in them, live and from files, and how wide they are."""

import numpy as np
import pytest

from streams.batch import Batch, hash_ids
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.profile import Profile
from streams.spans import LONG_SPANS, category_spans, counters, number_spans, rows_of

MONITOR = Monitor.model_validate(
    {
        "model": "churn",
        "features": {"age": {"type": "number"}, "plan": {"type": "category", "values": ["free", "pro"]}},
    }
)
LAYOUT = compile_layout(MONITOR, edges={"age": (30.0, 60.0)})
HOUR_MS = 3_600_000


def batch(rows: int, seed: int = 1, period_ms: int = 24 * HOUR_MS) -> Batch:
    rng = np.random.default_rng(seed)
    numbers = np.column_stack((rng.uniform(0, 90, rows), rng.uniform(0, 1, rows), rng.exponential(20, rows)))
    numbers[rng.random(rows) < 0.1, 0] = np.nan
    is_error = rng.random(rows) < 0.05
    numbers[is_error, 1] = np.nan
    plans = rng.choice(np.array(["free", "pro", "team", None], dtype=object), rows).tolist()
    return Batch(
        offsets=np.arange(rows),
        ts_ms=np.sort(rng.integers(0, period_ms, rows)),
        record_ms=np.zeros(rows, np.int64),
        id_hashes=hash_ids([str(row) for row in range(rows)]),
        errors=is_error,
        numbers=numbers,
        texts=[plans],
        versions=[""] * rows,
    )


def profile(rows: Batch) -> Profile:
    made = Profile(LAYOUT)
    made.fold(rows)
    return made


def test_rows_from_a_file_and_from_profiles_count_alike() -> None:
    whole = batch(5000)
    long, *_ = counters(LAYOUT, start_ms=0, end_ms=24 * HOUR_MS, rows=5000, pane_ms=60_000)
    for start in range(0, 5000, 700):
        long.add(whole.take(np.arange(start, min(start + 700, 5000))))
    place = whole.ts_ms * len(long.counts) // (24 * HOUR_MS)
    wanted = rows_of(profile(whole.take(np.flatnonzero(place == span))) for span in range(len(long.counts)))
    assert np.array_equal(long.counts, wanted)


def test_a_columns_spans_have_its_bins_and_its_missing_values() -> None:
    made = profile(batch(3000))
    rows = rows_of([made])
    assert number_spans(LAYOUT, rows, 0).tolist() == [[*made.bins[:3], 3000 - made.count[0]]]
    assert category_spans(LAYOUT, rows, 0).sum() == 3000


def test_a_failed_prediction_is_no_missing_one() -> None:
    rows = rows_of([profile(batch(3000))])
    assert number_spans(LAYOUT, rows, 1)[0, -1] == 0


def test_short_spans_are_a_pane_long_and_spread_over_the_period() -> None:
    long, short = counters(LAYOUT, start_ms=0, end_ms=24 * HOUR_MS, rows=100_000, pane_ms=60_000)
    assert len(long.counts) == LONG_SPANS
    rows = batch(100_000)
    long.add(rows)
    short.add(rows)
    assert long.counts[:, :3].sum() > 85_000
    seen = short.counts.sum() / long.counts.sum()
    assert seen == pytest.approx(200 * 60_000 / (24 * HOUR_MS), rel=0.1)


@pytest.mark.parametrize(("rows", "end_ms"), [(100, 24 * HOUR_MS), (100_000, 60_000), (100_000, 0)])
def test_few_rows_or_little_time_make_no_spans(rows: int, end_ms: int) -> None:
    assert counters(LAYOUT, start_ms=0, end_ms=end_ms, rows=rows, pane_ms=10_000) == []
