"""The Wasserstein distance: its unit, when it fires, and what chance explains; against raw values: test_raw_data."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from detector_windows import binned, make, number, window
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance as scipys

from detectors.cumulative import Cumulative, cumulative_of, null_wasserstein_distance, wasserstein_distance
from detectors.window import Column

Sampler = Callable[[np.random.Generator, int], NDArray[np.float64]]

SHAPES: dict[str, Sampler] = {
    "normal": lambda rng, size: rng.normal(0, 1, size),
    "lognormal": lambda rng, size: rng.lognormal(0, 1.5, size),
    "heavy tail": lambda rng, size: rng.standard_t(1.5, size),
    "mostly zero": lambda rng, size: rng.gamma(2, 5, size) * (rng.random(size) < 0.05),
    "two values": lambda rng, size: rng.choice([0.0, 1.0], size),
    "constant": lambda rng, size: np.full(size, 3.0),
}


@pytest.mark.parametrize("shift", [-2.0, -0.5, 0.5, 2.0])
def test_a_shift_of_all_values_counts_in_standard_deviations_of_the_reference(shift: float) -> None:
    values = np.random.default_rng(0).normal(100, 8, 4000)
    usual, now = (window(number(values + by, edges=np.arange(84.0, 117.0, 4))) for by in (0.0, 8 * shift))
    verdict = make("wasserstein").observe(now, usual)
    assert verdict.score == pytest.approx(abs(shift), abs=0.01)
    assert verdict.status == "firing"
    assert f"mean 99.9 → {99.88 + 8 * shift:.3g}" in verdict.evidence.sentence
    assert "Wasserstein distance" in verdict.evidence.sentence


def test_twice_the_spread_around_the_same_mean_fires() -> None:
    rng = np.random.default_rng(1)
    now, usual = rng.normal(0, 2, 6000), rng.normal(0, 1, 6000)
    verdict = make("wasserstein").observe(window(number(now)), window(number(usual)))
    assert verdict.score == pytest.approx(float(scipys(now, usual)) / usual.std(), abs=0.02)
    assert verdict.status == "firing"


def test_a_small_shift_stays_ok_however_many_events_prove_it() -> None:
    rng = np.random.default_rng(2)
    now, usual = (window(number(rng.normal(by, 1, 100_000))) for by in (0.1, 0.0))
    verdict = make("wasserstein").observe(now, usual)
    assert verdict.score == pytest.approx(0.1, abs=0.02)
    assert verdict.threshold == 0.25
    assert verdict.status == "ok"


def test_a_reference_that_never_varied_is_measured_by_both_sides_together() -> None:
    usual = window(number(np.full(2000, 5.0)))
    assert make("wasserstein").observe(window(number(np.full(2000, 7.0))), usual).score == pytest.approx(2.0)
    assert make("wasserstein").observe(window(number(np.full(2000, 5.0))), usual).score == 0.0


@pytest.mark.parametrize("values", [[1e308, -1e308] * 500, [5e-324, 0.0] * 500, [0.0] * 999 + [1e300]])
def test_extreme_numbers_give_a_finite_score(values: list[float]) -> None:
    usual = number(np.random.default_rng(3).normal(size=1000))
    sides = usual, replace(number(np.clip(values, -1e140, 1e140)), minimum=min(values), maximum=max(values))
    for now, then in (sides, sides[::-1]):
        verdict = make("wasserstein").observe(window(now), window(then))
        assert np.isfinite([verdict.score, verdict.threshold, verdict.evidence.details["error"]]).all()


@pytest.mark.parametrize("lacking", [binned([500, 500]), Column("x", "number", count=900, variance=1.0)])
def test_without_moments_sketch_or_bins_it_is_insufficient(lacking: Column) -> None:
    verdict = make("wasserstein").observe(window(lacking), window(lacking))
    assert verdict.status == "insufficient"


def test_lines_that_cross_have_the_area_of_both_triangles() -> None:
    level = np.array([0.0, 1.0])
    found = wasserstein_distance(
        Cumulative(np.array([-2.0, 2.0]), level), Cumulative(np.array([-1.0, 1.0]), level), 0.0
    )
    assert found.value == pytest.approx(0.5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("n", "m"), [(500, 500), (500, 5000), (4000, 1500)])
def test_chance_exceeds_the_bound_no_more_often_than_alpha(n: int, m: int, shape: str) -> None:
    rng = np.random.default_rng([n, m, len(shape)])
    alpha, trials = 0.05, 200
    exceeded = 0
    for _ in range(trials):
        now, usual = (SHAPES[shape](rng, size) for size in (n, m))
        limit = bound(number(now), number(usual), alpha)
        exceeded += float(scipys(now, usual)) > limit
    assert exceeded <= alpha * trials + 4 * (alpha * trials) ** 0.5


def test_the_bound_leaves_room_for_an_alert() -> None:
    rng = np.random.default_rng(5)
    now, usual = number(rng.normal(0, 1, 5000)), number(rng.normal(0, 1, 50_000))
    assert bound(now, usual, 1e-6) < 0.15


def bound(now: Column, usual: Column, alpha: float) -> float:
    return null_wasserstein_distance(now, usual, cumulative_of(now), cumulative_of(usual), alpha)
