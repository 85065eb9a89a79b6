"""Values outside the range the monitor states."""

from pydantic import Field

from detectors.base import Detector, Verdict
from detectors.comparison import Shortfall, present
from detectors.excess_rate import excess_evidence
from detectors.significance import Rate, SignificanceParams, excess_limit
from detectors.window import Window


class OutOfRangeParams(SignificanceParams):
    """Parameters of the out-of-range rate."""

    threshold: float = Field(
        default=0.01,
        ge=0.0,
        le=1.0,
        description="share of values outside min and max, over the reference's share (0 to 1)",
    )


class OutOfRange(Detector[OutOfRangeParams]):
    """Fires when more values lie outside the monitor's ``min`` and ``max`` than in the reference.

    ``score = out of range / count - the same in the reference`` (nil without a reference: the range is the
    owner's own word). The threshold in force is the larger of ``threshold`` and the excess that chance
    explains with probability ``alpha``.

    References
    ----------
    Przyborowski, J. and Wilenski, H. (1940), Homogeneity of results in testing samples from Poisson
    series, Biometrika 31 (the conditional test, see `significance.critical_count`).
    """

    name = "out_of_range"
    kind = "OutOfRange"
    targets = frozenset({"number", "prediction"})
    also = frozenset({"FeatureDrift", "PredictionDrift", "MeanShift"})
    params_class = OutOfRangeParams
    default = True

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the share of values out of range."""
        column = present(window, self.column, self.params.min_samples)
        if isinstance(column, Shortfall):
            return self.insufficient(column.samples, column.reason)
        current = Rate(column.out_of_range, column.count)
        usual = self._usual(reference)
        limit = excess_limit(current.total, usual, self.params.threshold, self.params.alpha)
        evidence = excess_evidence(self.column, "values out of range", current, usual, limit)
        excess = current.share - (usual.share if usual else 0.0)
        return self.verdict(max(excess, 0.0), current.total, evidence, threshold=limit)

    def _usual(self, reference: Window | None) -> Rate | None:
        column = None if reference is None else reference.column(self.column)
        return Rate(column.out_of_range, column.count) if column is not None and column.count else None
