"""Times as they come in (RFC 3339, epoch milliseconds) and as people read them (UTC)."""

import re
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from streams.views import rfc3339

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGER = re.compile(r"-?\d{1,14}")
#: A query string's "+" arrives as a space when the caller did not quote it.
_LOST_PLUS = re.compile(r" (?=\d{2}:?\d{2}$)")
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


def epoch_ms(text: str) -> int:
    """Return a time, RFC 3339 with an offset or epoch milliseconds, as epoch milliseconds.

    Raises
    ------
    ValueError
        The text is neither; the message says what would do.

    Examples
    --------
    >>> epoch_ms("1970-01-01T00:00:01.5Z"), epoch_ms("1970-01-01T01:00:00+01:00"), epoch_ms("42")
    (1500, 0, 42)
    """
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        at = datetime.fromisoformat(_LOST_PLUS.sub("+", text))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(
            f"{text!r} is no time; give RFC 3339 with an offset, like 2026-11-23T09:00:00Z, or epoch ms"
        )
    return since_epoch_ms(at)


def since_epoch_ms(at: datetime) -> int:
    """Return the epoch milliseconds of a datetime with an offset."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def moment(at_ms: int) -> datetime:
    """Return the UTC datetime of an epoch-millisecond time."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def duration(span_ms: float) -> str:
    """Return a span in its largest fitting unit.

    Examples
    --------
    >>> duration(12_300), duration(90_000), duration(7_200_000), duration(400)
    ('12 s', '1 min', '2 h', '0 s')
    """
    for unit_ms, name in _UNITS:
        if span_ms >= unit_ms:
            return f"{int(span_ms // unit_ms)} {name}"
    return "0 s"


def ago(at_ms: int | None, now_ms: int) -> Markup:
    """Return how long ago a time was, as a ``<time>`` element with the exact time in its title.

    Examples
    --------
    >>> str(ago(0, 5000))
    '<time datetime="1970-01-01T00:00:00.000Z" title="1970-01-01 00:00:00 UTC">5 s ago</time>'
    """
    if at_ms is None:
        return Markup('<span class="none">never</span>')
    lag_ms = now_ms - at_ms
    words = f"{duration(lag_ms)} ago" if lag_ms >= 1000 else "just now"
    if lag_ms <= -1000:
        words = f"in {duration(-lag_ms)}"
    return _time(at_ms, words)


def utc(at_ms: int, now_ms: int | None = None) -> Markup:
    """Return a time of day in UTC as a ``<time>`` element; with the date unless it is today."""
    today = now_ms is not None and moment(now_ms).date() == moment(at_ms).date()
    return _time(at_ms, f"{moment(at_ms):{'%H:%M:%S' if today else '%Y-%m-%d %H:%M:%S'}} UTC")


def _time(at_ms: int, words: str) -> Markup:
    return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S} UTC">{}</time>').format(
        rfc3339(at_ms), moment(at_ms), words
    )
