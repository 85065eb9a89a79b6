"""How far two binned distributions lie apart, and how far they lie apart by chance.

Counts are two arrays of one shape ``(bins,)``: ``current`` with ``n`` events, ``reference`` with ``m``.

Zero counts: measures with logarithms use `smoothed_shares`, which gives each side one extra event spread
as the two sides together are. A bin empty on both sides then adds nothing, and a rare bin that
is empty on one side adds next to nothing, where a fixed floor per bin would let a long tail of
rare categories look like drift.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Counts = NDArray[np.int64]
Shares = NDArray[np.float64]

_LOG_10 = float(np.log(10.0))


def shares(counts: Counts) -> Shares:
    """Return counts as shares of one; zeros when there are none."""
    return np.asarray(counts / max(int(counts.sum()), 1), dtype=np.float64)


def smoothed_shares(current: Counts, reference: Counts) -> tuple[Shares, Shares]:
    """Return both sides as shares of one, none zero where the other side has events.

    ``(counts + pooled) / (total + 1)`` with ``pooled`` the shares of both sides together.

    Examples
    --------
    >>> p, q = smoothed_shares(np.array([9, 0, 0]), np.array([5, 5, 0]))
    >>> p.round(3).tolist(), q.round(3).tolist()
    ([0.974, 0.026, 0.0], [0.522, 0.478, 0.0])
    """
    pooled = shares(current + reference)
    return (current + pooled) / (current.sum() + 1), (reference + pooled) / (reference.sum() + 1)


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

    Examples
    --------
    >>> round(jensen_shannon_distance(np.array([10**9, 0]), np.array([0, 10**9])), 6)
    1.0
    """
    p, q = _occupied(*smoothed_shares(current, reference))
    middle = (p + q) / 2
    divergence = (np.sum(p * np.log2(p / middle)) + np.sum(q * np.log2(q / middle))) / 2
    return float(np.sqrt(np.clip(divergence, 0.0, 1.0)))


def kolmogorov_smirnov_distance(current: Counts, reference: Counts) -> float:
    """Return the largest distance of the two cumulative distributions at the bin edges: 0 to 1."""
    gap = np.cumsum(shares(current)) - np.cumsum(shares(reference))
    return float(np.max(np.abs(gap), initial=0.0))


@dataclass(frozen=True, slots=True)
class HomogeneityTest:
    """Pearson's chi-square test that two samples share one distribution.

    ``effect`` is Cohen's w with the two samples given equal weight, so that it does not shrink when the
    reference is much larger than the window.
    """

    statistic: float
    degrees: int
    minus_log10_p: float
    effect: float


def chi_square_homogeneity(
    current: Counts, reference: Counts, least_expected: float = 5.0
) -> HomogeneityTest:
    """Test two samples, with bins that expect fewer than ``least_expected`` events pooled into one.

    ``minus_log10_p`` is capped at 300, where p leaves the range of a double.

    Examples
    --------
    >>> test = chi_square_homogeneity(np.array([30, 70]), np.array([50, 50]))
    >>> round(test.statistic, 3), test.degrees, round(test.minus_log10_p, 3)
    (8.333, 1, 2.41)
    """
    table = _pool_rare(np.stack([current, reference]).astype(np.float64), least_expected)
    totals, degrees = table.sum(axis=1), table.shape[1] - 1
    if degrees < 1 or totals.min() == 0:
        return HomogeneityTest(0.0, 0, 0.0, 0.0)
    expected = np.outer(totals, table.sum(axis=0)) / totals.sum()
    statistic = float(np.sum((table - expected) ** 2 / expected))
    p = float(special.chdtrc(degrees, statistic))
    minus_log10_p = 300.0 if p < 1e-300 else max(-float(np.log(p)) / _LOG_10, 0.0)
    effect = float(np.sqrt(statistic * (1 / totals[0] + 1 / totals[1])))
    return HomogeneityTest(statistic, degrees, minus_log10_p, effect)


def null_population_stability_index(current: Counts, reference: Counts, alpha: float) -> float:
    """Return the index that chance alone exceeds with probability ``alpha``.

    For two samples of one distribution it is, to first order, Pearson's statistic over the samples:
    ``(1/n + 1/m) * chi2(bins - 1)``, over the bins that hold events (Yurdakul 2018, section 3).
    """
    n, m = int(current.sum()), int(reference.sum())
    degrees = max(int(np.count_nonzero(current + reference)) - 1, 1)
    return (1 / n + 1 / m) * float(special.chdtri(degrees, alpha))


def null_jensen_shannon_distance(current: Counts, reference: Counts, alpha: float) -> float:
    """Return the distance that chance alone exceeds with probability ``alpha``.

    To second order the divergence is an eighth of the population stability index, in nats.
    """
    nats = null_population_stability_index(current, reference, alpha) / 8
    return float(np.sqrt(min(nats / np.log(2.0), 1.0)))


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


def _pool_rare(table: Shares, least_expected: float) -> Shares:
    """Return the table with the columns that expect too few events in a row summed into one."""
    columns = table.sum(axis=0)
    expected = columns * table.sum(axis=1).min() / max(table.sum(), 1.0)
    rare = expected < least_expected
    pooled = table[:, rare].sum(axis=1, keepdims=True)
    kept = table[:, ~rare]
    return np.hstack([kept, pooled]) if pooled.sum() > 0 else kept
