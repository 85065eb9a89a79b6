"""How far two binned distributions lie apart, and how far they lie apart by chance.

Counts are two arrays of one shape ``(bins,)``: ``current`` with ``n`` events, ``reference`` with ``m``.

Rare bins: `pool_rare` sums those that expect fewer than 5 events in the smaller sample into one, as is
usual for the chi-square test (Cochran 1954). So a long tail of rare categories does not add up to drift,
and what chance explains is known. Zero counts: see `smoothed_shares`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Counts = NDArray[np.int64]
Shares = NDArray[np.float64]


def shares(counts: Counts) -> Shares:
    """Return counts as shares of one; zeros when there are none."""
    return np.asarray(counts / max(int(counts.sum()), 1), dtype=np.float64)


def pool_rare(current: Counts, reference: Counts, least_expected: float = 5.0) -> tuple[Counts, Counts]:
    """Return both sides with the rare bins summed into one last bin, and empty bins left out.

    Expected is the mean of the two sides' shares, times the events of the smaller sample: under equal
    distributions the usual expectation, and a bin that only the smaller sample fills is not rare.

    Examples
    --------
    >>> pool_rare(np.array([90, 9, 0, 1, 0]), np.array([800, 180, 19, 1, 0]))
    (array([90,  9,  1]), array([800, 180,  20]))
    """
    expected = (shares(current) + shares(reference)) / 2 * min(int(current.sum()), int(reference.sum()))
    rare = expected < least_expected
    if not (current[rare].sum() or reference[rare].sum()):
        return current[~rare], reference[~rare]
    return np.append(current[~rare], current[rare].sum()), np.append(reference[~rare], reference[rare].sum())


def smoothed_shares(current: Counts, reference: Counts) -> tuple[Shares, Shares]:
    """Return both sides as shares of one, none zero where the other side has events.

    One event per bin is added to each side, spread as the two sides together are: ``(counts + bins * a) /
    (total + bins)`` with ``a`` the mean of both sides' shares. It moves both towards their common mean.

    Examples
    --------
    >>> p, q = smoothed_shares(np.array([98, 0]), np.array([49, 49]))
    >>> p.round(3).tolist(), q.round(3).tolist()
    ([0.995, 0.005], [0.505, 0.495])
    """
    p, q = shares(current), shares(reference)
    spread = (p + q) / 2 * p.size
    return (current + spread) / (current.sum() + p.size), (reference + spread) / (reference.sum() + p.size)


def population_stability_index(current: Counts, reference: Counts) -> float:
    """Return the sum of ``(p - q) ln(p / q)`` over the bins, in nats; symmetric, 0 when equal.

    Examples
    --------
    >>> population_stability_index(np.array([500, 500]), np.array([500, 500]))
    0.0
    """
    p, q = _occupied(*smoothed_shares(current, reference))
    return float(np.sum((p - q) * np.log(p / q)))


def jensen_shannon_distance(current: Counts, reference: Counts) -> float:
    """Return the square root of the Jensen-Shannon divergence, logarithms to base 2: 0 to 1.

    Zero counts need no smoothing here: ``0 log 0 = 0``, and the mean of the two sides is zero on neither.

    Examples
    --------
    >>> jensen_shannon_distance(np.array([10, 0]), np.array([0, 10]))
    1.0
    """
    p, q = shares(current), shares(reference)
    middle = (p + q) / 2
    nats = float(np.sum(special.rel_entr(p, middle)) + np.sum(special.rel_entr(q, middle))) / 2
    return float(np.sqrt(np.clip(nats / np.log(2.0), 0.0, 1.0)))


def kolmogorov_smirnov_distance(current: Counts, reference: Counts) -> float:
    """Return the largest distance of the two cumulative distributions at the bin edges: 0 to 1."""
    gap = np.cumsum(shares(current)) - np.cumsum(shares(reference))
    return float(np.max(np.abs(gap), initial=0.0))


@dataclass(frozen=True, slots=True)
class HomogeneityTest:
    """Pearson's chi-square test that two samples share one distribution.

    ``effect`` is Cohen's w scaled by both sample sizes, ``sqrt(X2 * (1/n + 1/m))``, so that, unlike
    Cramér's V, it does not shrink when the reference is much larger than the window.
    """

    statistic: float
    degrees: int
    minus_log10_p: float
    effect: float


def chi_square_homogeneity(current: Counts, reference: Counts) -> HomogeneityTest:
    """Test that two samples share one distribution; no bin may be empty on both sides.

    ``minus_log10_p`` is capped at 300, where p leaves the range of a double.

    Examples
    --------
    >>> test = chi_square_homogeneity(np.array([30, 70]), np.array([50, 50]))
    >>> round(test.statistic, 3), test.degrees, round(test.minus_log10_p, 3)
    (8.333, 1, 2.41)
    """
    n, m, degrees = int(current.sum()), int(reference.sum()), current.size - 1
    if degrees < 1 or min(n, m) == 0:
        return HomogeneityTest(0.0, 0, 0.0, 0.0)
    table = np.stack([current, reference]).astype(np.float64)
    expected = np.outer([n, m], table.sum(axis=0)) / (n + m)
    statistic = float(np.sum((table - expected) ** 2 / expected))
    p = float(special.chdtrc(degrees, statistic))
    minus_log10_p = 300.0 if p < 1e-300 else max(-math.log10(p), 0.0)
    return HomogeneityTest(statistic, degrees, minus_log10_p, math.sqrt(statistic * (1 / n + 1 / m)))


def null_population_stability_index(bins: int, n: int, m: int, alpha: float) -> float:
    """Return the index that chance alone exceeds with probability ``alpha``.

    For two samples of one distribution it is, to first order, Pearson's statistic over the samples:
    ``(1/n + 1/m) * chi2(bins - 1)`` (Yurdakul 2018).

    Examples
    --------
    >>> round(null_population_stability_index(10, 500, 10_000, 1e-6), 3)
    0.094
    """
    return (1 / n + 1 / m) * float(special.chdtri(max(bins - 1, 1), alpha))


def null_jensen_shannon_distance(bins: int, n: int, m: int, alpha: float) -> float:
    """Return the distance that chance alone exceeds with probability ``alpha``.

    To second order the divergence is an eighth of the population stability index, in nats.

    Examples
    --------
    >>> round(null_jensen_shannon_distance(10, 500, 10_000, 1e-6), 3)
    0.13
    """
    nats = null_population_stability_index(bins, n, m, alpha) / 8
    return math.sqrt(min(nats / math.log(2.0), 1.0))


def null_kolmogorov_smirnov_distance(n: int, m: int, alpha: float) -> float:
    """Return the distance that chance alone exceeds with probability ``alpha``.

    ``sqrt(-ln(alpha / 2) / 2 * (n + m) / (n m))`` (Smirnov 1948), an upper bound for binned data.

    Examples
    --------
    >>> round(null_kolmogorov_smirnov_distance(1000, 1000, 0.05), 4)
    0.0607
    """
    return float(np.sqrt(-np.log(alpha / 2) / 2 * (n + m) / (n * m)))


def _occupied(p: Shares, q: Shares) -> tuple[Shares, Shares]:
    both = (p > 0) & (q > 0)
    return p[both], q[both]
