"""Values that are missing more often than they used to be."""

from pydantic import Field

from detectors.comparison import Shortfall, shortage
from detectors.excess_rate import ExcessRate
from detectors.sentence import shorten
from detectors.significance import Rate, SignificanceParams
from detectors.window import Column, Window

#: Excess that matters where the monitor says a value is always there.
REQUIRED_THRESHOLD = 0.001


class MissingRateParams(SignificanceParams):
    """Parameters of the missing rate."""

    threshold: float = Field(
        default=0.02,
        ge=0.0,
        le=1.0,
        description="excess over the reference's share of missing values (0 to 1)",
    )
    required: bool = Field(
        default=False,
        description="the column must always be there (true or false): an excess of 0.001 matters, "
        "and no reference is needed",
    )


class MissingRate(ExcessRate[MissingRateParams]):
    """Fires when more of a column is missing than in the reference.

    ``score = missing / rows - the same in the reference``. The threshold in force is the larger of
    ``threshold`` and the excess that chance explains with probability ``alpha``.

    References
    ----------
    Przyborowski, J. and Wilenski, H. (1940), Homogeneity of results in testing samples from Poisson
    series, Biometrika 31 (the conditional test, see `significance.critical_count`).
    """

    name = "missing_rate"
    kind = "MissingValues"
    targets = frozenset({"number", "category", "prediction"})
    also = frozenset({"FeatureDrift", "PredictionDrift", "MeanShift"})
    params_class = MissingRateParams
    default = True
    what = "values missing"

    def rate(self, column: Column) -> Rate:
        """Return the missing values, and the rows."""
        return Rate(column.missing, column.rows)

    def current(self, window: Window, usual: Rate | None) -> Rate | Shortfall:
        """Return the window's rate; without a reference only where the column must always be there."""
        column = window.column(self.column)
        rows = 0 if column is None else column.rows
        if column is None or rows < self.params.min_samples:
            return self._lack(rows, shortage(rows, self.params.min_samples, "row"))
        if usual is None and not self.params.required:
            return self._lack(rows, "no reference to compare with")
        return self.rate(column)

    @property
    def smallest_excess(self) -> float:
        """The excess that matters, as a share of one."""
        return (
            min(self.params.threshold, REQUIRED_THRESHOLD) if self.params.required else self.params.threshold
        )

    def _lack(self, rows: int, reason: str) -> Shortfall:
        return Shortfall(rows, f"{shorten(self.column)}: {reason}")
