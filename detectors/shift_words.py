"""A shift of a distribution in words: which way, how far, since when."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from detectors.comparison import Comparison, means
from detectors.sentence import figure, percent, shorten
from detectors.tally import MISSING
from detectors.tilt import Directions

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Shift:
    """A direction of a column, and the counts since its evidence began.

    Parameters
    ----------
    labels
        Names of the counts' bins, ``missing`` last.
    """

    directions: Directions
    direction: int
    counts: NDArray[np.int64]
    labels: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Events since then."""
        return int(self.counts.sum())

    @property
    def effect(self) -> float:
        """How far the events since then lie off the reference, standard deviations of the direction's score."""
        sums = self.directions.project(self.counts.astype(np.float64))
        return float(sums[self.direction]) / max(self.rows, 1)

    @property
    def name(self) -> str:
        """The direction's name: location, scale, or the bin whose share it is."""
        return (*self.directions.shapes, *self.labels)[self.direction]


def said(shift: Shift, found: Comparison) -> str:
    """Return the shift as a person would say it; ``found`` is the column of the window, and of the reference."""
    shapes, moved = shift.directions.shapes, means(found)
    before = f"{moved}, " if moved else ""
    if shift.direction >= len(shapes):
        return before + _share_said(shift, shift.direction - len(shapes))
    if shapes[shift.direction] == "location":
        way = "up" if shift.effect > 0 else "down"
        return f"{before}values {way} by {figure(abs(shift.effect), 2)} standard deviations"
    return _scale_said(shift, found)


def _scale_said(shift: Shift, found: Comparison) -> str:
    way = "wider" if shift.effect > 0 else "narrower"
    before, after = found.reference.standard_deviation, found.current.standard_deviation
    if not (np.isfinite(before) and np.isfinite(after)):
        return f"spread {way}"
    return f"spread {way}, standard deviation {figure(before)} → {figure(after)}"


def _share_said(shift: Shift, place: int) -> str:
    now = int(shift.counts[place]) / max(shift.rows, 1)
    is_missing = place == len(shift.labels) - 1
    what = f"{MISSING} values" if is_missing else f"share of {shorten(shift.labels[place], 32)!r}"
    return f"{what} {percent(float(shift.directions.shares[place]))} → {percent(now)}"


def strength(score: float, threshold: float) -> str:
    """Return how strong the evidence is, as powers of ten.

    Examples
    --------
    >>> strength(7.24, 6.4), strength(6.41, 6.4)
    ('evidence 10^7.2 (threshold 10^6.4)', 'evidence 10^6.4100 (threshold 10^6.4000)')
    """
    digits = 1 if f"{score:.1f}" != f"{threshold:.1f}" else 4
    return f"evidence 10^{score:.{digits}f} (threshold 10^{threshold:.{digits}f})"


def clock(at_ms: int, now_ms: int) -> str:
    """Return an event time (UTC), with its day where that is not today's.

    Examples
    --------
    >>> clock(50_700_000, 51_000_000), clock(50_700_000, 1_790_000_000_000)
    ('14:05 UTC', '1970-01-01 14:05 UTC')
    """
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at:%H:%M} UTC" if at_ms // _DAY_MS == now_ms // _DAY_MS else f"{at:%Y-%m-%d %H:%M} UTC"
