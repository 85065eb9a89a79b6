"""One expectation of a column, and what a window says to it."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import special

from detectors.cumulative import bucket_bounds
from detectors.sentence import figure, percent, quantity, shorten
from detectors.significance import Rate, rate_limit
from detectors.window import Column

PatternName = Literal["match_regex", "not_match_regex"]
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
UniqueName = Literal["be_unique"]

#: Relative standard error of a number's distinct values (256 HyperLogLog registers).
DISTINCT_ERROR = 1.04 / 16
#: Names of values that are not listed are cut to so many characters; some that long may be several.
CUT_AT = 100
_SHOWN = 2
_SHARE_WORDS = {
    "not_be_null": "not null",
    "be_between": "within the monitor's min and max",
    "be_in_set": "among the monitor's values",
    "match_regex": "matching",
    "not_match_regex": "not matching",
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
    """One expectation: of a share of rows (``mostly``, ``regex``), or of a figure (``min``, ``max``)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: ShareName | PatternName | FigureName | UniqueName = Field(description="what is expected")
    mostly: float = Field(default=1.0, ge=0.0, le=1.0, description="share of rows it must hold for (0 to 1)")
    min: float | None = Field(default=None, description="least figure")
    max: float | None = Field(default=None, description="greatest figure")
    quantile: float = Field(default=0.5, ge=0.0, le=1.0, description="which quantile (0 to 1)")
    regex: str = Field(default="", description="which pattern")


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
    maximum are taken as they are. Values are not unique when one of those the window names comes twice, or
    when there are fewer distinct numbers than numbers beyond the sketch's error.
    """
    if expectation.name == "be_unique":
        return _judge_unique(column, _deviations(alpha))
    if expectation.name in _SHARE_WORDS:
        return _judge_share(expectation, column, alpha)
    bounds = _figure(expectation, column, _deviations(alpha))
    if bounds is None:
        return None
    low, middle, high = bounds
    fails = (expectation.min is not None and high < expectation.min) or (
        expectation.max is not None and low > expectation.max
    )
    return Answer(_expected_figure(expectation), figure(middle, 5), fails)


def _judge_share(expectation: Expectation, column: Column, alpha: float) -> Answer | None:
    bad, examples = _bad_rows(expectation, column)
    if not bad.total:
        return None
    # Rounded, since 1 - 0.95 is a little more than 0.05.
    limit = rate_limit(bad.total, round(1.0 - expectation.mostly, 12), alpha)
    least = "all" if expectation.mostly == 1.0 else f"at least {percent(expectation.mostly)}"
    words = f"{least} {_SHARE_WORDS[expectation.name]}"
    if expectation.regex:
        words += f" '{shorten(expectation.regex)}'"
    found = percent(1.0 - bad.share)
    return Answer(words, f"{found} (not so: {examples})" if examples else found, bad.share > limit)


def _bad_rows(expectation: Expectation, column: Column) -> tuple[Rate, str]:
    """Return the rows that are not as expected, and some of them in words."""
    if expectation.name == "not_be_null":
        return Rate(column.missing, column.rows), ""
    if not expectation.regex:
        return Rate(column.out_of_range, column.count), ""
    held = column.matched.get((expectation.name, expectation.regex))
    if held is None:
        return Rate(0, 0), ""
    names = sorted(held.examples, key=lambda name: (-held.examples[name], name))
    told = ", ".join(repr(shorten(name, 32)) for name in names[:_SHOWN])
    return Rate(held.looked - held.met, held.looked), told


def _judge_unique(column: Column, deviations: float) -> Answer | None:
    if column.kind == "number" and column.count:
        _, found, high = _distinct(column, deviations)
        words = f"{quantity(round(found), 'distinct value')} among {column.count:,}"
        return Answer("every value once", words, high < column.count)
    times: dict[str, int] = dict(zip(column.labels[:-1], column.bins[:-1].tolist(), strict=True))
    times |= {name: count for name, count in column.unlisted.items() if len(name) < CUT_AT}
    if not any(times.values()):
        return None
    name = max(times, key=lambda name: (times[name], name))
    words = f"{shorten(name, 32)!r} {quantity(times[name], 'time')}"
    return Answer("every value once", words, times[name] > 1)


def _deviations(alpha: float) -> float:
    return -float(special.ndtri(min(alpha, 0.5)))


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
