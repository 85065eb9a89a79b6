"""A column that no event carries any more."""

import math

from pydantic import Field

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.sentence import percent, quantity, shorten
from detectors.significance import Rate, SignificanceParams
from detectors.window import Column, Window

#: Where a probability leaves the range of a double.
_MOST = 300.0


class VanishedColumnParams(SignificanceParams):
    """Parameters of the vanished column."""

    threshold: float = Field(
        default=3.0,
        ge=0.0,
        le=299.0,
        description="-log10 of the chance that no event carries the column; -log10 of alpha when larger",
    )


class VanishedColumn(Detector[VanishedColumnParams]):
    """Fires when no event carries a feature any more, however rare it was in the reference.

    ``score = c log10((n + m) / m)``, or 0 while one event carries it: c of the reference's m rows had a value,
    none of the window's n has. It is -log10 of the chance that all c fall on the reference's side. It
    speaks for the same alert kind as `missing_rate`, which misses a feature that was rare already: so a
    feature that is gone is one alert, whichever of them finds it.

    References
    ----------
    Przyborowski, J. and Wilenski, H. (1940), Homogeneity of results in testing samples from Poisson
    series, Biometrika 31 (the conditional test).
    """

    name = "vanished_column"
    kind = "MissingValues"
    targets = frozenset({"number", "category"})
    also = frozenset({"FeatureDrift", "PredictionDrift", "MeanShift"})
    params_class = VanishedColumnParams
    needs_reference = True

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge whether any event still carries the column."""
        column = window.column(self.column)
        rows = 0 if column is None else column.rows
        usual = carried(reference, self.column)
        if column is None or rows < self.params.min_samples:
            reason = shortage(rows, self.params.min_samples, "row")
            return self.insufficient(rows, f"{shorten(self.column)}: {reason}")
        if usual is None:
            return self.insufficient(rows, f"{shorten(self.column)}: no reference to compare with")
        is_gone = column.count == 0
        score = min(usual.hits * math.log10(1 + rows / usual.total), _MOST) if is_gone else 0.0
        limit = max(self.params.threshold, -math.log10(self.params.alpha))
        evidence = Evidence(
            _sentence(column, usual, self.column),
            value=column.count / rows,
            details={"rate": [usual.share, column.count / rows]},
        )
        return self.verdict(score, rows, evidence, threshold=limit)


def carried(window: Window | None, name: str) -> Rate | None:
    """Return the rows that carry a column; None without rows."""
    column = None if window is None else window.column(name)
    return Rate(column.count, column.rows) if column is not None and column.rows else None


def _sentence(column: Column, usual: Rate, name: str) -> str:
    share = "none" if column.count == 0 else percent(column.count / column.rows)
    return f"{shorten(name)}: {share} of {quantity(column.rows, 'event')} carry it (reference {percent(usual.share)})"
