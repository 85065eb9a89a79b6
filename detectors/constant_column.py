"""A column that has stopped varying."""

import math

import numpy as np
from pydantic import Field

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import Comparison, Shortfall, compare
from detectors.cumulative import bucket_bounds
from detectors.sentence import figure, percent, quantity, shorten
from detectors.significance import SignificanceParams
from detectors.window import Column, Window

#: Where a probability leaves the range of a double.
_MOST = 300.0


class ConstantColumnParams(SignificanceParams):
    """Parameters of the constant column."""

    threshold: float = Field(
        default=3.0,
        ge=0.0,
        le=299.0,
        description="-log10 of the chance that the reference gives one value only; -log10 of alpha when larger",
    )
    usual_share: float = Field(
        default=0.95,
        gt=0.0,
        lt=1.0,
        description="share of that value in the reference (0 to 1) above which the column hardly varied before",
    )


class ConstantColumn(Detector[ConstantColumnParams]):
    """Fires when every value of a window is the same, though the reference varies.

    ``score = -(n - 1) log10 s``, or 0 while the window holds two values: n the window's values, s the share of
    the one value in the reference. It is -log10 of a bound on the chance that a window like the reference
    holds one value only. For numbers s is that of the value's bin or sketch bucket, whichever is smaller,
    for unlisted categories that of all of them: never less than the true share, so the score never more.

    References
    ----------
    Feller, W. (1968), An Introduction to Probability Theory and Its Applications, volume I, 3rd ed., chapter V,
    on runs of independent trials.
    """

    name = "constant_column"
    kind = "ConstantColumn"
    targets = frozenset({"number", "category", "prediction"})
    also = frozenset({"VanishedCategories", "FeatureDrift", "PredictionDrift", "MeanShift"})
    params_class = ConstantColumnParams
    needs_reference = True

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge whether the column still varies."""
        comparison = compare(window, reference, self.column, self.params.min_samples)
        if isinstance(comparison, Shortfall):
            return self.insufficient(comparison.samples, comparison.reason)
        only, usual = _only_value(comparison)
        limit = max(self.params.threshold, -math.log10(self.params.alpha))
        seen = quantity(comparison.samples, "value")
        if only is None:
            sentence = f"{shorten(self.column)}: {seen} vary"
            return self.verdict(0.0, comparison.samples, Evidence(sentence), threshold=limit)
        varied = usual <= self.params.usual_share
        score = min(-(comparison.samples - 1) * math.log10(usual), _MOST) if varied else 0.0
        sentence = (
            f"{shorten(self.column)}: all {seen} are {only}, which held {percent(usual)} of the reference"
        )
        details = {"usual_share": usual, "reference_samples": comparison.reference_samples}
        return self.verdict(
            score, comparison.samples, Evidence(sentence, value=usual, details=details), threshold=limit
        )


def _only_value(comparison: Comparison) -> tuple[str | None, float]:
    """Return the one value of the window, if there is but one, and its share in the reference at most."""
    current, reference = comparison.current, comparison.reference
    if current.kind == "category":
        name, place = _only_category(current)
        return name, _share(int(reference.bins[place]), comparison.reference_samples)
    if current.minimum != current.maximum:
        return None, 1.0
    return figure(current.minimum, 6), _share_of_number(reference, current.minimum)


def _only_category(column: Column) -> tuple[str | None, int]:
    held = np.flatnonzero(column.bins)
    place = int(held[0])
    if held.size > 1:
        return None, place
    if place < column.bins.size - 1:
        return shorten(column.labels[place], 32), place
    unlisted = dict(column.unlisted)
    is_one = len(unlisted) == 1 and sum(unlisted.values()) == int(column.bins[-1])
    return (shorten(next(iter(unlisted)), 32) if is_one else None), place


def _share_of_number(reference: Column, value: float) -> float:
    place = int(np.searchsorted(reference.edges, value, side="right"))
    shares = [_share(int(reference.bins[place]), int(reference.bins.sum()))]
    if total := int(reference.sketch_counts.sum()):
        same = bucket_bounds(reference.sketch_values)[0] == bucket_bounds(np.array([value]))[0]
        shares.append(_share(int(reference.sketch_counts[same].sum()), total))
    return min(shares)


def _share(hits: int, total: int) -> float:
    """Return a share that is never nil: one more event is counted in."""
    return (hits + 1) / (total + 1)
