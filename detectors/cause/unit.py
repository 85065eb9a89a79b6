"""Whether a column's unit changed: turned back, its values are distributed as the reference's.

Held against each other are distributions, not figures of them, so that small panes of skewed values tell as much
as they can, and no more: units that so few values cannot tell apart are all named.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.cumulative import bucket_bounds
from detectors.sentence import listing
from detectors.window import Column, Window

Numbers = NDArray[np.float64]

#: Values a pane needs to be looked at alone: it has no values of before the change among it.
LEAST_VALUES = 100
_QUANTILES = np.arange(0.1, 0.95, 0.1)
#: Buckets that the deciles of a reference must lie in, lest a column of few values seems scaled.
_LEAST_DISTINCT = 3
#: Kolmogorov's distance, by the root of the values, that chance passes in one of a thousand; and what is let pass
#: besides, for no later time is drawn from the reference itself.
_BY_CHANCE, _BY_TIME = 1.95, 0.02
#: By how much a unit must fit better than a mere shift, and up to which a worse one is named too: Cramér and
#: von Mises' statistic, 1/6 on average where nothing has changed.
_BETTER, _ALIKE = 0.15, 0.7
#: A turn that leaves the spread as it was may be a shift: one by so many spreads (of the deciles) is no mere one.
_FAR = 1.5
_HUNDREDS = "as cents for euros, or percents for shares"
_THOUSANDS = "as grams for kilograms, or ms for s"
_MILLIONS = "as microseconds for s"


@dataclass(frozen=True, slots=True)
class Unit:
    """A turn from one unit into another, ``x -> factor * x + offset``, in words."""

    factor: float
    offset: float
    words: str


def _times(factor: float, why: str = "") -> Unit:
    return Unit(factor, 0.0, f"{factor:,} times what they were" + (f", {why}" if why else ""))


@dataclass(frozen=True, slots=True)
class Turned:
    """The turn of unit that fits best, and those that so many values cannot tell from it, the best first."""

    unit: Unit
    others: tuple[Unit, ...] = ()

    @property
    def words(self) -> str:
        """What has become of the values."""
        if not self.others:
            return self.unit.words
        others = listing([one.words for one in self.others])
        return f"{self.unit.words}, or {others} (too few values to tell)"


_TURNS = (
    _times(100, _HUNDREDS),
    _times(1000, _THOUSANDS),
    _times(1_000_000, _MILLIONS),
    _times(10),
    _times(60, "as minutes for hours"),
    _times(3600, "as seconds for hours"),
    _times(24, "as hours for days"),
    _times(7, "as days for weeks"),
    _times(12, "as months for years"),
    _times(2.54, "as cm for inches"),
    _times(3.28084, "as feet for metres"),
    _times(1.609344, "as km for miles"),
    _times(2.204623, "as pounds for kg"),
    _times(3.6, "as km/h for m/s"),
)
_BACK = tuple(
    Unit(1 / one.factor, 0.0, f"a {one.factor:,.0f}th of what they were") if float(one.factor).is_integer()
    else Unit(1 / one.factor, 0.0, f"what they were divided by {one.factor:g}")
    for one in _TURNS
)  # fmt: skip
UNITS = (
    *_TURNS,
    *_BACK,
    Unit(-1.0, 0.0, "what they were with the sign turned"),
    Unit(1.8, 32.0, "what they were in °F for °C"),
    Unit(1 / 1.8, -32.0 / 1.8, "what they were in °C for °F"),
    Unit(1.0, 273.15, "what they were in kelvin for °C"),
    Unit(1.0, -273.15, "what they were in °C for kelvin"),
)


def unit_change(window: Window, name: str, reference: Column) -> Turned | None:
    """Return the turn from one unit into another that a column has taken, if it looks like one.

    The newest pane is looked at first: soon after the change the window still holds values of before.
    """
    columns = [None if window.pane is None else window.pane.column(name), window.column(name)]
    for column in columns:
        if column is not None and column.count >= LEAST_VALUES:
            found = turned(column, reference)
            if found is not None:
                return found
    return None


def turned(column: Column, reference: Column) -> Turned | None:
    """Return which of `UNITS` turns the reference's values into the column's.

    Turned back, the column's distribution must lie no farther from the reference's than chance explains
    (Kolmogorov's distance between what the sketches bound for certain), and nearer than any plain shift of the
    values brings it (Cramér and von Mises' distance): so neither a shift nor a column that stays is a turn of unit.

    Notes
    -----
    A millisecond. From 200 values on, skewed ones too, 95 % of turns by 10, 60, 100, 1000, 2.54, 1.609 or to °F are
    recognised, and fewer than 1 % of shifts by up to 3 standard deviations taken for one
    (``tests/streams/test_unit_changes.py``).

    References
    ----------
    Anderson, T. W. (1962), On the distribution of the two-sample Cramér-von Mises criterion, Ann. Math. Statist. 33.

    Examples
    --------
    >>> def column(values):
    ...     return Column("x", "number", count=5000, minimum=values[0], maximum=values[-1],
    ...                   sketch_values=values, sketch_counts=np.full(50, 100))
    >>> lengths = np.linspace(50.0, 80.0, 50)
    >>> turned(column(lengths * 2.54), column(lengths)).words
    '2.54 times what they were, as cm for inches'
    >>> turned(column(lengths + 20.0), column(lengths)) is None
    True
    """
    if column.kind != "number" or min(column.count, reference.count) < LEAST_VALUES:
        return None
    now, usual = _steps(column), _steps(reference)
    if now is None or usual is None or usual.buckets_of_deciles < _LEAST_DISTINCT:
        return None
    values = column.count * reference.count / (column.count + reference.count)
    fits = sorted(_fits(now, usual, values), key=lambda one: one[0])
    if not fits:
        return None
    off, best = fits[0]
    if _is_mere_shift(best, now, usual, off + _BETTER / values):
        return None
    others = [unit for further, unit in fits[1:] if further < off + _ALIKE / values]
    return Turned(best, tuple(others))


@dataclass(frozen=True, slots=True)
class _Steps:
    """What a sketch knows of a distribution: buckets, ascending, and the share of values up to each one's end."""

    low: Numbers
    high: Numbers
    until: Numbers

    @property
    def deciles(self) -> Numbers:
        """The nine deciles, between the ends of their buckets."""
        knots, shares = self._line
        return np.asarray(np.interp(_QUANTILES, shares, knots), np.float64)

    @property
    def buckets_of_deciles(self) -> int:
        """How many buckets the deciles lie in."""
        return len(np.unique(np.searchsorted(self.until, _QUANTILES)))

    @property
    def _line(self) -> tuple[Numbers, Numbers]:
        before = np.concatenate(([0.0], self.until[:-1]))
        return (
            np.column_stack((self.low, self.high)).reshape(-1),
            np.column_stack((before, self.until)).reshape(-1),
        )

    def back(self, unit: Unit) -> "_Steps":
        """Return the distribution before that turn."""
        low, high = ((one - unit.offset) / unit.factor for one in (self.low, self.high))
        if unit.factor > 0:
            return _Steps(low, high, self.until)
        shares = np.diff(self.until, prepend=0.0)
        return _Steps(high[::-1], low[::-1], np.cumsum(shares[::-1]))

    def at(self, points: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Return the share of values up to each point: as it is probably, at least and at most."""
        knots, shares = self._line
        until = np.concatenate(([0.0], self.until))
        least = until[np.searchsorted(self.high, points, side="right")]
        most = until[np.searchsorted(self.low, points, side="right")]
        return np.interp(points, knots, shares, left=0.0, right=1.0), least, most


def _steps(column: Column) -> _Steps | None:
    counts = column.sketch_counts
    if not counts.sum():
        return None
    low, high = bucket_bounds(column.sketch_values)
    last = np.diff(low, append=np.inf) > 0
    low, high = (np.clip(one[last], column.minimum, column.maximum) for one in (low, high))
    return _Steps(low, high, (np.cumsum(counts) / counts.sum())[last])


def _fits(now: _Steps, usual: _Steps, values: float) -> Iterator[tuple[float, Unit]]:
    """Yield the units that chance lets fit, each with how far it is off."""
    before, median = usual.deciles, float(now.deciles[4])
    spread = float(before[-1] - before[0])
    for unit in UNITS:
        if abs(median - unit.factor * before[4] - unit.offset) > abs(unit.factor) * spread:
            continue
        farthest, off = _distances(now.back(unit), usual)
        if farthest <= _BY_CHANCE / math.sqrt(values) + _BY_TIME:
            yield off, unit


def _is_mere_shift(unit: Unit, now: _Steps, usual: _Steps, off: float) -> bool:
    """Return whether some plain shift, or none, explains the values at least as well."""
    before, after = usual.deciles, now.deciles
    moved = after - before
    if abs(unit.factor) == 1.0 and abs(moved[4]) >= _FAR * (before[-1] - before[0]):
        return False
    shifts = {0.0, float(moved[4]), float(moved[1]), float(moved.mean())}
    return any(_distances(now.back(Unit(1.0, shift, "")), usual)[1] < off for shift in shifts)


def _distances(one: _Steps, two: _Steps) -> tuple[float, float]:
    """Return Kolmogorov's distance, at least, and Cramér and von Mises', probably."""
    points = np.sort(np.concatenate((one.low, one.high, two.low, two.high)))
    (first, least, most), (second, other_least, other_most) = one.at(points), two.at(points)
    farthest = max(float(np.max(least - other_most)), float(np.max(other_least - most)), 0.0)
    squares, weights = (first - second) ** 2, np.diff((first + second) / 2)
    return farthest, float(np.sum((squares[1:] + squares[:-1]) / 2 * weights))
