"""Predictions that failed."""

from pydantic import Field

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.sentence import against_percent, quantity
from detectors.significance import Rate, SignificanceParams, rate_limit
from detectors.window import Window


class ErrorRateParams(SignificanceParams):
    """Parameters of the error rate."""

    threshold: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="share of predictions that fail (0 to 1); the objective if there is one",
    )
    alpha: float = Field(
        default=0.001,
        gt=0.0,
        lt=0.5,
        description="probability (0 to 0.5) that a true rate just at the threshold fires in one window",
    )


class ErrorRate(Detector[ErrorRateParams]):
    """Fires when too many predictions fail.

    ``score = errors / events``. The threshold in force is the smallest share above ``threshold`` that a
    true share of ``threshold`` would exceed with probability ``alpha`` at most.

    References
    ----------
    Clopper, C. and Pearson, E. (1934), The Use of Confidence or Fiducial Limits Illustrated in the Case
    of the Binomial, Biometrika 26(4).
    """

    name = "error_rate"
    kind = "ErrorRateHigh"
    targets = frozenset({"model"})
    params_class = ErrorRateParams
    default = True
    severity = "critical"

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the share of failed predictions."""
        rate = Rate(window.errors, window.events)
        if rate.total < self.params.min_samples:
            return self.insufficient(rate.total, shortage(rate.total, self.params.min_samples, "event"))
        limit = rate_limit(rate.total, self.params.threshold, self.params.alpha)
        sentence = (
            f"error rate {against_percent(rate.share, limit)}: "
            f"{rate.hits:,} of {quantity(rate.total, 'prediction')} failed"
        )
        evidence = Evidence(sentence, value=rate.share, details={"errors": rate.hits})
        return self.verdict(rate.share, rate.total, evidence, threshold=limit)
