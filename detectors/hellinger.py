"""Hellinger distance of a feature."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from detectors.chance import null_hellinger_distance
from detectors.columns import Comparisons
from detectors.distribution import DistributionDetector
from detectors.divergence import Counts, Shares, hellinger, pool_rare, pool_rare_of_spans, shares
from detectors.significance import SignificanceParams
from detectors.swing import Swing, limits
from detectors.window import Column

#: Roots of small counts vary more than the chi-square law allows; from 20 events on they do not.
LEAST_EXPECTED = 20.0


class HellingerParams(SignificanceParams):
    """Parameters of the Hellinger distance."""

    threshold: float = Field(
        default=0.15, ge=0.0, le=1.0, description="distance (0 equal, 1 disjoint); 0.15 is near a PSI of 0.18"
    )


class Hellinger(DistributionDetector[HellingerParams]):
    """Fires when a feature's distribution has moved away from the reference, rare bins weighing more.

    ``score = sqrt(sum over bins (sqrt(p) - sqrt(q))^2 / 2)``, p the window's shares and q the reference's: a
    metric between 0 and 1, symmetric in the two. The half is inside the root, so that disjoint
    distributions have 1; zero counts need no smoothing. The threshold in force is the larger of
    ``threshold`` and ``sqrt((1/n + 1/m) * chi2(bins - 1) / 8)``, which chance alone exceeds with probability
    ``alpha``, for small bins somewhat more: `chance`. On top comes what the reference's spans show to be
    usual: `swing`. Bins that expect fewer than 20 events in the smaller sample are pooled, by which the
    score squared falls by half their shares on both sides at most.

    References
    ----------
    Hellinger, E. (1909), Journal für die reine und angewandte Mathematik 136.
    Freeman, M. and Tukey, J. (1950), Transformations Related to the Angular and the Square Root, Annals of
    Mathematical Statistics 21(4), on its law for counts.
    """

    name = "hellinger"
    kind = "FeatureDrift"
    targets = frozenset({"number", "category"})
    params_class = HellingerParams
    measure_name = "Hellinger distance"

    def measure(self, found: Comparisons, usual: Sequence[Swing]) -> tuple[Shares, Shares]:
        """Return the distances, and the thresholds in force."""
        pooled = pool_rare(*found.counts, LEAST_EXPECTED)
        limit = limits(usual, lambda alpha: null_hellinger_distance(pooled, alpha))
        distance = hellinger(shares(pooled.current), shares(pooled.reference))
        return distance, np.maximum(self.params.threshold, limit)

    def distances(self, spans: Counts, reference: Column) -> Shares:
        """Return the spans' distances."""
        pooled = pool_rare_of_spans(spans, reference.bins, LEAST_EXPECTED)
        return hellinger(*map(shares, pooled))
