"""A window that is moved on has what all its panes have together, to the bit."""

import numpy as np
import pytest

from streams.batch import Batch, hash_ids
from streams.layout import CategoryColumn, Layout, NumberColumn
from streams.profile import Profile, merged
from streams.sliding import Sliding

LAYOUT = Layout(
    "churn",
    (NumberColumn("age", "feature", edges=(30.0, 50.0)), NumberColumn("latency_ms", "latency")),
    (CategoryColumn("plan", "feature", ("free", "pro")),),
)


def _pane(rng: np.random.Generator, rows: int) -> Profile:
    profile = Profile(LAYOUT)
    numbers = rng.normal(40.0, 10.0, (rows, 2))
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    profile.fold(
        Batch(
            offsets=np.arange(rows),
            ts_ms=np.zeros(rows, np.int64),
            record_ms=np.zeros(rows, np.int64),
            id_hashes=hash_ids([str(one) for one in rng.integers(0, 10_000, rows)]),
            errors=np.zeros(rows, np.bool_),
            numbers=numbers,
            texts=[rng.choice(["free", "pro", "team"], rows).tolist()],
            versions=["1"] * rows,
            segments=[],
        )
    )
    return profile


@pytest.mark.parametrize("widths", [[5] * 20, [1, 2, 5, 5, 2, 9, 1, 1, 12, 3], [12, 12, 1, 12]])
def test_whatever_comes_and_goes_it_is_as_if_all_were_added_up_anew(widths: list[int]) -> None:
    rng = np.random.default_rng(3)
    panes = [_pane(rng, int(rows)) for rows in rng.integers(0, 200, 12 + len(widths))]
    sliding = Sliding()
    for step, width in enumerate(widths):
        held = panes[max(12 + step - width, 0) : 12 + step]
        found, wanted = sliding.merged(held), merged(LAYOUT, held)
        for name in ("sketch_keys", "sketch_counts", "bins", "count", "mean", "squares", "registers"):
            assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
        assert (found.sketch_counts > 0).all()
        assert found.column_sketches()[0][1].sum() == found.count[0]


def test_a_window_of_other_panes_altogether_begins_anew() -> None:
    rng = np.random.default_rng(4)
    sliding, panes = Sliding(), [_pane(rng, 50) for _ in range(4)]
    sliding.merged(panes)
    other = [_pane(rng, 20), _pane(rng, 30)]
    assert np.array_equal(sliding.merged(other).sketch_counts, merged(LAYOUT, other).sketch_counts)
