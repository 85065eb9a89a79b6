"""Jensen-Shannon distance of a feature."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from detectors.chance import null_jensen_shannon_distance
from detectors.columns import Comparisons
from detectors.distribution import DistributionDetector
from detectors.divergence import Counts, Shares, jensen_shannon, pool_rare, pool_rare_of_spans, shares
from detectors.significance import SignificanceParams
from detectors.swing import Swing, limits
from detectors.window import Column


class JensenShannonParams(SignificanceParams):
    """Parameters of the Jensen-Shannon distance."""

    threshold: float = Field(
        default=0.15, ge=0.0, le=1.0, description="distance (0 equal, 1 disjoint); 0.15 is near a PSI of 0.13"
    )


class JensenShannon(DistributionDetector[JensenShannonParams]):
    """Fires when a feature's distribution has moved away from the reference; bounded, unlike the PSI.

    ``score = sqrt((KL(p || a) + KL(q || a)) / 2)`` with ``a = (p + q) / 2`` and logarithms to base 2: a
    metric between 0 and 1, symmetric in window and reference. The threshold in force is the larger
    of ``threshold`` and ``sqrt((1/n + 1/m) * chi2(bins - 1) / (8 ln 2))``, which chance alone exceeds with
    probability ``alpha``, for small bins somewhat more: `chance`. On top comes what the reference's spans
    show to be usual: `swing`. Rare bins are pooled, by which the divergence (the score squared) falls by
    half their shares on both sides at most.

    References
    ----------
    Lin, J. (1991), Divergence Measures Based on the Shannon Entropy, IEEE Trans. Information Theory 37(1).
    Endres, D. and Schindelin, J. (2003), A New Metric for Probability Distributions, ibid. 49(7).
    """

    name = "jensen_shannon"
    kind = "FeatureDrift"
    targets = frozenset({"number", "category"})
    params_class = JensenShannonParams
    measure_name = "Jensen-Shannon distance"

    def measure(self, found: Comparisons, usual: Sequence[Swing]) -> tuple[Shares, Shares]:
        """Return the distances, and the thresholds in force."""
        pooled = pool_rare(*found.counts)
        limit = limits(usual, lambda alpha: null_jensen_shannon_distance(pooled, alpha))
        distance = jensen_shannon(shares(pooled.current), shares(pooled.reference))
        return distance, np.maximum(self.params.threshold, limit)

    def distances(self, spans: Counts, reference: Column) -> Shares:
        """Return the spans' distances."""
        pooled = pool_rare_of_spans(spans, reference.bins)
        return jensen_shannon(*map(shares, pooled))
