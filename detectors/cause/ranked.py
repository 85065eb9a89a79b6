"""The ranked cause of a verdict: what of its column drives it, and which features moved with it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.base import Verdict
from detectors.cause.apart import features_apart, pairs_apart
from detectors.cause.drivers import (
    Driver,
    drivers_of,
    missing_driver,
    named,
    new_categories,
    out_of_range,
    vanished_categories,
)
from detectors.cause.moved import Moved, moved
from detectors.cause.raised import raised
from detectors.sentence import figure
from detectors.window import Column, Window

#: Drivers kept in the evidence, beyond those named in words.
KEPT = 10
#: Detectors that count missing values among a column's bins.
_WITH_MISSING = frozenset({"lasting_shift", "prediction_shift"})
_OF_BINS = frozenset({"FeatureDrift", "PredictionDrift", "MeanShift"})


@dataclass(frozen=True, slots=True)
class Ranked:
    """What drives a verdict, most of it first.

    Parameters
    ----------
    sentence
        In words, ``mean 41.2 → 63; values 60 and up 10 % → 48 % (71 % of the score)``.
    drivers
        Of the column: bins, categories, missing values. Of features that go together: pairs.
    features
        Of a prediction's drift, and of performance estimated by scores: the features that moved with it. Of
        errors that are expected to rise: the columns that raise them. Of pairs: those that are in them.
    compared
        Features that were looked at for that.
    """

    sentence: str
    drivers: tuple[Driver, ...] = ()
    features: tuple[Driver, ...] = ()
    compared: int = 0

    def told(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        told: dict[str, Any] = {
            "sentence": self.sentence,
            "drivers": [one.told() for one in self.drivers[:KEPT]],
        }
        return told | ({"features": [one.told() for one in self.features[:KEPT]]} if self.features else {})


def ranked(verdict: Verdict, window: Window, reference: Window | None) -> Ranked | None:
    """Return what drives a firing verdict; None where that is no matter of a column's distribution.

    Parameters
    ----------
    window, reference
        What the verdict was made of.

    Examples
    --------
    >>> from detectors.base import Evidence
    >>> usual = Column("plan", "category", count=90, missing=10)
    >>> now = Column("plan", "category", count=60, missing=40)
    >>> verdict = Verdict("missing_rate", "MissingValues", "plan", "firing", 0.3, 0.02, 100, Evidence(""))
    >>> ranked(verdict, Window("churn", features={"plan": now}), Window("churn", features={"plan": usual})).sentence
    'missing values 10 % → 40 %'
    """
    if verdict.kind == "EstimatedPerformanceDrop":
        return _of_an_estimate(verdict, window, reference)
    if verdict.kind == "MultivariateDrift":
        return _apart(verdict)
    column = window.column(verdict.column)
    usual = None if reference is None else reference.column(verdict.column)
    if column is None:
        return None
    drivers = _drivers(verdict, column, usual)
    if not drivers:
        return None
    words = [one.words for one in named(drivers)]
    if verdict.kind != "MissingValues" and usual is not None and (mean := _mean(column, usual)):
        words.insert(0, mean)
    features: tuple[Driver, ...] = ()
    compared = 0
    if verdict.kind == "PredictionDrift" and reference is not None:
        found = moved(window, reference)
        features, compared = found.drivers, found.compared
        words += _with_it(found)
    return Ranked("; ".join(words), tuple(drivers), features, compared)


def _of_an_estimate(verdict: Verdict, window: Window, reference: Window | None) -> Ranked | None:
    """Return what raises the errors that are expected; of scores, the features that moved with them."""
    if window.calibration is None and window.loss_model is not None:
        found = raised(window.loss_model, window, verdict.column)
        return Ranked(f"expected errors are raised by: {_listed(found)}", features=found) if found else None
    if reference is None or not (words := _with_it(found_with := moved(window, reference))):
        return None
    return Ranked("; ".join(words), features=found_with.drivers, compared=found_with.compared)


def _with_it(found: Moved) -> list[str]:
    if found.drivers:
        return [f"features that moved with it: {_listed(found.drivers)}"]
    return ["no feature moved with it"] if found.compared else []


def _apart(verdict: Verdict) -> Ranked | None:
    pairs, features = pairs_apart(verdict), features_apart(verdict)
    if not pairs:
        return None
    words = [one.words for one in named(pairs)]
    if len(pairs) > 1:
        words.append(f"features: {_listed(tuple(features))}")
    return Ranked("; ".join(words), tuple(pairs), tuple(features))


def _drivers(verdict: Verdict, column: Column, usual: Column | None) -> list[Driver]:
    match verdict.kind:
        case "MissingValues":
            return [missing_driver(column, usual)] if column.rows else []
        case "OutOfRange":
            return [out_of_range(column, usual)]
        case "NewCategories":
            return new_categories(column, usual)
        case "VanishedCategories":
            return vanished_categories(verdict)
    if verdict.kind not in _OF_BINS or usual is None:
        return []
    return drivers_of(verdict.detector, column, usual, with_missing=verdict.detector in _WITH_MISSING)


def _mean(column: Column, usual: Column) -> str:
    if not (np.isfinite(column.mean) and np.isfinite(usual.mean)):
        return ""
    before, after = figure(usual.mean), figure(column.mean)
    return "" if before == after else f"mean {before} → {after}"


def _listed(features: tuple[Driver, ...], shown: int = 3) -> str:
    more = len(features) - shown
    words = ", ".join(one.words for one in features[:shown])
    return f"{words} and {more:,} more" if more > 0 else words
