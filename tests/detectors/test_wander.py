"""How far a reference's column wanders: nothing by sampling alone, and all directions with the one that swings."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter
from shift_panes import shares

from detectors.tilt import directions_of
from detectors.wander import wander

ROWS, SPANS = 3000, 400


def swings(seed: int, deviation: float = 0.1, memory: float = 0.8) -> NDArray[np.float64]:
    """Return the slowly swinging mean of each of some spans."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, deviation * np.sqrt(1 - memory**2), SPANS)
    return np.asarray(lfilter([1.0], [1.0, -memory], noise))


def drawn(means: NDArray[np.float64], seed: int, rows: int = ROWS) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    return np.array([rng.multinomial(rows, shares(mean)) for mean in means])


def furthest(spans: NDArray[np.int64], *, is_number: bool) -> NDArray[np.float64]:
    return wander(directions_of(spans.sum(axis=0), is_number=is_number), (spans,))


@pytest.mark.parametrize("is_number", [True, False])
@pytest.mark.parametrize("rows", [12, 100, 3000])
def test_sampling_alone_is_no_wandering(rows: int, is_number: bool) -> None:
    wandering = [
        furthest(drawn(np.zeros(SPANS), seed, rows), is_number=is_number).any() for seed in range(30)
    ]
    assert sum(wandering) <= 1


@pytest.mark.parametrize("is_number", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_swing_takes_every_direction_with_it(seed: int, is_number: bool) -> None:
    spans = drawn(swings(seed), seed + 100)
    directions = directions_of(spans.sum(axis=0), is_number=is_number)
    usual = wander(directions, (spans,))
    largest = float(np.abs(swings(seed)).max())
    for mean in np.linspace(-largest, largest, 9):
        reached = directions.project(shares(mean)[None])[0]
        # What is left is sampling: the reference as a whole has errors of its own.
        assert (reached <= usual[0] + 0.03).all()
        assert (-reached <= usual[1] + 0.03).all()


def test_a_swing_too_small_for_the_spread_to_show_it_widens_what_is_usual_of_it() -> None:
    spans = drawn(swings(5), 6, rows=1000)
    usual = furthest(spans, is_number=True)
    location, scale = usual[:, 0].min(), usual[0, 1]
    assert scale > 0.9 * location**2 / np.sqrt(2)


def test_a_single_span_that_is_off_is_no_swing() -> None:
    spans = drawn(np.zeros(SPANS), 7)
    spans[10] = np.random.default_rng(8).multinomial(ROWS, shares(0.1))
    assert furthest(spans, is_number=True).max() < 0.05


@pytest.mark.parametrize("spans", [1, 2, 3, 4, 7, 8, 9])
def test_the_first_few_spans_are_enough_to_go_on(spans: int) -> None:
    directions = directions_of(drawn(np.zeros(1), 9).sum(axis=0), is_number=True)
    assert np.isfinite(wander(directions, (drawn(swings(9)[:spans], 9),))).all()
