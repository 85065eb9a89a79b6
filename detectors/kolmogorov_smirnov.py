"""Kolmogorov-Smirnov distance of a numeric feature, on its bins."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from detectors.chance import null_kolmogorov_smirnov_distance
from detectors.columns import Comparisons
from detectors.distribution import DistributionDetector
from detectors.divergence import Counts, Shares, kolmogorov_smirnov, shares
from detectors.significance import SignificanceParams
from detectors.swing import Swing, limits
from detectors.window import Column


class KolmogorovSmirnovParams(SignificanceParams):
    """Parameters of the Kolmogorov-Smirnov distance."""

    threshold: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="distance of the cumulative distributions (0 equal, 1 disjoint)",
    )


class KolmogorovSmirnov(DistributionDetector[KolmogorovSmirnovParams]):
    """Fires when the cumulative distribution of a number has moved away from the reference's.

    ``score = D = max |F(x) - G(x)|`` over the interior bin edges x, F the window's and G the reference's. Between
    edges the true distance can be larger, by no more than the largest over the bins of the smaller of
    the two sides' shares. The threshold in force is the larger of ``threshold`` and
    ``sqrt(-ln(alpha / 2) / 2 * (n + m) / (n m))``, which chance exceeds with probability ``alpha`` at most.
    On top comes what the reference's spans show to be usual: `swing`.

    References
    ----------
    Smirnov, N. (1948), Table for Estimating the Goodness of Fit of Empirical Distributions, Annals of
    Mathematical Statistics 19(2).
    """

    name = "kolmogorov_smirnov"
    kind = "FeatureDrift"
    targets = frozenset({"number"})
    params_class = KolmogorovSmirnovParams
    measure_name = "Kolmogorov-Smirnov distance"

    def measure(self, found: Comparisons, usual: Sequence[Swing]) -> tuple[Shares, Shares]:
        """Return the distances, and the thresholds in force."""
        limit = limits(usual, lambda alpha: null_kolmogorov_smirnov_distance(*found.sizes, alpha))
        return kolmogorov_smirnov(*found.shares), np.maximum(self.params.threshold, limit)

    def distances(self, spans: Counts, reference: Column) -> Shares:
        """Return the spans' distances."""
        return kolmogorov_smirnov(shares(spans), shares(reference.bins))
