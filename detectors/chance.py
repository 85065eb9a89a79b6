"""How far two binned samples of one distribution lie apart by chance alone.

Every ``null_*`` returns the distance that two samples of one distribution, ``n`` events and ``m`` events,
exceed with probability ``alpha`` at most: of one column, or of many at once, as `divergence` has their counts;
``alpha`` is one for all, or one for each. Two ways lead there.

*Chi-square*: psi, Jensen-Shannon, Hellinger, G. To first order these are Pearson's statistic in other
units. In bins of few events they have a longer tail: see `small_sample_factor`. Bins must be pooled, so
that none that holds events expects too few.

*Exact*: total variation, l-infinity, Kolmogorov-Smirnov. Given the events of both sides together, under
one distribution every split into window and reference is equally likely (a permutation test), and the
bounds hold for any such split, whatever the bins.

References
----------
Hoeffding, W. (1963), Probability Inequalities for Sums of Bounded Random Variables, JASA 58(301).
El-Yaniv, R. and Pechyony, D. (2009), Transductive Rademacher Complexity and its Applications, JAIR 35, lemma 2.
"""

import numpy as np
from scipy import special

from detectors.divergence import Counts, Pooled, Shares, expected_events, shares

#: A probability, or one for each of several columns.
Alpha = float | Shares

#: How much longer than the chi-square law the tail is, in units of one over the fewest expected events;
#: measured to a probability of 1e-5. A root makes much of an empty bin, a logarithm most: there the index
#: exceeds it up to ten times as often, but only of few bins, one of about 8 events, where it is far below 0.2.
_TAIL = 1.0
_ROOT_TAIL = 2.0
_LOG_TAIL = 6.0


def small_sample_factor(pooled: Pooled, tail: float = _TAIL) -> Shares:
    """Return ``1 + tail / e`` with e the fewest events a bin expects in the smaller sample.

    Logarithms and roots of a small count vary more than the chi-square law says, by terms in ``1 / e``
    (Williams 1976 for G). The factor covers them where e is 5 or more.

    Examples
    --------
    >>> from detectors.divergence import pool_rare
    >>> float(small_sample_factor(pool_rare(np.array([250, 250]), np.array([250, 250]))))
    1.004
    """
    holds_any = pooled.current + pooled.reference > 0
    expected = expected_events(pooled.current, pooled.reference)
    fewest = np.min(expected, axis=-1, initial=np.inf, where=holds_any)
    return np.asarray(1.0 + np.divide(tail, fewest, out=np.zeros(fewest.shape), where=fewest > 0))


def null_population_stability_index(pooled: Pooled, alpha: Alpha) -> Shares:
    """Return ``(1/n + 1/m) * chi2(bins - 1)`` (Yurdakul 2018), for few events somewhat more.

    Examples
    --------
    >>> from detectors.divergence import pool_rare
    >>> pooled = pool_rare(np.full(10, 50), np.full(10, 1000))
    >>> round(float(null_population_stability_index(pooled, 1e-6)), 3)
    0.105
    """
    return _pearson(pooled, alpha, _LOG_TAIL)


def null_jensen_shannon_distance(pooled: Pooled, alpha: Alpha) -> Shares:
    """Return ``sqrt((1/n + 1/m) * chi2(bins - 1) / (8 ln 2))``, for few events somewhat more.

    That is for logarithms to base 2; to second order the divergence is an eighth of the population
    stability index, in nats.

    Examples
    --------
    >>> from detectors.divergence import pool_rare
    >>> round(float(null_jensen_shannon_distance(pool_rare(np.full(10, 50), np.full(10, 1000)), 1e-6)), 3)
    0.132
    """
    return np.asarray(np.sqrt(np.minimum(_pearson(pooled, alpha, _TAIL) / (8 * np.log(2.0)), 1.0)))


def null_hellinger_distance(pooled: Pooled, alpha: Alpha) -> Shares:
    """Return ``sqrt((1/n + 1/m) * chi2(bins - 1) / 8)``, for few events somewhat more.

    Examples
    --------
    >>> from detectors.divergence import pool_rare
    >>> round(float(null_hellinger_distance(pool_rare(np.full(10, 50), np.full(10, 1000)), 1e-6)), 3)
    0.111
    """
    return np.asarray(np.sqrt(np.minimum(_pearson(pooled, alpha, _ROOT_TAIL) / 8, 1.0)))


def null_total_variation_distance(current: Counts, reference: Counts, alpha: Alpha) -> Shares:
    """Return the mean's bound, ``sum(sqrt(s (1 - s) u)) / 2``, plus ``sqrt(-ln(alpha) u / 2)``.

    ``s`` are the shares of both sides together, ``u = 1/n + 1/m``. Exact: each term of the first sum is a
    standard deviation under all splits, and exchanging two events moves the distance by ``u`` at most
    (McDiarmid's inequality for samples without replacement).

    Examples
    --------
    >>> round(float(null_total_variation_distance(np.full(10, 50), np.full(10, 1000), 1e-6)), 3)
    0.189
    """
    n, m = _sizes(current, reference)
    total = np.maximum(n + m, 2.0)
    s = shares(current + reference)
    mean = np.sum(np.sqrt(s * (1 - s)), axis=-1) / 2 * np.sqrt((1 / n + 1 / m) * total / (total - 1))
    return np.asarray(np.minimum(mean + _mcdiarmid(n, m, alpha), 1.0))


def null_l_infinity_distance(current: Counts, reference: Counts, alpha: Alpha) -> Shares:
    """Return the largest of the bins' own bounds, ``alpha`` shared out over bins and both directions.

    A bin's count is hypergeometric given both sides together. Its bound is the smaller of Hoeffding's
    (sharp for bins that hold half of all) and Bernstein's (sharp for small bins), both exact.

    Examples
    --------
    >>> round(float(null_l_infinity_distance(np.full(10, 50), np.full(10, 1000), 1e-6)), 3)
    0.094
    """
    n, m = _sizes(current, reference)
    few, many = np.minimum(n, m), np.maximum(n, m)
    s = shares(current + reference)
    each = alpha / (2 * np.maximum(np.count_nonzero(s, axis=-1), 1))
    rate = (-np.log(each) / few)[..., None]
    spread = rate / 3 + np.sqrt(rate * rate / 9 + 2 * rate * s * (1 - s))
    largest = (1 + few / many) * np.max(spread, axis=-1, initial=0.0, where=s > 0)
    return np.asarray(np.minimum(np.minimum(largest, _mcdiarmid(n, m, each)), 1.0))


def null_kolmogorov_smirnov_distance(n: Counts | int, m: Counts | int, alpha: Alpha) -> Shares:
    """Return ``sqrt(-ln(alpha / 2) / 2 * (n + m) / (n m))`` (Smirnov 1948), a bound for binned data too.

    Examples
    --------
    >>> round(float(null_kolmogorov_smirnov_distance(1000, 1000, 0.05)), 4)
    0.0607
    """
    return np.asarray(np.sqrt(-np.log(np.asarray(alpha) / 2) / 2 * (1 / np.asarray(n) + 1 / np.asarray(m))))


def _pearson(pooled: Pooled, alpha: Alpha, tail: float) -> Shares:
    """Return what Pearson's statistic, times ``1/n + 1/m``, exceeds with probability ``alpha``, and a longer tail."""
    n, m = _sizes(pooled.current, pooled.reference)
    quantile = special.chdtri(np.maximum(pooled.bins - 1, 1), alpha)
    return np.asarray((1 / n + 1 / m) * quantile * small_sample_factor(pooled, tail))


def _sizes(current: Counts, reference: Counts) -> tuple[Shares, Shares]:
    """Return the events of both sides, 1 at least, shape ``(...)``."""
    n, m = (np.maximum(side.sum(axis=-1), 1).astype(np.float64) for side in (current, reference))
    return n, m


def _mcdiarmid(n: Shares, m: Shares, alpha: Alpha) -> Shares:
    """Return how far a function of the split exceeds its mean with probability ``alpha`` at most.

    It may move by ``1/n + 1/m`` when two events are exchanged. The factors beside ``u`` are those of
    samples without replacement; they lie near 1.
    """
    total, larger = n + m, np.maximum(n, m)
    variance = n * m / ((total - 0.5) * (1 - 1 / (2 * larger))) * (1 / n + 1 / m) ** 2
    return np.asarray(np.sqrt(-np.log(alpha) / 2 * variance))
