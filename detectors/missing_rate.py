"""Values that are missing more often than they used to be."""

from pydantic import Field

from detectors.base import Detector, Verdict
from detectors.comparison import shortage
from detectors.excess_rate import excess_evidence
from detectors.sentence import shorten
from detectors.significance import Rate, SignificanceParams, excess_limit
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


class MissingRate(Detector[MissingRateParams]):
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

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the share of missing values against the reference's."""
        column = window.column(self.column)
        rows = 0 if column is None else column.rows
        if column is None or rows < self.params.min_samples:
            return self.insufficient(rows, self._lack(shortage(rows, self.params.min_samples, "row")))
        usual = self._usual(reference)
        if usual is None and not self.params.required:
            return self.insufficient(rows, self._lack("no reference to compare with"))
        current = _missing(column)
        limit = excess_limit(rows, usual, self._smallest_excess(), self.params.alpha)
        excess = current.share - (usual.share if usual else 0.0)
        evidence = excess_evidence(self.column, "values missing", current, usual, limit)
        return self.verdict(max(excess, 0.0), rows, evidence, threshold=limit)

    def _smallest_excess(self) -> float:
        return (
            min(self.params.threshold, REQUIRED_THRESHOLD) if self.params.required else self.params.threshold
        )

    def _usual(self, reference: Window | None) -> Rate | None:
        column = None if reference is None else reference.column(self.column)
        return _missing(column) if column is not None and column.rows else None

    def _lack(self, reason: str) -> str:
        return f"{shorten(self.column)}: {reason}"


def _missing(column: Column) -> Rate:
    return Rate(column.missing, column.rows)
