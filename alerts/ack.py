"""Acknowledgements: somebody looks after an alert, so that nobody is reminded of it.

An ack stops repeats of groups whose alerts are all acknowledged. News is told all the same: alerts that join, ends,
and a rise of severity, which also takes the ack away. So does firing anew after an end.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alerts.decision import Decision, Reason, Stage
from alerts.notification import severity_rank

if TYPE_CHECKING:
    from alerts.book import Book


@dataclass(frozen=True, slots=True)
class Ack:
    """Who looks after an alert since when, and the severity it had then."""

    by: str
    comment: str
    at_ms: int
    severity: str


def acknowledge(book: "Book", fingerprint: str, by: str, comment: str, now_ms: int) -> None:
    """Note that somebody looks after an alert; again by somebody else, it is theirs."""
    record = book.records[fingerprint]
    record.ack = Ack(by, comment, now_ms, record.severity)
    detail = f"by {by}" + (f": {comment}" if comment else "")
    book.note(fingerprint, Decision(now_ms, Stage.COMMAND, Reason.ACKNOWLEDGED, detail=detail))


def take_back(book: "Book", fingerprint: str, by: str, now_ms: int) -> None:
    """Note that nobody looks after an alert any more."""
    book.records[fingerprint].ack = None
    book.note(fingerprint, Decision(now_ms, Stage.COMMAND, Reason.UNACKNOWLEDGED, detail=f"by {by}"))


def outlive(book: "Book", fingerprint: str, *, anew: bool, now_ms: int) -> None:
    """Take the ack away from an alert that fires anew, or is worse than what was acknowledged."""
    record = book.records[fingerprint]
    ack = record.ack
    if ack is None:
        return
    if anew or severity_rank(record.severity) > severity_rank(ack.severity):
        record.ack = None
        detail = "it was over" if anew else f"{ack.severity or 'no severity'} -> {record.severity}"
        book.note(fingerprint, Decision(now_ms, Stage.REMEMBER, Reason.ACK_OUTLIVED, detail=detail))
