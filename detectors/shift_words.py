"""A shift of a distribution in words: which way, how far, since when."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from detectors.comparison import Comparison, means
from detectors.sentence import figure, percent, shorten
from detectors.tally import MISSING
from detectors.tilt import Directions

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Shift:
    """A direction of a column, and the mean of its score (standard deviations) since the evidence began."""

    directions: Directions
    direction: int
    effect: float


def direction_labels(directions: Directions, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return a name per direction: its shape, or the bin whose share it is."""
    return (*directions.shapes, *labels)


def said(shift: Shift, found: Comparison, labels: tuple[str, ...]) -> str:
    """Return the shift as a person would say it.

    Parameters
    ----------
    found
        The column of the window, and of the reference.
    labels
        Names of the bins, ``missing`` last.
    """
    shapes = shift.directions.shapes
    if shift.direction >= len(shapes):
        return _share_said(shift, shift.direction - len(shapes), labels)
    size = f"{figure(abs(shift.effect), 2)} standard deviations"
    if shapes[shift.direction] == "location":
        way = "up" if shift.effect > 0 else "down"
        moved = means(found)
        return f"{moved}, values {way} by {size}" if moved else f"values {way} by {size}"
    before, after = found.reference.standard_deviation, found.current.standard_deviation
    way = "wider" if shift.effect > 0 else "narrower"
    if not (np.isfinite(before) and np.isfinite(after)):
        return f"spread {way}"
    return f"spread {way}, standard deviation {figure(before)} → {figure(after)}"


def _share_said(shift: Shift, place: int, labels: tuple[str, ...]) -> str:
    usual = float(shift.directions.shares[place])
    now = float(np.clip(usual + shift.effect * shift.directions.deviations[place], 0.0, 1.0))
    what = "missing values" if labels[place] == MISSING and place == len(labels) - 1 else labels[place]
    return f"{shorten(what, 32)} {percent(usual)} → {percent(now)}"


def exponent(score: float, threshold: float) -> str:
    """Return how evidence stands to its threshold, as powers of ten.

    Examples
    --------
    >>> exponent(7.24, 6.4), exponent(0.31, 6.4)
    ('10^7.2 > 10^6.4', '10^0.3 ≤ 10^6.4')
    """
    digits = 1 if f"{score:.1f}" != f"{threshold:.1f}" else 4
    sign = ">" if score > threshold else "≤"
    return f"10^{score:.{digits}f} {sign} 10^{threshold:.{digits}f}"


def clock(at_ms: int, now_ms: int) -> str:
    """Return an event time (UTC), with its day where that is not today's.

    Examples
    --------
    >>> clock(50_700_000, 51_000_000), clock(50_700_000, 1_790_000_000_000)
    ('14:05 UTC', '1970-01-01 14:05 UTC')
    """
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at:%H:%M} UTC" if at_ms // _DAY_MS == now_ms // _DAY_MS else f"{at:%Y-%m-%d %H:%M} UTC"
