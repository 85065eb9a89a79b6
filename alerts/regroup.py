"""Fitting the state to a config: after a reload, and after a restore."""

from alerts import escalation, reconciliation
from alerts.agenda import Due
from alerts.book import Book
from alerts.decision import Decision, Reason, Stage
from alerts.intake import place


def regroup(book: Book, now_ms: int) -> None:
    """Move every alert to the groups the config now gives it; what stays the same keeps its timers.

    A group whose route is gone is forgotten, untold; one that merely lost an alert tells its end. A
    receiver that is no longer the group's is told nothing more, a new one at the group's next turn.
    """
    for group_id in sorted(book.groups):
        if book.groups[group_id].route_key in book.nodes:
            _drop_ledgers(book, group_id)
        else:
            book.forget_group(group_id)
    for fingerprint in sorted(book.records):
        record = book.records[fingerprint]
        if record.firing:
            for decision in place(book, fingerprint, book.routes(record.upsert.labels, now_ms), now_ms):
                book.note(fingerprint, decision)
        else:
            book.close_if_over(fingerprint, now_ms)
    for group_id in sorted(book.groups):
        if not book.groups[group_id].members:
            book.forget_group(group_id)
        else:
            escalation.set_timer(book, group_id, now_ms)


def take_up_deliveries(book: Book, now_ms: int) -> None:
    """After a crash: ask for what was being sent, or send it again, as nobody knows whether it arrived."""
    for group_id, integration, ledger in book.ledgers():
        if ledger.state == "SENDING":
            lost = Decision(now_ms, Stage.DELIVER, Reason.TAKEN_OVER, integration, message=ledger.delivery_id)
            for fingerprint in ledger.news:
                book.note(fingerprint, lost)
            if ledger.quiet:
                ledger.state, ledger.not_before_ms, ledger.delivery_id = "PENDING", now_ms, ""
                ledger.sending, ledger.news, ledger.again = {}, [], False
                book.touch_ledger(group_id, integration)
            else:
                reconciliation.doubt(book, (group_id, integration), now_ms)
        if ledger.state == "PENDING":
            book.agenda.add(Due(ledger.not_before_ms, group_id, integration))


def _drop_ledgers(book: Book, group_id: str) -> None:
    group = book.groups[group_id]
    kept = {integration.key for integration in book.integrations(group)}
    for gone in sorted(group.ledgers.keys() - kept):
        book.in_flight.pop(group.ledgers.pop(gone).delivery_id, None)
        book.touch_ledger(group_id, gone)
    for gone in sorted(group.refusals.keys() - kept):
        del group.refusals[gone]
        book.touch_group(group_id)
