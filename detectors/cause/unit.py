"""Whether a column's unit changed: every quantile moved as one unit is turned into another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.window import Column, Window

#: Values a pane needs to be looked at alone: it has no values of before the change among it.
LEAST_VALUES = 100
_QUANTILES = np.arange(0.1, 0.95, 0.1)
#: Quantiles of a reference that must differ, lest a column of few values seems scaled.
_LEAST_DISTINCT = 3
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


def unit_change(window: Window, name: str, reference: Column) -> Unit | None:
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


def turned(column: Column, reference: Column) -> Unit | None:
    """Return which of `UNITS` turns the reference's deciles into the column's.

    Deciles may lie off by a part of the spread that sampling explains: 2 % and ``1.5 / sqrt(values)``, at
    most 10 %; so may the spread, by a part of itself.

    Examples
    --------
    >>> def column(values):
    ...     return Column("x", "number", count=5000, sketch_values=values, sketch_counts=np.full(50, 100))
    >>> lengths = np.linspace(50.0, 80.0, 50)
    >>> turned(column(lengths * 2.54), column(lengths)).words
    '2.54 times what they were, as cm for inches'
    >>> turned(column(lengths + 20.0), column(lengths)) is None
    True
    """
    if column.kind != "number" or min(column.count, reference.count) < LEAST_VALUES:
        return None
    now, usual = _deciles(column), _deciles(reference)
    if now is None or usual is None or len(np.unique(usual)) < _LEAST_DISTINCT:
        return None
    spread, allowed = usual[-1] - usual[0], _allowed(min(column.count, reference.count))
    lower = usual[len(usual) // 2] - usual[0]
    best: tuple[float, Unit] | None = None
    for unit in UNITS:
        turned_deciles = unit.factor * usual + unit.offset
        if unit.factor < 0:
            turned_deciles = turned_deciles[::-1]
        size = abs(unit.factor) * spread
        off = float(np.max(np.abs(now - turned_deciles))) / size
        scaled = abs((now[-1] - now[0]) / size - 1)
        tail = abs((now[len(now) // 2] - now[0]) / (abs(unit.factor) * lower) - 1) if lower > 0 else 0.0
        fits = off <= allowed and scaled <= allowed and (unit.factor < 0 or tail <= 2 * allowed)
        if fits and (best is None or off < best[0]):
            best = off, unit
    return None if best is None or _stays(now, usual, spread, allowed) else best[1]


def _stays(now: NDArray[np.float64], usual: NDArray[np.float64], spread: float, allowed: float) -> bool:
    """Return whether the deciles are where they were: then nothing was turned, whatever else fits too."""
    return bool(np.max(np.abs(now - usual)) <= allowed * spread)


def _allowed(values: int) -> float:
    return min(0.02 + 1.5 / float(np.sqrt(values)), 0.1)


def _deciles(column: Column) -> NDArray[np.float64] | None:
    counts = np.cumsum(column.sketch_counts)
    if not counts.size or counts[-1] == 0:
        return None
    places = np.searchsorted(counts, (_QUANTILES * counts[-1]).astype(np.int64), side="right")
    return np.asarray(column.sketch_values[np.minimum(places, counts.size - 1)], dtype=np.float64)
