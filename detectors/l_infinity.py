"""Largest difference of one bin's share."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from detectors.chance import null_l_infinity_distance
from detectors.columns import Comparisons
from detectors.distribution import DistributionDetector
from detectors.divergence import Counts, Shares, l_infinity, shares
from detectors.significance import SignificanceParams
from detectors.swing import Swing, limits
from detectors.window import Column


class LInfinityParams(SignificanceParams):
    """Parameters of the L-infinity distance."""

    threshold: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="share by which one category or bin has grown or shrunk (0 to 1)",
    )


class LInfinity(DistributionDetector[LInfinityParams]):
    """Fires when one category's share, or that of one bin of a number, differs much from the reference's.

    ``score = max over bins |p - q|``, p the window's shares and q the reference's: 0 to 1, symmetric. It
    answers whether any one category has moved, and does not add up many small moves. No bin is pooled and
    none smoothed. Categories outside the list count as one: each of them may differ by no more than the
    larger of the two shares they hold together. The threshold in force is the larger of ``threshold`` and a
    bound that chance exceeds with probability ``alpha`` at most, exact for any bins:
    `chance.null_l_infinity_distance`. On top comes what the reference's spans show to be usual: `swing`.

    References
    ----------
    Hoeffding, W. (1963), Probability Inequalities for Sums of Bounded Random Variables, JASA 58(301), for
    the bound, which Bernstein's inequality sharpens for small bins.
    """

    name = "l_infinity"
    kind = "FeatureDrift"
    targets = frozenset({"number", "category"})
    params_class = LInfinityParams
    measure_name = "largest move of a share"

    def measure(self, found: Comparisons, usual: Sequence[Swing]) -> tuple[Shares, Shares]:
        """Return the distances, and the thresholds in force."""
        limit = limits(usual, lambda alpha: null_l_infinity_distance(*found.counts, alpha))
        return l_infinity(*found.shares), np.maximum(self.params.threshold, limit)

    def distances(self, spans: Counts, reference: Column) -> Shares:
        """Return the spans' distances."""
        return l_infinity(shares(spans), shares(reference.bins))
