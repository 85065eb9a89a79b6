"""Chi-square test of a categorical feature."""

import math

from pydantic import Field

from detectors.comparison import Comparison
from detectors.divergence import pool_rare
from detectors.effect import LEAST_EXPECTED, EffectDetector
from detectors.homogeneity import chi_square_homogeneity
from detectors.significance import SignificanceParams


class ChiSquareParams(SignificanceParams):
    """Parameters of the chi-square test."""

    threshold: float = Field(
        default=3.0,
        ge=0.0,
        le=299.0,
        description="-log10 of the p-value; -log10 of alpha when that is larger",
    )
    min_effect: float = Field(
        default=0.2,
        ge=0.0,
        description="smallest effect that counts (Cohen's w, 0 upwards; 0.1 small, 0.3 medium, 0.5 large); "
        "below it the score is 0",
    )


class ChiSquare(EffectDetector[ChiSquareParams]):
    """Fires when a category's shares differ from the reference's by more than chance, and enough to matter.

    Pearson's test that both samples share one distribution: ``score = -log10 p``, or 0 while the effect
    ``w = sqrt(X2 * (1/n + 1/m))`` is below ``min_effect``, or within what the reference's spans show to
    be usual (`swing`), since with many events every difference is significant. Categories that expect
    fewer than 20 events in the smaller sample are pooled, by which ``w`` squared falls by their shares on
    both sides times ``(n + m) / min(n, m)`` at most.

    References
    ----------
    Pearson, K. (1900), Philosophical Magazine 50(302). Cochran, W. (1954), Biometrics 10(4), on pooling.
    Cohen, J. (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed., section 7.2.
    """

    name = "chi_square"
    kind = "FeatureDrift"
    targets = frozenset({"category"})
    params_class = ChiSquareParams
    measure_name = "chi-square -log10 p"

    def measure(self, comparison: Comparison) -> tuple[float, float]:
        """Return -log10 p, and the threshold in force."""
        pooled = pool_rare(*comparison.counts, LEAST_EXPECTED)
        test = chi_square_homogeneity(*pooled)
        least = self.least_effect(comparison, pooled, self.params.min_effect)
        score = test.minus_log10_p if test.effect >= least else 0.0
        return score, max(self.params.threshold, -math.log10(self.params.alpha))
