"""A column of the window beside the same column of the reference, or the reason it can't be judged."""

import msgspec
import numpy as np

from detectors.divergence import Counts
from detectors.sentence import figure, quantity, shorten
from detectors.window import Column, Window


class Shortfall(msgspec.Struct, frozen=True):
    """Why there is nothing to judge by yet, and the samples there are."""

    samples: int
    reason: str


class Comparison(msgspec.Struct, frozen=True):
    """Two columns counted in the same bins."""

    current: Column
    reference: Column

    @property
    def counts(self) -> tuple[Counts, Counts]:
        """Bin counts of the window and of the reference."""
        return self.current.bins, self.reference.bins

    @property
    def samples(self) -> int:
        """Values of the window in the bins."""
        return self.current.binned

    @property
    def reference_samples(self) -> int:
        """Values of the reference in the bins."""
        return self.reference.binned


def present(window: Window, name: str, min_samples: int) -> Column | Shortfall:
    """Return a column with at least ``min_samples`` values, or what it lacks."""
    column = window.column(name)
    if column is None:
        return Shortfall(0, f"{shorten(name)}: the window does not carry this column")
    if column.count < min_samples:
        return Shortfall(column.count, f"{shorten(name)}: {shortage(column.count, min_samples, 'value')}")
    return column


def compare(window: Window, reference: Window | None, name: str, min_samples: int) -> Comparison | Shortfall:
    """Return the column of both sides, counted in the same bins, or why they can't be compared."""
    current = present(window, name, min_samples)
    if isinstance(current, Shortfall):
        return current
    usual = None if reference is None else reference.column(name)
    reason = _obstacle(current, usual)
    if usual is None or reason:
        return Shortfall(current.count, f"{shorten(name)}: {reason}")
    comparison = Comparison(current, usual)
    if comparison.samples < min_samples:
        reason = shortage(comparison.samples, min_samples, "binned value")
        return Shortfall(comparison.samples, f"{shorten(name)}: {reason}")
    return comparison


def shortage(samples: int, needed: int, noun: str) -> str:
    """Return how far there is still to go.

    Examples
    --------
    >>> shortage(312, 500, "event")
    '312 of 500 events'
    """
    return f"{samples:,} of {quantity(needed, noun)}"


def _obstacle(current: Column, reference: Column | None) -> str:
    if reference is None:
        return "no reference to compare with"
    if reference.binned == 0:
        return "the reference has no values yet" if reference.bins.size else "the reference still warms up"
    if current.kind != reference.kind:
        return f"a {current.kind} in the window, a {reference.kind} in the reference"
    if current.bins.size != reference.bins.size:
        return f"{current.bins.size} bins in the window, {reference.bins.size} in the reference"
    is_same = current.labels is reference.labels and current.edges is reference.edges
    if not is_same and (
        current.labels != reference.labels or not np.array_equal(current.edges, reference.edges)
    ):
        return "the bins of window and reference are not the same; they come from different layouts"
    return ""


def means(comparison: Comparison) -> str:
    """Return the move of the mean, ``mean 52,300 → 4.4``; empty where there is none."""
    before, after = comparison.reference.mean, comparison.current.mean
    if not (np.isfinite(before) and np.isfinite(after)):
        return ""
    return f"mean {figure(before)} → {figure(after)}"
