"""How many events chance alone explains, for detectors of rates and counts."""

from dataclasses import dataclass

from pydantic import Field
from scipy import stats

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


@dataclass(frozen=True, slots=True)
class Rate:
    """``hits`` of ``total`` events."""

    hits: int
    total: int

    @property
    def share(self) -> float:
        """Hits as a share of one; 0 without events."""
        return self.hits / self.total if self.total else 0.0


def critical_count(total: int, reference: Rate, alpha: float) -> float:
    """Return the hits among ``total`` events that chance exceeds with probability ``alpha`` at most.

    Given the hits of both samples together, those of the window are binomial (the conditional test), so
    that before the window is seen they follow a negative binomial distribution. The same is done for the
    events that are no hits, and the smaller bound taken: the first is sharp for rare hits, the second for
    frequent ones. Exact for Poisson counts, and cautious for shares in between.

    References
    ----------
    Przyborowski, J. and Wilenski, H. (1940), Homogeneity of results in testing samples from Poisson
    series, Biometrika 31.

    Examples
    --------
    >>> critical_count(1000, Rate(0, 1000), 1e-6), critical_count(1000, Rate(990, 1000), 1e-6)
    (19.0, 1000.0)
    """
    odds = reference.total / (total + reference.total)
    misses = reference.total - reference.hits
    by_hits = float(stats.nbinom.isf(alpha, reference.hits + 1, odds))
    by_misses = total - float(stats.nbinom.ppf(alpha, misses, odds)) if misses else float(total)
    return min(by_hits, by_misses, float(total))


def critical_count_at(total: int, rate: float, alpha: float) -> float:
    """Return the hits among ``total`` that a true ``rate`` exceeds with probability ``alpha`` at most.

    Examples
    --------
    >>> critical_count_at(1000, 0.05, 0.001)
    73.0
    """
    return float(stats.binom.isf(alpha, total, min(max(rate, 0.0), 1.0)))


def excess_limit(total: int, reference: Rate | None, threshold: float, alpha: float) -> float:
    """Return the excess over the reference's share, as a share of one, that is worth an alert.

    The larger of ``threshold`` and what chance explains. Without reference events the usual share is
    taken to be nil and a true share of ``threshold`` to be tolerable.
    """
    if reference is None or reference.total == 0:
        return max(threshold, critical_count_at(total, threshold, alpha) / total)
    return max(threshold, critical_count(total, reference, alpha) / total - reference.share)
