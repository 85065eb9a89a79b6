"""Flapping: an alert that begins and ends again and again is held as one that fires, until it has been quiet.

While it flaps it counts as firing for all that the desk decides: it stays in its groups, it is told once and says that
it flaps, its ack stays, it may inhibit others. When it neither began nor ended for a while it is told as it is.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alerts import duration
from alerts.decision import Decision, Reason, Stage
from alerts.notification import rfc3339

if TYPE_CHECKING:
    from alerts.book import Book


@dataclass(frozen=True, slots=True)
class Flap:
    """Since when an alert flaps, how often it began or ended since, and until when it is held if it does not again."""

    since_ms: int
    until_ms: int
    count: int


def words(flap: Flap) -> str:
    """Return in words that an alert flaps.

    Examples
    --------
    >>> words(Flap(since_ms=1_795_424_400_000, until_ms=1_795_426_000_000, count=4))
    'Flaps: began or ended 4 times since 2026-11-23 09:00:00 UTC, held as firing until it is quiet.'
    """
    since = rfc3339(flap.since_ms)[:19].replace("T", " ")
    return f"Flaps: began or ended {flap.count} times since {since} UTC, held as firing until it is quiet."


def turn(book: "Book", fingerprint: str, now_ms: int) -> None:
    """Take note that an alert begins or ends."""
    rule, record = book.config.defaults.flapping, book.records[fingerprint]
    if not rule.transitions:
        return
    record.turned_ms = [at_ms for at_ms in (*record.turned_ms, now_ms) if at_ms > now_ms - rule.within_ms]
    record.turned_ms = record.turned_ms[-rule.transitions :]
    flap, until_ms = record.flap, now_ms + rule.quiet_ms
    if flap is not None:
        record.flap = Flap(flap.since_ms, until_ms, flap.count + 1)
    elif len(record.turned_ms) == rule.transitions:
        record.flap = Flap(record.turned_ms[0], until_ms, rule.transitions)
        within, quiet = duration.format(rule.within_ms), duration.format(rule.quiet_ms)
        detail = f"{rule.transitions} times within {within}; held as firing until it is quiet for {quiet}"
        book.note(fingerprint, Decision(now_ms, Stage.REMEMBER, Reason.FLAPS, detail=detail))


def calm(book: "Book", fingerprint: str, now_ms: int) -> None:
    """Let go of an alert that has been quiet for long enough: it is told as it is."""
    record = book.records[fingerprint]
    if record.flap is None or now_ms < record.flap.until_ms:
        return
    record.flap = None
    record.turned_ms = []
    detail = f"it {'fires' if record.firing else 'is over'}"
    book.note(fingerprint, Decision(now_ms, Stage.REMEMBER, Reason.FLAPPED, detail=detail))
