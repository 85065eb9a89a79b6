"""Durations as Alertmanager writes them: ``30s``, ``1h30m``, ``1d``; inside, integer milliseconds."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from alerts.errors import DurationError

_UNITS_MS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_CALENDAR = frozenset("ywd")
_SHAPE = re.compile("".join(rf"(?:(?P<{unit}>[0-9]{{1,12}}){unit})?" for unit in _UNITS_MS))


def parse(text: str) -> int:
    """Return the milliseconds a duration stands for.

    Units from large to small, each at most once: y (365 d), w, d, h, m, s, ms. ``0`` needs no unit.

    Parameters
    ----------
    text
        For instance ``1h30m``.

    Raises
    ------
    DurationError
        If it is anything else.

    Examples
    --------
    >>> parse("1h30m"), parse("1d"), parse("250ms"), parse("0")
    (5400000, 86400000, 250, 0)
    """
    if text == "0":
        return 0
    found = _SHAPE.fullmatch(text)
    if not text or found is None:
        raise DurationError(f"{text[:80]!r} is not a duration; write one such as 30s, 5m, 1h30m or 1d")
    return sum(int(found[unit]) * factor for unit, factor in _UNITS_MS.items() if found[unit])


def format(duration_ms: int) -> str:
    """Return a duration as `parse` reads it; days, weeks and years only when nothing is left over.

    Parameters
    ----------
    duration_ms
        Milliseconds, 0 or more.

    Examples
    --------
    >>> format(5_400_000), format(14 * 86_400_000), format(129_600_000), format(0)
    ('1h30m', '2w', '36h', '0s')
    """
    if duration_ms < 0:
        raise DurationError(f"{duration_ms} ms is negative; a duration is 0 or more")
    left, parts = duration_ms, []
    for unit, factor in _UNITS_MS.items():
        if left >= factor and (unit not in _CALENDAR or left % factor == 0):
            parts.append(f"{left // factor}{unit}")
            left %= factor
    return "".join(parts) or "0s"


def _read(value: Any) -> int:
    if isinstance(value, str):
        return parse(value)
    raise DurationError(f"a duration is text with a unit, such as 30s or 5m, not {type(value).__name__}")


#: A pydantic field written as a duration and held in milliseconds.
DurationMs = Annotated[int, BeforeValidator(_read)]
#: The same, longer than nothing.
PositiveDurationMs = Annotated[int, Field(gt=0), BeforeValidator(_read)]
