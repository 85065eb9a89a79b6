"""Events that break the contract."""

from pydantic import Field

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.sentence import against_percent, quantity
from detectors.significance import Rate, SignificanceParams, rate_limit
from detectors.window import Window


class InvalidRateParams(SignificanceParams):
    """Parameters of the invalid rate."""

    threshold: float = Field(
        default=0.01, ge=0.0, le=1.0, description="share of events that are invalid (0 to 1)"
    )


class InvalidRate(Detector[InvalidRateParams]):
    """Fires when too many events break the model's contract and go to the dead-letter topic.

    ``score = invalid / (valid + invalid)``. The threshold in force is the smallest share above
    ``threshold`` that a true share of ``threshold`` would exceed with probability ``alpha`` at most.

    References
    ----------
    Clopper, C. and Pearson, E. (1934), The Use of Confidence or Fiducial Limits Illustrated in the Case
    of the Binomial, Biometrika 26(4).
    """

    name = "invalid_rate"
    kind = "InvalidEvents"
    targets = frozenset({"model"})
    scope = "model"
    params_class = InvalidRateParams
    default = True

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the share of invalid events."""
        rate = Rate(window.invalid, window.events + window.invalid)
        if rate.total < self.params.min_samples:
            return self.insufficient(rate.total, shortage(rate.total, self.params.min_samples, "event"))
        limit = rate_limit(rate.total, self.params.threshold, self.params.alpha)
        sentence = (
            f"{against_percent(rate.share, limit)} of {quantity(rate.total, 'event')} break the contract: "
            f"{rate.hits:,} went to the dead-letter topic"
        )
        evidence = Evidence(sentence, value=rate.share, details={"invalid": rate.hits})
        return self.verdict(rate.share, rate.total, evidence, threshold=limit)
