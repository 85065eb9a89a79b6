"""How many events chance alone explains, for detectors of rates and counts."""

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from pydantic import Field
from scipy import special

from detectors.base import Params


class SignificanceParams(Params):
    """Parameters of detectors whose threshold rises where samples are few."""

    alpha: float = Field(
        default=1e-6,
        gt=0.0,
        lt=0.5,
        description="probability (0 to 0.5) that chance alone fires in one window; "
        "the threshold in force is raised until it holds at the samples at hand",
    )


class Rate(msgspec.Struct, frozen=True):
    """``hits`` of ``total`` events."""

    hits: int
    total: int

    @property
    def share(self) -> float:
        """Hits as a share of one; 0 without events."""
        return self.hits / self.total if self.total else 0.0


def critical_count(total: int, reference: Rate, alpha: float, at_least: int = 0) -> int:
    """Return the hits among ``total`` events that chance exceeds with probability ``alpha`` at most.

    Given the hits of both samples together, those of the window are binomial (the conditional test), so
    that before the window is seen they follow a negative binomial distribution. The same is done for the
    events that are no hits, and the smaller bound taken: the first is sharp for rare hits, the second for
    frequent ones. Exact for Poisson counts, and cautious for shares in between.

    Parameters
    ----------
    total
        Events of the window, 1 upwards.
    reference
        Hits and events of the reference, 1 event upwards.
    alpha
        Probability, 0 to 1.
    at_least
        The result where the bound is below it: spares the search for a bound nobody needs.

    References
    ----------
    Przyborowski, J. and Wilenski, H. (1940), Homogeneity of results in testing samples from Poisson
    series, Biometrika 31.

    Examples
    --------
    >>> critical_count(1000, Rate(0, 1000), 1e-6), critical_count(1000, Rate(990, 1000), 1e-6)
    (19, 1000)
    """
    misses = reference.total - reference.hits
    here = total / (total + reference.total)

    def by_hits(count: int) -> float:
        return float(special.betainc(count + 1, reference.hits + 1, here))

    def by_misses(count: int) -> float:
        return float(special.betaincc(total - count, misses, here)) if misses else 1.0

    return _least_count(at_least, total, lambda count: min(by_hits(count), by_misses(count)), alpha)


def critical_count_at(total: int, rate: float, alpha: float, at_least: int = 0) -> int:
    """Return the hits among ``total`` that a true ``rate`` exceeds with probability ``alpha`` at most.

    Examples
    --------
    >>> critical_count_at(1000, 0.05, 0.001)
    73
    """
    share = min(max(rate, 0.0), 1.0)
    return _least_count(at_least, total, lambda count: float(special.bdtrc(count, total, share)), alpha)


def critical_poisson_count(mean: float, alpha: float, at_least: int = 0) -> int:
    """Return the events that a Poisson process of that mean exceeds with probability ``alpha`` at most.

    Examples
    --------
    >>> critical_poisson_count(100.0, 1e-6)
    151
    """
    ceiling = int(mean + 40 * math.sqrt(mean) + 800)
    return _least_count(at_least, ceiling, lambda count: float(special.pdtrc(count, mean)), alpha)


def excess_limit(total: int, reference: Rate | None, threshold: float, alpha: float) -> float:
    """Return the excess over the reference's share, as a share of one, that is worth an alert.

    The larger of ``threshold`` and what chance explains. Without reference events the usual share is
    taken to be nil and a true share of ``threshold`` to be tolerable.
    """
    if reference is None or reference.total == 0:
        return rate_limit(total, threshold, alpha)
    floor = int((threshold + reference.share) * total)
    return max(threshold, critical_count(total, reference, alpha, floor) / total - reference.share)


def excess_limits(
    totals: Sequence[int], references: Sequence[Rate | None], threshold: float, alpha: float
) -> list[float]:
    """Return `excess_limit` of several columns.

    Where chance explains no more than ``threshold``, as it does of most, one look at all of them shows it.
    """
    n, usual = np.array(totals, float), [one or Rate(0, 0) for one in references]
    hits, events = (np.array([getattr(one, name) for one in usual], float) for name in ("hits", "total"))
    share = hits / np.maximum(events, 1)
    floor = np.floor((threshold + share) * n)
    by_hits = special.betainc(floor + 1, hits + 1, n / np.maximum(n + events, 1))
    explained = (events > 0) & (floor < n) & (by_hits <= alpha)
    limits = np.maximum(threshold, floor / np.maximum(n, 1) - share).tolist()
    each = zip(limits, explained.tolist(), totals, references, strict=True)
    return [
        limit if is_explained else excess_limit(total, reference, threshold, alpha)
        for limit, is_explained, total, reference in each
    ]


def rate_limit(total: int, threshold: float, alpha: float) -> float:
    """Return the share that a true share of ``threshold`` exceeds with probability ``alpha`` at most.

    Never below ``threshold``; it comes down to it as events come in.

    Examples
    --------
    >>> [round(rate_limit(events, 0.05, 0.001), 3) for events in (500, 10_000, 1_000_000)]
    [0.082, 0.057, 0.051]
    """
    return max(threshold, critical_count_at(total, threshold, alpha, int(threshold * total)) / total)


def _least_count(low: int, high: int, tail: Callable[[int], float], alpha: float) -> int:
    """Return the least count from ``low`` to ``high`` whose falling ``tail`` is ``alpha`` at most, or ``high``."""
    if low >= high or tail(low) <= alpha:
        return min(low, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if tail(middle) <= alpha else (middle, high)
    return high
