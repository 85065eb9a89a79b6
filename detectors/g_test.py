"""Likelihood-ratio (G) test of a feature."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from detectors.chance import small_sample_factor
from detectors.columns import Comparisons
from detectors.divergence import Shares, pool_rare
from detectors.effect import LEAST_EXPECTED, EffectDetector, least_effects
from detectors.homogeneity import likelihood_ratio_homogeneity, minus_log10_chi_square
from detectors.significance import SignificanceParams
from detectors.swing import Swing


class GTestParams(SignificanceParams):
    """Parameters of the G test."""

    threshold: float = Field(
        default=3.0,
        ge=0.0,
        le=299.0,
        description="-log10 of the p-value; -log10 of alpha when that is larger",
    )
    min_effect: float = Field(
        default=0.2,
        ge=0.0,
        description="smallest effect that counts (as Cohen's w, 0 upwards; 0.1 small, 0.3 medium, 0.5 large); "
        "below it the score is 0",
    )


class GTest(EffectDetector[GTestParams]):
    """Fires when a feature's bins differ from the reference's by more than chance, and enough to matter.

    The likelihood-ratio test that both samples share one distribution, ``G = 2 sum(O ln(O / E))`` over the
    bins of both sides, natural logarithm, O the counts and E what the two sides together let expect;
    ``0 ln 0 = 0``. ``score = -log10 p`` by the chi-square law with ``bins - 1`` degrees, of G over
    ``1 + 1/e``, e the fewest events a bin expects; or 0 while the effect ``w = sqrt(G (1/n + 1/m))`` is below
    ``min_effect``, or within what the reference's spans show to be usual (`swing`), since with many
    events every difference is significant. Symmetric in window and reference. Bins that expect fewer than
    20 events in the smaller sample are pooled, by which G falls by ``2 (c ln((n + m) / n) + r ln((n + m)
    / m))`` at most, c and r the events pooled on either side.

    References
    ----------
    Wilks, S. (1935), The Likelihood Test of Independence in Contingency Tables, Annals of Mathematical
    Statistics 6(4). Williams, D. (1976), Improved Likelihood Ratio Tests for Complete Contingency Tables,
    Biometrika 63(1), on small samples.
    """

    name = "g_test"
    kind = "FeatureDrift"
    targets = frozenset({"number", "category"})
    params_class = GTestParams
    measure_name = "G test -log10 p"

    def measure(self, found: Comparisons, usual: Sequence[Swing]) -> tuple[Shares, Shares]:
        """Return -log10 p of each column, and the threshold in force."""
        pooled = pool_rare(*found.counts, LEAST_EXPECTED)
        test = likelihood_ratio_homogeneity(*pooled)
        minus_log10_p = minus_log10_chi_square(
            test.statistic / small_sample_factor(pooled), np.maximum(test.degrees, 1)
        )
        counts = (test.degrees > 0) & (test.effect >= least_effects(pooled, usual, self.params.min_effect))
        return np.where(counts, minus_log10_p, 0.0), self.threshold_of_p(len(usual))
