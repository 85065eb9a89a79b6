"""A column that the reference does not know, and events carry now."""

from pydantic import Field

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.sentence import against_percent, percent, quantity, shorten
from detectors.significance import Rate, SignificanceParams, excess_limit
from detectors.vanished_column import carried
from detectors.window import Window


class AppearedColumnParams(SignificanceParams):
    """Parameters of the appeared column."""

    threshold: float = Field(
        default=0.02, ge=0.0, le=1.0, description="excess over the reference's share of events (0 to 1)"
    )
    usual_share: float = Field(
        default=0.01,
        ge=0.0,
        lt=1.0,
        description="share of the reference (0 to 1) above which it knows the column",
    )


class AppearedColumn(Detector[AppearedColumnParams]):
    """Fires when events carry a listed feature that next to none of the reference's has.

    Nothing can be said of such a feature's distribution, as there is none to hold it against. ``score`` is
    the share of events that carry it beyond the reference's share, or 0 where the reference knows it. The
    threshold in force is the larger of ``threshold`` and the excess that chance explains with probability
    ``alpha``. A feature the monitor does not list is `unexpected_features`' affair.

    References
    ----------
    Przyborowski, J. and Wilenski, H. (1940), Homogeneity of results in testing samples from Poisson
    series, Biometrika 31 (the conditional test, see `significance.critical_count`).
    """

    name = "appeared_column"
    kind = "ColumnAppeared"
    targets = frozenset({"number", "category"})
    params_class = AppearedColumnParams
    needs_reference = True
    severity = "info"

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge whether events carry what the reference lacks."""
        current, usual = carried(window, self.column) or Rate(0, 0), carried(reference, self.column)
        if current.total < self.params.min_samples:
            reason = shortage(current.total, self.params.min_samples, "row")
            return self.insufficient(current.total, f"{shorten(self.column)}: {reason}")
        if usual is None:
            reason = "no reference to compare with"
            return self.insufficient(current.total, f"{shorten(self.column)}: {reason}")
        excess = current.share - usual.share if usual.share <= self.params.usual_share else 0.0
        limit = excess_limit(current.total, usual, self.params.threshold, self.params.alpha)
        sentence = (
            f"{shorten(self.column)}: {percent(current.share)} of {quantity(current.total, 'event')} carry it "
            f"(reference {percent(usual.share)}), excess {against_percent(max(excess, 0.0), limit)}"
        )
        evidence = Evidence(sentence, value=current.share, details={"rate": [usual.share, current.share]})
        return self.verdict(max(excess, 0.0), current.total, evidence, threshold=limit)
