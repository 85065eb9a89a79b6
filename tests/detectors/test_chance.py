"""What chance explains: two samples of one distribution exceed it with probability alpha at most."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from detector_windows import binned
from numpy.typing import NDArray

from detectors.columns import Comparisons
from detectors.comparison import Comparison
from detectors.distribution import DistributionDetector
from detectors.registry import DETECTORS, build
from detectors.swing import Swing

ALPHA = 0.01
TRIALS = 1500

#: Of binned counts; every one without a smallest distance that counts, so that chance alone decides.
MEASURES: Mapping[str, dict[str, float]] = {
    "psi": {},
    "jensen_shannon": {},
    "kolmogorov_smirnov": {},
    "chi_square": {"min_effect": 0.0},
    "hellinger": {},
    "g_test": {"min_effect": 0.0},
    "total_variation": {},
    "l_infinity": {},
    "confidence_drift": {},
}
TAIL = 1 / np.arange(1, 31) ** 1.2
SHAPES: Mapping[str, NDArray[np.float64]] = {
    "3 equal bins": np.full(3, 1 / 3),
    "10 equal bins": np.full(10, 0.1),
    "30 equal bins": np.full(30, 1 / 30),
    "2 large and 28 small bins": np.array([0.4, 0.3, *[0.3 / 28] * 28]),
    "a long tail": TAIL / TAIL.sum(),
    "3 bins and a rare one": np.array([0.5, 0.3, 0.198, 0.002]),
    "3 bins and a very rare one": np.array([0.5, 0.3, 0.1999, 0.0001]),
    "1 large and 20 rare bins": np.array([0.9, *[0.005] * 20]),
}
SIZES = [(500, 500), (500, 10_000), (5000, 5000), (100_000, 2000), (100_000, 100_000)]


def test_every_measure_of_bins_is_here() -> None:
    on_bins = {name for name, cls in DETECTORS.items() if issubclass(cls, DistributionDetector)}
    assert set(MEASURES) == on_bins - {"prediction_drift", "wasserstein"}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_chance_exceeds_the_threshold_in_force_no_more_often_than_alpha(n: int, m: int, shape: str) -> None:
    rng = np.random.default_rng([n, m, len(shape)])
    current, reference = (rng.multinomial(size, SHAPES[shape], TRIALS).tolist() for size in (n, m))
    pairs = [Comparison(binned(p), binned(q)) for p, q in zip(current, reference, strict=True)]
    # Four standard deviations of a count of trials.
    most = ALPHA * TRIALS + 4 * (ALPHA * TRIALS) ** 0.5
    exceeded = {name: _exceeded(name, pairs) for name in MEASURES}
    assert {name: times for name, times in exceeded.items() if times > most} == {}


@pytest.mark.parametrize("name", MEASURES)
def test_the_bound_is_not_so_wide_that_nothing_would_be_found(name: str) -> None:
    rng = np.random.default_rng(1)
    usual = binned(rng.multinomial(50_000, np.full(10, 0.1)).tolist())
    moved = binned(rng.multinomial(5000, np.linspace(0.05, 0.15, 10)).tolist())
    assert _exceeded(name, [Comparison(moved, usual)], alpha=1e-6) == 1


def _exceeded(name: str, pairs: Sequence[Comparison], alpha: float = ALPHA) -> int:
    """Return how many of some pairs exceed the threshold in force; their references stand still."""
    params: dict[str, Any] = {"threshold": 0.0, "alpha": alpha, **MEASURES[name]}
    detector = build(name, params, "x")
    assert isinstance(detector, DistributionDetector)
    scores, limits = detector.measure(Comparisons(pairs), [Swing(alpha, ())] * len(pairs))
    return int((scores > limits).sum())
