"""Wasserstein distance of a numeric feature."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from detectors.columns import Comparisons
from detectors.comparison import Comparison
from detectors.cumulative import (
    cumulative_of,
    null_wasserstein_distance,
    pooled_variance,
    wasserstein_distance,
)
from detectors.distribution import DistributionDetector
from detectors.divergence import Counts, Shares, shares
from detectors.significance import SignificanceParams
from detectors.swing import Swing
from detectors.window import Column

#: A ratio of finite numbers may be none; what is larger than this counts as this.
_LARGEST_SCORE = 1e300


class WassersteinParams(SignificanceParams):
    """Parameters of the Wasserstein distance."""

    threshold: float = Field(
        default=0.25,
        ge=0.0,
        description="distance (standard deviations of the reference, 0 upwards); a shift of all values by "
        "0.25 of it counts 0.25",
    )


class Wasserstein(DistributionDetector[WassersteinParams]):
    """Fires when the values of a number have moved, on average, by a notable part of their usual spread.

    ``score = integral |F(x) - G(x)| dx / s``, F the window's cumulative distribution, G the reference's and s
    the reference's standard deviation (that of both together where the reference never varies). F and G
    are known at the edges of bins and of sketch buckets and drawn as lines between; the move of the mean,
    which is exact, makes up for most of that (`cumulative.wasserstein_distance`). The figure differs from
    that of the raw values by no more than the sum, over the gaps between such edges on either side, of
    width times share, over s; each verdict carries its own bound, often smaller, as ``error``. The
    threshold in force is the larger of ``threshold`` and a bound that chance exceeds with probability
    ``alpha`` at most. On top comes what the reference's spans show to be usual: `swing`.

    References
    ----------
    Villani, C. (2009), Optimal Transport, Springer, chapter 6. Vallender, S. (1974), Calculation of the
    Wasserstein Distance between Probability Distributions on the Line, Theory of Probability 18(4).
    """

    name = "wasserstein"
    kind = "FeatureDrift"
    targets = frozenset({"number"})
    params_class = WassersteinParams
    measure_name = "Wasserstein distance"

    def obstacle(self, comparison: Comparison) -> str:
        """Return what the columns lack beside bins."""
        for where, column in (("window", comparison.current), ("reference", comparison.reference)):
            if not math.isfinite(column.variance) or not column.sketch_counts.sum():
                return f"the {where} has no moments or no sketch of its values"
        return ""

    def measure(self, found: Comparisons, usual: Sequence[Swing]) -> tuple[Shares, Shares]:
        """Return the distances, and the thresholds in force."""
        scores, limits = zip(*map(self._measure, found.pairs, usual), strict=True)
        return np.array(scores), np.maximum(self.params.threshold, limits)

    def _measure(self, comparison: Comparison, usual: Swing) -> tuple[float, float]:
        current, reference = comparison.current, comparison.reference
        one, two = cumulative_of(current), cumulative_of(reference)

        def chance(alpha: float) -> float:
            return _scaled(null_wasserstein_distance(current, reference, one, two, alpha), comparison)

        found = wasserstein_distance(one, two, current.mean - reference.mean)
        return _scaled(found.value, comparison), usual.limit(chance)

    def distances(self, spans: Counts, reference: Column) -> Shares:
        """Return the spans' distances, were each bin's values where their mean is in the reference."""
        scale = reference.standard_deviation
        if not scale > 0:
            return np.zeros(len(spans))
        gaps = np.abs(np.cumsum(shares(spans) - shares(reference.bins), axis=1))[:, :-1]
        return np.asarray(gaps @ np.diff(_middles(reference)) / scale)

    def details(self, comparison: Comparison) -> Mapping[str, object]:
        """Return by how much the score may differ from that of the raw values."""
        current, reference = comparison.current, comparison.reference
        one, two = cumulative_of(current), cumulative_of(reference)
        found = wasserstein_distance(one, two, current.mean - reference.mean)
        return {"error": _scaled(found.error, comparison)}


def _middles(column: Column) -> Shares:
    """Return the mean of each bin's values by the sketch, ascending; the edge below where it holds none."""
    places = np.searchsorted(column.edges, column.sketch_values, side="right")
    counts = np.bincount(places, column.sketch_counts, column.bins.size)
    sums = np.bincount(places, column.sketch_counts * column.sketch_values, column.bins.size)
    below = np.append(column.edges[:1], column.edges) if column.edges.size else np.zeros(1)
    return np.maximum.accumulate(np.where(counts > 0, sums / np.maximum(counts, 1), below))


def _scaled(distance: float, comparison: Comparison) -> float:
    """Return a distance in the reference's standard deviations."""
    current, reference = comparison.current, comparison.reference
    scale = reference.standard_deviation or math.sqrt(pooled_variance(current, reference))
    if distance == 0.0 or scale == 0.0:
        return 0.0
    return min(distance / scale, _LARGEST_SCORE) if scale > distance / _LARGEST_SCORE else _LARGEST_SCORE
