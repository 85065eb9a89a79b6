"""Asking a receiver whether it has what may have arrived, where it can be asked, before it is sent again.

A try whose outcome is not known (a crash, a connection that broke) leaves its idempotency key in the ledger as a
*doubt*, with what it said. The receiver is then asked for the key: what is found was sent; what is not there is sent
again, as though for the first time. Only where it cannot be found out is the next message marked as a possible repeat.
"""

from typing import TYPE_CHECKING

from alerts.agenda import Due
from alerts.decision import Decision, Reason, Stage
from alerts.notification import rfc3339
from alerts.outcome import Failed, Finding, Found, Missing, Outcome, Retry, Sent, Unknowable
from alerts.receiver_config import SlackConfig

if TYPE_CHECKING:
    from alerts.book import Book
    from alerts.state import Ledger

#: What was on its way when a connection broke is there, if it is to be there at all, so long after it was begun.
ARRIVES_WITHIN_MS = 5_000
#: Receivers that cannot be asked so many times in a row are not asked on: an alert must not wait for that.
ASKED_AT_MOST = 3
_ERROR_KEPT = 300


def can_be_asked(book: "Book", group_id: str, place: str) -> bool:
    """Return whether an integration can be asked for a message by its idempotency key."""
    return isinstance(book.integration(book.groups[group_id], place).config, SlackConfig)


def doubt(book: "Book", where: tuple[str, str], now_ms: int, wait_ms: int = 0) -> None:
    """Keep in mind what may have arrived: the receiver is asked, or the next message is marked."""
    group_id, place = where
    ledger = book.groups[group_id].ledgers[place]
    key = ledger.doubt or ledger.delivery_id
    not_before_ms = now_ms + wait_ms
    if key and can_be_asked(book, group_id, place):
        ledger.doubt, not_before_ms = key, max(not_before_ms, ledger.started_at_ms + ARRIVES_WITHIN_MS)
    else:
        _mark(ledger)
    _wait(book, where, not_before_ms)


def settle(
    book: "Book", where: tuple[str, str], outcome: Outcome | Finding, backoff_ms: int, now_ms: int
) -> Decision:
    """Take what asking for a doubtful try came to; of `Found`, `alerts.settlement` writes that it was taken."""
    group_id, place = where
    ledger = book.groups[group_id].ledgers[place]
    ledger.asked, key = ledger.asked + 1, ledger.doubt
    if isinstance(outcome, Retry) and ledger.asked < ASKED_AT_MOST:
        _wait(book, where, now_ms + max(outcome.after_ms, backoff_ms))
        detail = f"{outcome.reason[:_ERROR_KEPT]}; asked again {rfc3339(ledger.not_before_ms)}"
        return Decision(now_ms, Stage.DELIVER, Reason.CANNOT_ASK, place, detail, message=key)
    missing = isinstance(outcome, Missing)
    if not missing:
        _mark(ledger)
    ledger.doubt, ledger.asked, ledger.sending, ledger.news = "", 0, {}, []
    _wait(book, where, now_ms)
    if missing:
        return Decision(now_ms, Stage.DELIVER, Reason.NOT_ARRIVED, place, message=key)
    reason = outcome.reason if isinstance(outcome, Retry | Failed | Unknowable) else type(outcome).__name__
    return Decision(now_ms, Stage.DELIVER, Reason.CANNOT_ASK, place, reason[:_ERROR_KEPT], message=key)


def found(outcome: Outcome | Finding) -> Sent | None:
    """Return what a receiver would have said when it took what it was found to have."""
    return Sent(outcome.reference) if isinstance(outcome, Found) else None


def _mark(ledger: "Ledger") -> None:
    ledger.uncertain, ledger.maybe = True, ledger.maybe | ledger.sending
    ledger.sending, ledger.news = {}, []


def _wait(book: "Book", where: tuple[str, str], not_before_ms: int) -> None:
    group_id, place = where
    ledger = book.groups[group_id].ledgers[place]
    ledger.state, ledger.again, ledger.delivery_id, ledger.not_before_ms = "PENDING", False, "", not_before_ms
    book.agenda.add(Due(not_before_ms, group_id, place))
    book.touch_ledger(group_id, place)
