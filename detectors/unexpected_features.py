"""Features the monitor does not list."""

from pydantic import Field

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.sentence import against_percent, listing, quantity
from detectors.significance import Rate, SignificanceParams, rate_limit
from detectors.window import Window


class UnexpectedFeaturesParams(SignificanceParams):
    """Parameters of the unexpected features."""

    threshold: float = Field(
        default=0.01, ge=0.0, le=1.0, description="share of events that carry one unlisted feature (0 to 1)"
    )


class UnexpectedFeatures(Detector[UnexpectedFeaturesParams]):
    """Fires when events carry features the monitor does not list, such as a renamed column.

    ``score`` is the share of events that carry the most frequent of them. The threshold in force is the
    smallest share above ``threshold`` that a true share of ``threshold`` would exceed with probability
    ``alpha`` at most.

    References
    ----------
    Clopper, C. and Pearson, E. (1934), The Use of Confidence or Fiducial Limits Illustrated in the Case
    of the Binomial, Biometrika 26(4).
    """

    name = "unexpected_features"
    kind = "UnexpectedFeatures"
    targets = frozenset({"model"})
    scope = "model"
    params_class = UnexpectedFeaturesParams
    default = True
    severity = "info"

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the share of events with a feature the monitor does not list."""
        total = window.events + window.invalid
        if total < self.params.min_samples:
            return self.insufficient(total, shortage(total, self.params.min_samples, "event"))
        ranked = sorted(window.unexpected.items(), key=lambda item: (-item[1], item[0]))
        rate = Rate(min(ranked[0][1], total) if ranked else 0, total)
        limit = rate_limit(rate.total, self.params.threshold, self.params.alpha)
        details = {"features": dict(ranked[:20])} if ranked else {}
        evidence = Evidence(_sentence(ranked, rate, limit), value=rate.share, details=details)
        return self.verdict(rate.share, total, evidence, threshold=limit)


def _sentence(ranked: list[tuple[str, int]], rate: Rate, limit: float) -> str:
    seen = quantity(rate.total, "event")
    if not ranked:
        return f"no feature the monitor does not list in {seen}"
    names = listing([name for name, _ in ranked])
    return f"{names}: not in the monitor, in {against_percent(rate.share, limit)} of {seen}"
