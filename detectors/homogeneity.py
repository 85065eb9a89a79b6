"""Tests that two binned samples share one distribution.

Counts are two arrays of one shape ``(..., bins)``: ``current`` with ``n`` events, ``reference`` with ``m``, of one
column or of many. ``bins``, shape ``(...)``, says how many there are where some were pooled (`divergence.Pooled`).
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from detectors.chance import Alpha
from detectors.divergence import Counts, Pooled, Shares, shares

#: Where a probability leaves the range of a double.
_MOST = 300.0


@dataclass(frozen=True, slots=True)
class HomogeneityTest:
    """A chi-square test that two samples share one distribution; all of shape ``(...)``.

    ``effect`` is Cohen's w scaled by both sample sizes, ``sqrt(statistic * (1/n + 1/m))``, so that, unlike
    Cramér's V, it does not shrink when the reference is much larger than the window.
    """

    statistic: Shares
    degrees: Counts
    minus_log10_p: Shares
    effect: Shares


def chi_square_homogeneity(current: Counts, reference: Counts, bins: Counts | None = None) -> HomogeneityTest:
    """Return Pearson's test that two samples share one distribution; bins empty on both sides say nothing.

    ``minus_log10_p`` is capped at 300, where p leaves the range of a double.

    Examples
    --------
    >>> test = chi_square_homogeneity(np.array([30, 70]), np.array([50, 50]))
    >>> round(float(test.statistic), 3), int(test.degrees), round(float(test.minus_log10_p), 3)
    (8.333, 1, 2.41)
    """
    table, expected = _table(current, reference)
    terms = np.divide((table - expected) ** 2, expected, out=np.zeros(table.shape), where=expected > 0)
    return _test(current, reference, bins, terms.sum(axis=(0, -1)))


def likelihood_ratio_homogeneity(
    current: Counts, reference: Counts, bins: Counts | None = None
) -> HomogeneityTest:
    """Return the G test that two samples share one distribution; bins empty on both sides say nothing.

    ``G = 2 * sum(observed * ln(observed / expected))`` over the bins of both sides, natural logarithm,
    with ``0 ln 0 = 0``. It is ``2 (n + m)`` times the Jensen-Shannon divergence, in nats, that weighs the
    sides by their sizes.

    Examples
    --------
    >>> test = likelihood_ratio_homogeneity(np.array([30, 70]), np.array([50, 50]))
    >>> round(float(test.statistic), 3), int(test.degrees)
    (8.402, 1)
    """
    terms = special.rel_entr(*_table(current, reference))
    return _test(current, reference, bins, 2 * terms.sum(axis=(0, -1)))


def effects(spans: Counts, reference: Counts) -> Shares:
    """Return the effect of `chi_square_homogeneity` for each of some spans, shape ``(spans,)``."""
    gap = shares(spans) - shares(reference)
    together = shares(spans + reference)
    terms = np.divide(gap * gap, together, out=np.zeros(gap.shape), where=together > 0)
    return np.asarray(np.sqrt(terms.sum(axis=-1)))


def effect_by_chance(pooled: Pooled, alpha: Alpha) -> Shares:
    """Return the effect that chance alone exceeds with probability ``alpha``."""
    quantile = special.chdtri(np.maximum(pooled.bins - 1, 1), alpha)
    return np.asarray(np.sqrt(quantile * _spread(pooled.current, pooled.reference)))


def minus_log10_chi_square(statistic: Shares, degrees: Counts) -> Shares:
    """Return -log10 of the chance that a chi-square variable exceeds a statistic, at most 300."""
    p = np.maximum(special.chdtrc(degrees, statistic), 10.0**-_MOST)
    return np.asarray(np.abs(np.log10(p)))


def _table(current: Counts, reference: Counts) -> tuple[Shares, Shares]:
    """Return both sides, shape ``(2, ..., bins)``, and what they let expect were they of one distribution."""
    table = np.stack([current, reference]).astype(np.float64)
    sizes, together = table.sum(axis=-1, keepdims=True), table.sum(axis=0)
    return table, sizes * together / np.maximum(sizes.sum(axis=0), 1.0)


def _test(current: Counts, reference: Counts, bins: Counts | None, statistic: Shares) -> HomogeneityTest:
    left = np.asarray(current.shape[-1] if bins is None else bins)
    is_told = (left > 1) & (current.sum(axis=-1) > 0) & (reference.sum(axis=-1) > 0)
    degrees = np.where(is_told, left - 1, 0)
    statistic = np.where(is_told, np.maximum(statistic, 0.0), 0.0)
    minus_log10_p = np.where(is_told, minus_log10_chi_square(statistic, np.maximum(degrees, 1)), 0.0)
    effect = np.sqrt(statistic * _spread(current, reference))
    return HomogeneityTest(statistic, degrees, minus_log10_p, effect)


def _spread(current: Counts, reference: Counts) -> Shares:
    """Return ``1/n + 1/m``."""
    n, m = (np.maximum(side.sum(axis=-1), 1) for side in (current, reference))
    return np.asarray(1 / n + 1 / m)
