"""Total variation distance of a feature."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from detectors.chance import null_total_variation_distance
from detectors.columns import Comparisons
from detectors.distribution import DistributionDetector
from detectors.divergence import Counts, Shares, shares, total_variation
from detectors.significance import SignificanceParams
from detectors.swing import Swing, limits
from detectors.window import Column


class TotalVariationParams(SignificanceParams):
    """Parameters of the total variation distance."""

    threshold: float = Field(
        default=0.2, ge=0.0, le=1.0, description="share of events in other bins than usual (0 to 1)"
    )


class TotalVariation(DistributionDetector[TotalVariationParams]):
    """Fires when a notable share of events lies in other bins or categories than in the reference.

    ``score = sum over bins |p - q| / 2``, p the window's shares and q the reference's: 0 to 1, symmetric. It
    reads as a share: of 0.2, one event in five has moved. No bin is pooled and none smoothed. Categories
    outside the list count as one, by which the score falls by half their shares on both sides at most.
    The threshold in force is the larger of ``threshold`` and a bound that chance exceeds with
    probability ``alpha`` at most, exact for any bins: `chance.null_total_variation_distance`.
    On top comes what the reference's spans show to be usual: `swing`.

    References
    ----------
    Levin, D., Peres, Y. and Wilmer, E. (2009), Markov Chains and Mixing Times, American Mathematical
    Society, section 4.1.
    """

    name = "total_variation"
    kind = "FeatureDrift"
    targets = frozenset({"number", "category"})
    params_class = TotalVariationParams
    measure_name = "total variation"

    def measure(self, found: Comparisons, usual: Sequence[Swing]) -> tuple[Shares, Shares]:
        """Return the distances, and the thresholds in force."""
        limit = limits(usual, lambda alpha: null_total_variation_distance(*found.counts, alpha))
        return total_variation(*found.shares), np.maximum(self.params.threshold, limit)

    def distances(self, spans: Counts, reference: Column) -> Shares:
        """Return the spans' distances."""
        return total_variation(shares(spans), shares(reference.bins))
