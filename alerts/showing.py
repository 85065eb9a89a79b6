"""A group's turn, or that of one of its receivers: what is news is told, then what it shows brought up to date."""

from alerts import care, dispatch
from alerts.agenda import Due
from alerts.book import Book
from alerts.config import Integration
from alerts.decision import Reason
from alerts.dispatch import Delivery, Draft


def take_turn(book: Book, due: Due, now_ms: int) -> list[Delivery]:
    """Return what is to be sent now that a timer rang."""
    group = book.groups[due.group]
    if not due.integration:
        told = dispatch.flush(book, due.group, now_ms)
        places = book.integrations(group)
    elif group.ledgers[due.integration].doubt:
        return [dispatch.ask(book, due.group, book.integration(group, due.integration), now_ms)]
    else:
        told = [] if group.ledgers[due.integration].quiet else dispatch.retry(book, due, now_ms)
        places = (book.integration(group, due.integration),)
    # By then the group may be over.
    shown = [show(book, due.group, place, now_ms) for place in places if due.group in book.groups]
    return told + [delivery for delivery in shown if delivery]


def show(book: Book, group_id: str, integration: Integration, now_ms: int) -> Delivery | None:
    """Return a quiet delivery, if a receiver shows something else of who looks after alerts than what is so."""
    group, place = book.groups[group_id], integration.key
    ledger = group.ledgers.get(place)
    if ledger is None or ledger.state == "SENDING" or ledger.uncertain:
        return None
    waits = ledger.not_before_ms > now_ms if ledger.quiet else ledger.attempts > 0
    if ledger.state == "PENDING" and waits:
        return None
    alerts = dispatch.known(book, group_id, ledger.told)
    fires = any(alert.status == "firing" for alert in alerts)
    if not fires or not care.is_behind(book, group_id, place, now_ms):
        _rest(book, group_id, place)
        return None
    wanted = care.digest(book, integration.config, group_id, ledger.told, now_ms) or ""
    draft = Draft(group_id, group, book.nodes[group.route_key], integration, ledger, now_ms, alerts=alerts)
    draft.news = {
        alert.fingerprint: "" for alert in alerts if any(care.words(book, alert.fingerprint, now_ms))
    }
    draft.reason = Reason.CARE_SHOWN
    dispatch.deliver(book, draft)
    ledger.sending, ledger.quiet, ledger.showing = dict(ledger.told), True, wanted
    return draft.delivery


def _rest(book: Book, group_id: str, place: str) -> None:
    ledger = book.groups[group_id].ledgers[place]
    if ledger.quiet:
        ledger.state, ledger.quiet = "SENT", False
        book.touch_ledger(group_id, place)
