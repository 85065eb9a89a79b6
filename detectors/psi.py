"""Population stability index of a feature."""

from pydantic import Field

from detectors.chance import null_population_stability_index
from detectors.comparison import Comparison
from detectors.distribution import DistributionDetector
from detectors.divergence import pool_rare, population_stability_index
from detectors.significance import SignificanceParams


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
    ``(1/n + 1/m) * chi2(bins - 1)``, for small bins somewhat more: `chance`. Rare bins are pooled, and
    zero counts smoothed by one event per bin: `divergence`.

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

    def measure(self, comparison: Comparison) -> tuple[float, float]:
        """Return the index, and the threshold in force."""
        current, reference = pool_rare(*comparison.counts)
        chance = null_population_stability_index(current, reference, self.params.alpha)
        return population_stability_index(current, reference), max(self.params.threshold, chance)
