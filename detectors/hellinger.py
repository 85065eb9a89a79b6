"""Hellinger distance of a feature."""

from pydantic import Field

from detectors.chance import null_hellinger_distance
from detectors.comparison import Comparison
from detectors.distribution import DistributionDetector
from detectors.divergence import (
    Counts,
    Shares,
    hellinger,
    hellinger_distance,
    pool_rare,
    pool_rare_of_spans,
    shares,
)
from detectors.significance import SignificanceParams
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

    def measure(self, comparison: Comparison) -> tuple[float, float]:
        """Return the distance, and the threshold in force."""
        current, reference = pool_rare(*comparison.counts, LEAST_EXPECTED)
        limit = self.limit(comparison, lambda alpha: null_hellinger_distance(current, reference, alpha))
        return hellinger_distance(current, reference), max(self.params.threshold, limit)

    def distances(self, spans: Counts, reference: Column) -> Shares:
        """Return the spans' distances."""
        pooled = pool_rare_of_spans(spans, reference.bins, LEAST_EXPECTED)
        return hellinger(*map(shares, pooled))
