"""How far two binned samples of one distribution lie apart by chance alone.

Every ``null_*`` returns the distance that two samples of one distribution, ``n`` events and ``m`` events,
exceed with probability ``alpha`` at most. Two ways lead there.

*Chi-square*: psi, Jensen-Shannon, Hellinger, G. To first order these are Pearson's statistic in other
units. In bins of few events they have a longer tail: see `small_sample_factor`. Bins must be pooled, so
that none is empty on both sides.

*Exact*: total variation, l-infinity, Kolmogorov-Smirnov. Given the events of both sides together, under
one distribution every split into window and reference is equally likely (a permutation test), and the
bounds hold for any such split, whatever the bins.

References
----------
Hoeffding, W. (1963), Probability Inequalities for Sums of Bounded Random Variables, JASA 58(301).
El-Yaniv, R. and Pechyony, D. (2009), Transductive Rademacher Complexity and its Applications, JAIR 35, lemma 2.
"""

import math

import numpy as np
from scipy import special

from detectors.divergence import Counts, expected_events, shares

#: How much longer than the chi-square law the tail is, in units of one over the fewest expected events;
#: measured to a probability of 1e-5. A root makes much of an empty bin, a logarithm most: there the index
#: exceeds it up to ten times as often, but only of few bins, one of about 8 events, where it is far below 0.2.
_TAIL = 1.0
_ROOT_TAIL = 2.0
_LOG_TAIL = 6.0


def small_sample_factor(current: Counts, reference: Counts, tail: float = _TAIL) -> float:
    """Return ``1 + tail / e`` with e the fewest events a bin expects in the smaller sample.

    Logarithms and roots of a small count vary more than the chi-square law says, by terms in ``1 / e``
    (Williams 1976 for G). The factor covers them where e is 5 or more.

    Examples
    --------
    >>> small_sample_factor(np.array([250, 250]), np.array([250, 250]))
    1.004
    """
    fewest = float(np.min(expected_events(current, reference), initial=np.inf))
    return 1.0 + tail / fewest if fewest > 0 else 1.0


def null_population_stability_index(current: Counts, reference: Counts, alpha: float) -> float:
    """Return ``(1/n + 1/m) * chi2(bins - 1)`` (Yurdakul 2018), for few events somewhat more.

    Examples
    --------
    >>> current, reference = np.full(10, 50), np.full(10, 1000)
    >>> round(null_population_stability_index(current, reference, 1e-6), 3)
    0.105
    """
    return _pearson(current, reference, alpha, _LOG_TAIL)


def null_jensen_shannon_distance(current: Counts, reference: Counts, alpha: float) -> float:
    """Return ``sqrt((1/n + 1/m) * chi2(bins - 1) / (8 ln 2))``, for few events somewhat more.

    That is for logarithms to base 2; to second order the divergence is an eighth of the population
    stability index, in nats.

    Examples
    --------
    >>> round(null_jensen_shannon_distance(np.full(10, 50), np.full(10, 1000), 1e-6), 3)
    0.132
    """
    return math.sqrt(min(_pearson(current, reference, alpha, _TAIL) / (8 * math.log(2.0)), 1.0))


def null_hellinger_distance(current: Counts, reference: Counts, alpha: float) -> float:
    """Return ``sqrt((1/n + 1/m) * chi2(bins - 1) / 8)``, for few events somewhat more.

    Examples
    --------
    >>> round(null_hellinger_distance(np.full(10, 50), np.full(10, 1000), 1e-6), 3)
    0.111
    """
    return math.sqrt(min(_pearson(current, reference, alpha, _ROOT_TAIL) / 8, 1.0))


def null_total_variation_distance(current: Counts, reference: Counts, alpha: float) -> float:
    """Return the mean's bound, ``sum(sqrt(s (1 - s) u)) / 2``, plus ``sqrt(-ln(alpha) u / 2)``.

    ``s`` are the shares of both sides together, ``u = 1/n + 1/m``. Exact: each term of the first sum is a
    standard deviation under all splits, and exchanging two events moves the distance by ``u`` at most
    (McDiarmid's inequality for samples without replacement).

    Examples
    --------
    >>> round(null_total_variation_distance(np.full(10, 50), np.full(10, 1000), 1e-6), 3)
    0.189
    """
    spread = _inverse_sizes(current, reference)
    total = max(int(current.sum() + reference.sum()), 2)
    s = shares(current + reference)
    mean = float(np.sum(np.sqrt(s * (1 - s)))) / 2 * math.sqrt(spread * total / (total - 1))
    return min(mean + _mcdiarmid(current, reference, alpha), 1.0)


def null_l_infinity_distance(current: Counts, reference: Counts, alpha: float) -> float:
    """Return the largest of the bins' own bounds, ``alpha`` shared out over bins and both directions.

    A bin's count is hypergeometric given both sides together. Its bound is the smaller of Hoeffding's
    (sharp for bins that hold half of all) and Bernstein's (sharp for small bins), both exact.

    Examples
    --------
    >>> round(null_l_infinity_distance(np.full(10, 50), np.full(10, 1000), 1e-6), 3)
    0.094
    """
    n, m = int(current.sum()), int(reference.sum())
    few, many = max(min(n, m), 1), max(n, m, 1)
    s = shares(current + reference)
    each = alpha / (2 * max(int(np.count_nonzero(s)), 1))
    rate = -math.log(each) / few
    bernstein = (1 + few / many) * (rate / 3 + np.sqrt(rate * rate / 9 + 2 * rate * s * (1 - s)))
    largest = float(np.max(bernstein[s > 0], initial=0.0))
    return min(largest, _mcdiarmid(current, reference, each), 1.0)


def null_kolmogorov_smirnov_distance(n: int, m: int, alpha: float) -> float:
    """Return ``sqrt(-ln(alpha / 2) / 2 * (n + m) / (n m))`` (Smirnov 1948), a bound for binned data too.

    Examples
    --------
    >>> round(null_kolmogorov_smirnov_distance(1000, 1000, 0.05), 4)
    0.0607
    """
    return float(np.sqrt(-np.log(alpha / 2) / 2 * (n + m) / (n * m)))


def _pearson(current: Counts, reference: Counts, alpha: float, tail: float) -> float:
    """Return what Pearson's statistic, times ``1/n + 1/m``, exceeds with probability ``alpha``, and a longer tail."""
    quantile = float(special.chdtri(max(current.size - 1, 1), alpha))
    return _inverse_sizes(current, reference) * quantile * small_sample_factor(current, reference, tail)


def _inverse_sizes(current: Counts, reference: Counts) -> float:
    return 1 / max(int(current.sum()), 1) + 1 / max(int(reference.sum()), 1)


def _mcdiarmid(current: Counts, reference: Counts, alpha: float) -> float:
    """Return how far a function of the split exceeds its mean with probability ``alpha`` at most.

    It may move by ``1/n + 1/m`` when two events are exchanged. The factors beside ``u`` are those of
    samples without replacement; they lie near 1.
    """
    n, m = max(int(current.sum()), 1), max(int(reference.sum()), 1)
    total, larger = n + m, max(n, m)
    variance = n * m / ((total - 0.5) * (1 - 1 / (2 * larger))) * (1 / n + 1 / m) ** 2
    return math.sqrt(-math.log(alpha) / 2 * variance)
