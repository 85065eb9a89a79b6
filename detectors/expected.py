"""One expectation of a column, and what a window says to it."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import special

from detectors.cumulative import bucket_bounds
from detectors.sentence import figure, percent
from detectors.significance import Rate, rate_limit
from detectors.window import Column

ShareName = Literal["not_be_null", "be_between", "be_in_set"]
FigureName = Literal[
    "mean_to_be_between",
    "stdev_to_be_between",
    "min_to_be_between",
    "max_to_be_between",
    "median_to_be_between",
    "quantile_to_be_between",
    "unique_value_count_to_be_between",
    "proportion_of_unique_values_to_be_between",
]

#: Relative standard error of a number's distinct values (256 HyperLogLog registers).
DISTINCT_ERROR = 1.04 / 16
_SHARE_WORDS = {
    "not_be_null": "not null",
    "be_between": "within the monitor's min and max",
    "be_in_set": "among the monitor's values",
}
_FIGURE_WORDS = {
    "mean_to_be_between": "mean",
    "stdev_to_be_between": "standard deviation",
    "min_to_be_between": "minimum",
    "max_to_be_between": "maximum",
    "median_to_be_between": "median",
    "unique_value_count_to_be_between": "number of distinct values",
    "proportion_of_unique_values_to_be_between": "distinct values per value",
}


class Expectation(BaseModel):
    """One expectation: of a share of rows (``mostly``), or of a figure (``min``, ``max``)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: ShareName | FigureName = Field(description="what is expected")
    mostly: float = Field(default=1.0, ge=0.0, le=1.0, description="share of rows it must hold for (0 to 1)")
    min: float | None = Field(default=None, description="least figure")
    max: float | None = Field(default=None, description="greatest figure")
    quantile: float = Field(default=0.5, ge=0.0, le=1.0, description="which quantile (0 to 1)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was expected, what was found, both in words, and whether it fails beyond what chance explains."""

    expected: str
    found: str
    fails: bool


def judge(expectation: Expectation, column: Column, alpha: float) -> Answer | None:
    """Hold a column against one expectation; None where the window cannot tell.

    A share fails when a true share of ``mostly`` would be this bad with probability ``alpha`` at most; a
    mean and a quantile when they lie outside by more than their sampling error at ``alpha``, a quantile
    and the distinct values by more than their sketch's error as well. Standard deviation, minimum and
    maximum are taken as they are.
    """
    if expectation.name in _SHARE_WORDS:
        return _judge_share(expectation, column, alpha)
    bounds = _figure(expectation, column, -float(special.ndtri(min(alpha, 0.5))))
    if bounds is None:
        return None
    low, middle, high = bounds
    fails = (expectation.min is not None and high < expectation.min) or (
        expectation.max is not None and low > expectation.max
    )
    return Answer(_expected_figure(expectation), figure(middle, 5), fails)


def _judge_share(expectation: Expectation, column: Column, alpha: float) -> Answer | None:
    is_null_rate = expectation.name == "not_be_null"
    bad = Rate(column.missing, column.rows) if is_null_rate else Rate(column.out_of_range, column.count)
    if not bad.total:
        return None
    # Rounded, since 1 - 0.95 is a little more than 0.05.
    limit = rate_limit(bad.total, round(1.0 - expectation.mostly, 12), alpha)
    least = "all" if expectation.mostly == 1.0 else f"at least {percent(expectation.mostly)}"
    words = f"{least} {_SHARE_WORDS[expectation.name]}"
    return Answer(words, percent(1.0 - bad.share), bad.share > limit)


def _figure(expectation: Expectation, column: Column, deviations: float) -> tuple[float, float, float] | None:
    """Return the least, the likely and the greatest value that the true figure may have."""
    count = column.count
    if not count:
        return None
    if "unique" in expectation.name:
        low, middle, high = _distinct(column, deviations)
        per = count if expectation.name.startswith("proportion") else 1
        return low / per, middle / per, high / per
    if not math.isfinite(column.mean):
        return None
    match expectation.name:
        case "mean_to_be_between":
            error = deviations * column.standard_deviation / math.sqrt(count)
            return column.mean - error, column.mean, column.mean + error
        case "stdev_to_be_between":
            return (column.standard_deviation,) * 3
        case "min_to_be_between":
            return (column.minimum,) * 3
        case "max_to_be_between":
            return (column.maximum,) * 3
        case _:
            return _quantile(column, expectation.quantile, deviations)


def _quantile(column: Column, q: float, deviations: float) -> tuple[float, float, float] | None:
    if not column.sketch_counts.sum():
        return None
    error = deviations * math.sqrt(q * (1 - q) / column.count)
    low, high = (column.quantile(min(max(q + side, 0.0), 1.0)) for side in (-error, error))
    lower, upper = bucket_bounds(np.array([low]))[0], bucket_bounds(np.array([high]))[1]
    least, most = (float(np.clip(one[0], column.minimum, column.maximum)) for one in (lower, upper))
    return least, column.quantile(q), most


def _distinct(column: Column, deviations: float) -> tuple[float, float, float]:
    found = float(column.distinct)
    if column.kind == "number":
        if column.minimum == column.maximum:
            return 1.0, 1.0, 1.0
        error = deviations * DISTINCT_ERROR * found
        return max(found - error, 2.0), found, min(found + error, float(column.count))
    others = int(column.bins[-1]) if column.bins.size else column.count
    is_whole = sum(column.unlisted.values()) == others
    return found, found, found if is_whole else float(column.count)


def _expected_figure(expectation: Expectation) -> str:
    name = _FIGURE_WORDS.get(expectation.name) or f"{figure(expectation.quantile)}-quantile"
    match expectation.min, expectation.max:
        case None, None:
            return name
        case None, float(most):
            return f"{name} at most {figure(most, 6)}"
        case float(least), None:
            return f"{name} at least {figure(least, 6)}"
        case least, most:
            return f"{name} between {figure(float(least or 0.0), 6)} and {figure(float(most or 0.0), 6)}"
