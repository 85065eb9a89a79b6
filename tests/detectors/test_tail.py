"""Levels beyond those seen: seldom passed, and not far beyond what bounds them."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import norm

from detectors.tail import return_level

#: Memory of a swing over three hours, from one span of two weeks' 400 to the next.
MEMORY = float(np.exp(-0.84 / 3))


def swinging(runs: int, spans: int = 400, seed: int = 1) -> NDArray[np.float64]:
    """Return levels of standard deviation 1 with a memory of some spans, shape ``(runs, spans)``."""
    noise = np.random.default_rng(seed).normal(0.0, np.sqrt(1 - MEMORY**2), (runs, spans + 50))
    return np.asarray(lfilter([1.0], [1.0, -MEMORY], noise, axis=1)[:, 50:])


def test_slow_swings_pass_it_as_seldom_as_wanted_in_the_mean_over_references() -> None:
    levels = np.array([return_level(one) for one in swinging(400)])
    assert norm.sf(levels).mean() * 400 * 100 < 4
    assert np.median(levels) == pytest.approx(norm.isf(1 / 400 / 100), abs=1)


@pytest.mark.parametrize("cycles", [2, 14])
def test_a_plain_rhythm_is_not_taken_to_go_much_further_than_it_does(cycles: int) -> None:
    rhythm = np.sin(np.linspace(0, 2 * np.pi * cycles, 400))
    assert 1.0 <= return_level(rhythm) < 1.3


def test_a_longer_time_is_given_a_higher_level() -> None:
    levels = swinging(1)[0]
    found = [return_level(levels, periods) for periods in (1, 10, 100, 1000)]
    assert found == sorted(found)
    assert found[0] >= levels.max()


def test_no_levels_above_nil_are_no_level() -> None:
    assert return_level(np.zeros(50)) == 0
    assert return_level(-np.ones(50)) == 0
