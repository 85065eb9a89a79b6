"""Population stability index of a feature."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from detectors.chance import null_population_stability_index
from detectors.columns import Comparisons
from detectors.distribution import DistributionDetector
from detectors.divergence import (
    Counts,
    Shares,
    pool_rare,
    pool_rare_of_spans,
    population_stability_index,
    smoothed_shares,
    symmetric_divergence,
)
from detectors.significance import SignificanceParams
from detectors.swing import Swing, limits
from detectors.window import Column


class PsiParams(SignificanceParams):
    """Parameters of the population stability index."""

    threshold: float = Field(
        default=0.2, ge=0.0, description="index (nats, 0 upwards); 0.1 is a small change, 0.2 a notable one"
    )


class Psi(DistributionDetector[PsiParams]):
    """Fires when a feature's distribution has moved away from the reference.

    ``PSI = sum over bins (p - q) ln(p / q)``, natural logarithm, p the window's shares and q the
    reference's, symmetric in the two. The threshold in force is the larger of ``threshold`` and the
    index that chance alone exceeds with probability ``alpha`` at these sample sizes,
    ``(1/n + 1/m) * chi2(bins - 1)``, for small bins somewhat more: `chance`. On top comes what
    the reference's spans show to be usual, as a daily rhythm: `swing`. Rare bins are pooled, and zero counts
    smoothed by one event per bin: `divergence`.

    References
    ----------
    Siddiqi, N. (2006), Credit Risk Scorecards, Wiley, chapter 10.
    Yurdakul, B. (2018), Statistical Properties of Population Stability Index, Western Michigan University.
    """

    name = "psi"
    kind = "FeatureDrift"
    targets = frozenset({"number", "category"})
    params_class = PsiParams
    default = True
    measure_name = "PSI"

    def measure(self, found: Comparisons, usual: Sequence[Swing]) -> tuple[Shares, Shares]:
        """Return the indices, and the thresholds in force."""
        pooled = pool_rare(*found.counts)
        chance = limits(usual, lambda alpha: np.sqrt(null_population_stability_index(pooled, alpha)))
        return population_stability_index(*pooled), np.maximum(self.params.threshold, chance**2)

    def furthest_usual(self, reference: Column, rows: int) -> float | None:
        """Return how far the reference swings at most, as an index; None where it has no bins."""
        root = super().furthest_usual(reference, rows)
        return None if root is None else root**2

    def distances(self, spans: Counts, reference: Column) -> Shares:
        """Return the roots of the spans' indices: those are distances, to second order."""
        pooled = smoothed_shares(*pool_rare_of_spans(spans, reference.bins))
        return np.sqrt(symmetric_divergence(*pooled))
