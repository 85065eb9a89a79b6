"""Chi-square test of a categorical feature."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from detectors.columns import Comparisons
from detectors.divergence import Shares, pool_rare
from detectors.effect import LEAST_EXPECTED, EffectDetector, least_effects
from detectors.homogeneity import chi_square_homogeneity
from detectors.significance import SignificanceParams
from detectors.swing import Swing


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

    def measure(self, found: Comparisons, usual: Sequence[Swing]) -> tuple[Shares, Shares]:
        """Return -log10 p of each column, and the threshold in force."""
        pooled = pool_rare(*found.counts, LEAST_EXPECTED)
        test = chi_square_homogeneity(*pooled)
        counts = test.effect >= least_effects(pooled, usual, self.params.min_effect)
        return np.where(counts, test.minus_log10_p, 0.0), self.threshold_of_p(len(usual))
