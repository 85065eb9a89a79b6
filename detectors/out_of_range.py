"""Values outside the range the monitor states."""

from pydantic import Field

from detectors.comparison import Shortfall, present
from detectors.excess_rate import ExcessRate
from detectors.significance import Rate, SignificanceParams
from detectors.window import Column, Window


class OutOfRangeParams(SignificanceParams):
    """Parameters of the out-of-range rate."""

    threshold: float = Field(
        default=0.01,
        ge=0.0,
        le=1.0,
        description="share of values outside min and max, over the reference's share (0 to 1)",
    )


class OutOfRange(ExcessRate[OutOfRangeParams]):
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
    what = "values out of range"

    def rate(self, column: Column) -> Rate:
        """Return the values out of range, and all there are."""
        return Rate(column.out_of_range, column.count)

    def current(self, window: Window, usual: Rate | None) -> Rate | Shortfall:
        """Return the window's rate."""
        column = present(window, self.column, self.params.min_samples)
        return column if isinstance(column, Shortfall) else self.rate(column)
