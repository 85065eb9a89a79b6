"""What came of a delivery, written into the notification log: told, or to be tried again, and when."""

from dataclasses import replace

from alerts import care, fallback, reconciliation
from alerts.agenda import Due
from alerts.book import Book
from alerts.decision import Decision, Reason, Stage
from alerts.notification import clip, rfc3339
from alerts.outcome import Failed, Finding, Outcome, Retry, Sent
from alerts.state import Ledger

_FIRST_BACKOFF_MS = 1_000
_LONGEST_BACKOFF_MS = 5 * 60_000
_ERROR_KEPT = 300
_NAME_KEPT = 200
#: What receivers keep of a message that does not name it.
_NO_NAMES = frozenset({"told"})


def settle(book: Book, delivery_id: str, outcome: Outcome | Finding, now_ms: int) -> tuple[Decision, ...]:
    """Write what came of a delivery into the notification log, and say so to its alerts."""
    where = book.in_flight.pop(delivery_id, None)
    if where is None:
        book.counts[Reason.UNKNOWN_DELIVERY] += 1
        return (Decision(now_ms, Stage.DELIVER, Reason.UNKNOWN_DELIVERY, detail=delivery_id),)
    group_id, place = where
    group = book.groups[group_id]
    ledger = group.ledgers[place]
    told = list(ledger.news)
    decisions: list[Decision] = []
    if isinstance(outcome, Sent | Retry | Failed) and outcome.plain_because:
        because = outcome.plain_because[:_ERROR_KEPT]
        decisions.append(Decision(now_ms, Stage.DELIVER, Reason.TEMPLATE_FAILED, place, because))
    if ledger.doubt:
        decisions.append(_reconciled(book, where, outcome, now_ms))
    elif not isinstance(outcome, Sent | Retry | Failed):
        raise TypeError(f"{outcome} answers a question that was not asked")
    elif ledger.quiet:
        decisions.append(care.settle(book, where, outcome, backoff_ms(ledger.attempts), now_ms))
    elif isinstance(outcome, Sent):
        decisions.append(_taken(book, where, outcome, now_ms))
    else:
        decisions.append(_put_off(book, where, outcome, now_ms))
    for decision in decisions:
        book.counts[decision.reason] += 1
        for fingerprint in told:
            book.note(fingerprint, decision)
    if isinstance(outcome, Failed) and decisions[-1].reason is Reason.FAILED:
        fallback.refused(book, where, outcome.reason[:_ERROR_KEPT], told, now_ms)
    book.touch_ledger(group_id, place)
    book.sweep(group_id, now_ms)
    return tuple(decisions)


def _reconciled(book: Book, where: tuple[str, str], outcome: Outcome | Finding, now_ms: int) -> Decision:
    group_id, place = where
    ledger = book.groups[group_id].ledgers[place]
    sent, key = reconciliation.found(outcome), ledger.doubt
    if sent is None:
        return reconciliation.settle(book, where, outcome, backoff_ms(ledger.asked + 1), now_ms)
    # What has changed since that try is told at once.
    ledger.again = True
    return replace(_taken(book, where, sent, now_ms), reason=Reason.RECONCILED, message=key)


def _taken(book: Book, where: tuple[str, str], outcome: Sent, now_ms: int) -> Decision:
    group_id, place = where
    ledger = book.groups[group_id].ledgers[place]
    again = ledger.again
    fallback.taken(book, group_id, place)
    book.groups[group_id].ledgers[place] = Ledger(
        state="PENDING" if again else "SENT",
        told=ledger.sending,
        generation=ledger.generation + 1,
        not_before_ms=now_ms,
        sent_at_ms=_on_the_beat(book, group_id, ledger.started_at_ms),
        reference=dict(outcome.reference) or ledger.reference,
        held=ledger.held.difference(ledger.news),
        shown=ledger.showing,
    )
    if again:
        book.agenda.add(Due(now_ms, group_id, place))
    else:
        care.catch_up(book, group_id, place, now_ms)
    return Decision(
        now_ms, Stage.DELIVER, Reason.SENT, place, _reference(outcome), message=ledger.delivery_id
    )


def _reference(outcome: Sent) -> str:
    """Return by which names the receiver knows the message, in words."""
    names = {name: value for name, value in outcome.reference.items() if value and name not in _NO_NAMES}
    return ", ".join(f"{name} {clip(value, _NAME_KEPT)}" for name, value in names.items())


def _on_the_beat(book: Book, group_id: str, at_ms: int) -> int:
    """Return the moment nearest to a delivery at which its group was, or will be, due by its interval.

    Repeats are counted from there: one that took a second try is not a second too young to be repeated at the
    group's next turn, which would put that off by a whole interval.
    """
    group = book.groups[group_id]
    interval_ms = book.interval_ms(group)
    late_ms = (at_ms - group.due_ms) % interval_ms
    return at_ms - late_ms if 2 * late_ms <= interval_ms else at_ms + interval_ms - late_ms


def _put_off(book: Book, where: tuple[str, str], outcome: Retry | Failed, now_ms: int) -> Decision:
    group_id, place = where
    group = book.groups[group_id]
    ledger = group.ledgers[place]
    if isinstance(outcome, Retry):
        reason, wait_ms = Reason.RETRY, max(outcome.after_ms, backoff_ms(ledger.attempts))
    else:
        reason, wait_ms = Reason.FAILED, book.interval_ms(group)
    message, ledger.last_error = ledger.delivery_id, outcome.reason[:_ERROR_KEPT]
    if isinstance(outcome, Retry) and outcome.maybe_delivered:
        reconciliation.doubt(book, where, now_ms, wait_ms)
    else:
        ledger.state, ledger.again, ledger.sending, ledger.news = "PENDING", False, {}, []
        ledger.delivery_id, ledger.not_before_ms = "", now_ms + wait_ms
        book.agenda.add(Due(ledger.not_before_ms, group_id, place))
    detail = f"{ledger.last_error}; next try {rfc3339(ledger.not_before_ms)}"
    return Decision(now_ms, Stage.DELIVER, reason, place, detail, message=message)


def backoff_ms(attempts: int) -> int:
    """Return the wait after so many tries: 1 s, doubled each time, at most 5 min, and never random.

    Examples
    --------
    >>> [backoff_ms(attempts) for attempts in (1, 2, 5, 50)]
    [1000, 2000, 16000, 300000]
    """
    return int(min(_FIRST_BACKOFF_MS * 2 ** (min(attempts, 20) - 1), _LONGEST_BACKOFF_MS))
