"""Tests that two binned samples share one distribution.

Counts are two arrays of one shape ``(bins,)``: ``current`` with ``n`` events, ``reference`` with ``m``.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from detectors.divergence import Counts, Shares, shares


@dataclass(frozen=True, slots=True)
class HomogeneityTest:
    """A chi-square test that two samples share one distribution.

    ``effect`` is Cohen's w scaled by both sample sizes, ``sqrt(statistic * (1/n + 1/m))``, so that, unlike
    Cramér's V, it does not shrink when the reference is much larger than the window.
    """

    statistic: float
    degrees: int
    minus_log10_p: float
    effect: float


def chi_square_homogeneity(current: Counts, reference: Counts) -> HomogeneityTest:
    """Return Pearson's test that two samples share one distribution; no bin may be empty on both sides.

    ``minus_log10_p`` is capped at 300, where p leaves the range of a double.

    Examples
    --------
    >>> test = chi_square_homogeneity(np.array([30, 70]), np.array([50, 50]))
    >>> round(test.statistic, 3), test.degrees, round(test.minus_log10_p, 3)
    (8.333, 1, 2.41)
    """
    table, expected = _table(current, reference)
    return _test(current, reference, float(np.sum((table - expected) ** 2 / expected)))


def likelihood_ratio_homogeneity(current: Counts, reference: Counts) -> HomogeneityTest:
    """Return the G test that two samples share one distribution; no bin may be empty on both sides.

    ``G = 2 * sum(observed * ln(observed / expected))`` over the bins of both sides, natural logarithm,
    with ``0 ln 0 = 0``. It is ``2 (n + m)`` times the Jensen-Shannon divergence, in nats, that weighs the
    sides by their sizes.

    Examples
    --------
    >>> test = likelihood_ratio_homogeneity(np.array([30, 70]), np.array([50, 50]))
    >>> round(test.statistic, 3), test.degrees
    (8.402, 1)
    """
    return _test(current, reference, 2 * float(np.sum(special.rel_entr(*_table(current, reference)))))


def effects(spans: Counts, reference: Counts) -> Shares:
    """Return the effect of `chi_square_homogeneity` for each of some spans, shape ``(spans,)``."""
    gap = shares(spans) - shares(reference)
    together = shares(spans + reference)
    terms = np.divide(gap * gap, together, out=np.zeros(gap.shape), where=together > 0)
    return np.asarray(np.sqrt(terms.sum(axis=-1)))


def effect_by_chance(current: Counts, reference: Counts, alpha: float) -> float:
    """Return the effect that chance alone exceeds with probability ``alpha``."""
    spread = 1 / max(int(current.sum()), 1) + 1 / max(int(reference.sum()), 1)
    return math.sqrt(float(special.chdtri(max(current.size - 1, 1), alpha)) * spread)


def _table(current: Counts, reference: Counts) -> tuple[Shares, Shares]:
    """Return both sides as rows, and what they let expect were they of one distribution."""
    table = np.stack([current, reference]).astype(np.float64)
    sizes = table.sum(axis=1)
    return table, np.outer(sizes, table.sum(axis=0)) / max(float(sizes.sum()), 1.0)


def _test(current: Counts, reference: Counts, statistic: float) -> HomogeneityTest:
    n, m, degrees = int(current.sum()), int(reference.sum()), current.size - 1
    if degrees < 1 or min(n, m) == 0:
        return HomogeneityTest(0.0, 0, 0.0, 0.0)
    statistic = max(statistic, 0.0)
    minus_log10_p = minus_log10_chi_square(statistic, degrees)
    return HomogeneityTest(statistic, degrees, minus_log10_p, math.sqrt(statistic * (1 / n + 1 / m)))


def minus_log10_chi_square(statistic: float, degrees: int) -> float:
    """Return -log10 of the chance that a chi-square variable exceeds a statistic, at most 300."""
    p = float(special.chdtrc(degrees, statistic))
    return 300.0 if p < 1e-300 else max(-math.log10(p), 0.0)
