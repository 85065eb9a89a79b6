"""The stages a due group passes at each of its receivers: from "may it go now?" to a delivery."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from alerts import care, escalation, fallback, flapping, no_data, related, standing
from alerts.agenda import Due
from alerts.book import Book, identify
from alerts.config import Integration
from alerts.decision import Decision, Reason, Stage
from alerts.notification import Change, Notification, NotifiedAlert, rank, severity_rank
from alerts.routing import Node
from alerts.state import Group, Ledger, Record
from alerts.suppression import mute, put_off, suppress


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification to be sent to one integration now.

    Write the desk's changed rows before sending it, and call `Desk.settled` with ``id`` afterwards.
    ``attempt`` counts from 1; ``previous_reference`` is what the receiver returned last time. With ``asks_for``,
    nothing is sent: the receiver is asked whether it has the one of that idempotency key, begun at ``begun_ms``.
    """

    id: str
    integration: Integration
    notification: Notification
    previous_reference: dict[str, str] | None
    possible_repeat: bool
    attempt: int
    asks_for: str = ""
    begun_ms: int = 0


@dataclass(slots=True)
class Draft:
    """A notification in the making; a stage that sends nothing sets ``stopped``.

    ``held`` are the fingerprints of what fires and is suppressed. ``only_ends``: nothing but the end of what it was
    told is news to the receiver.
    """

    group_id: str
    group: Group
    node: Node
    integration: Integration
    ledger: Ledger
    now_ms: int
    only_ends: bool = False
    alerts: tuple[NotifiedAlert, ...] = ()
    held: frozenset[str] = frozenset()
    news: dict[str, Change] = field(default_factory=dict)
    reason: Reason = Reason.UNCHANGED
    stopped: bool = False
    delivery: Delivery | None = None


def wait(book: Book, draft: Draft) -> None:
    """Stop while a delivery is out, or the next try is not due."""
    ledger = draft.ledger
    if ledger.state == "SENDING":
        ledger.again = True
        book.touch_ledger(draft.group_id, draft.integration.key)
        draft.reason, draft.stopped = Reason.IN_FLIGHT, True
    elif ledger.doubt or (
        ledger.state == "PENDING" and not ledger.quiet and ledger.not_before_ms > draft.now_ms
    ):
        draft.reason, draft.stopped = Reason.WAITS_FOR_RETRY, True


def gather(book: Book, draft: Draft) -> None:
    """Take what fires, and what is over and the receiver was, or may have been, told of."""
    over: list[str] = []
    alerts: list[NotifiedAlert] = []
    for fingerprint in sorted(draft.group.members):
        record = book.records[fingerprint]
        if record.fires_in(draft.group_id):
            if draft.only_ends and fingerprint not in draft.ledger.known:
                continue
            alerts.append(_as_firing(fingerprint, record))
        elif fingerprint in draft.ledger.known:
            over.append(fingerprint)
            alerts.append(_as_resolved(fingerprint, record, draft.group_id))
    if over and not draft.integration.config.send_resolved:
        alerts = [alert for alert in alerts if alert.status == "firing"]
        for fingerprint in over:
            draft.ledger.told.pop(fingerprint, None)
            draft.ledger.maybe.pop(fingerprint, None)
        book.touch_ledger(draft.group_id, draft.integration.key)
    draft.alerts = rank(alerts) if draft.group.shared is None else related.ranked(alerts)


def notification_log(book: Book, draft: Draft) -> None:
    """Stop what the receiver knows already; else say why it is told."""
    ledger, node = draft.ledger, draft.node
    draft.news = {alert.fingerprint: change for alert in draft.alerts if (change := _change(ledger, alert))}
    changes = set(draft.news.values())
    if not draft.alerts:
        draft.reason, draft.stopped = Reason.SUPPRESSED if draft.held else Reason.NOTHING_TO_TELL, True
    elif ledger.uncertain:
        draft.reason = Reason.OUTCOME_UNKNOWN
    elif draft.only_ends and "resolved" not in changes:
        draft.reason, draft.stopped = Reason.STOOD_DOWN, True
    elif any(name in ledger.held for name, change in draft.news.items() if change == "joined"):
        draft.reason = Reason.TOLD_AGAIN
    elif "joined" in changes:
        draft.reason = Reason.JOINED if ledger.told else Reason.FIRST
    elif "worse" in changes:
        draft.reason = Reason.SEVERITY_ROSE
    elif "resolved" in changes:
        draft.reason = Reason.SOME_RESOLVED
    elif all(book.records[alert.fingerprint].ack for alert in draft.alerts):
        draft.reason, draft.stopped = Reason.ACK_STOPS_REPEAT, True
    elif draft.now_ms - ledger.sent_at_ms >= node.repeat_interval_ms:
        draft.reason = Reason.REPEAT
    else:
        draft.reason, draft.stopped = Reason.UNCHANGED, True
    if draft.stopped and not draft.held & ledger.known.keys():
        _nothing_to_send(book, draft)
    elif draft.stopped:
        put_off(book, draft)


def deliver(book: Book, draft: Draft) -> None:
    """Write the ledger's SENDING row, and hand out the delivery."""
    ledger, place = draft.ledger, draft.integration.key
    key = _idempotency_key(draft)
    ledger.state, ledger.again, ledger.attempts = "SENDING", False, ledger.attempts + 1
    ledger.delivery_id, ledger.started_at_ms = key, draft.now_ms
    # What it knows of and is suppressed now, it goes on to know of.
    ledger.sending = {name: severity for name, severity in ledger.known.items() if name in draft.held}
    ledger.sending |= {
        alert.fingerprint: alert.severity for alert in draft.alerts if alert.status == "firing"
    }
    ledger.news = sorted(draft.news) or [alert.fingerprint for alert in draft.alerts]
    firing = [alert.fingerprint for alert in draft.alerts if alert.status == "firing"]
    ledger.quiet = False
    ledger.showing = care.carried(
        book, draft.integration.config, draft.group_id, ledger, firing, draft.now_ms
    )
    draft.group.ledgers[place] = ledger
    book.in_flight[key] = (draft.group_id, place)
    book.touch_ledger(draft.group_id, place)
    for fingerprint in ledger.news:
        book.note(fingerprint, _told(draft, key))
    draft.delivery = Delivery(
        id=key,
        integration=draft.integration,
        notification=_notification(book, draft, key),
        previous_reference=ledger.reference,
        possible_repeat=ledger.uncertain,
        attempt=ledger.attempts,
    )


def _told(draft: Draft, key: str) -> Decision:
    attempts = draft.ledger.attempts
    parts = [f"try {attempts}"] if attempts > 1 else []
    parts += ["marked as a possible repeat"] if draft.ledger.uncertain else []
    return Decision(
        draft.now_ms, Stage.DELIVER, draft.reason, draft.integration.key, ", ".join(parts), message=key
    )


def ask(book: Book, group_id: str, integration: Integration, now_ms: int) -> Delivery:
    """Return the question whether a receiver has what may have arrived."""
    group, place = book.groups[group_id], integration.key
    ledger = group.ledgers[place]
    draft = Draft(group_id, group, book.nodes[group.route_key], integration, ledger, now_ms)
    draft.alerts, draft.reason = known(book, group_id, ledger.known), Reason.ASKED
    ledger.state, ledger.delivery_id = "SENDING", identify(ledger.doubt, str(ledger.asked), str(now_ms))
    book.in_flight[ledger.delivery_id] = (group_id, place)
    book.touch_ledger(group_id, place)
    return Delivery(
        id=ledger.delivery_id, integration=integration, notification=_notification(book, draft, ledger.doubt),
        previous_reference=ledger.reference, possible_repeat=False, attempt=ledger.attempts,
        asks_for=ledger.doubt, begun_ms=ledger.started_at_ms,
    )  # fmt: skip


Dispatching = Callable[[Book, Draft], None]

#: The way out. A new stage is one function here; a new way to mute one in `alerts.suppression`.
DISPATCH: tuple[Dispatching, ...] = (wait, mute, gather, suppress, notification_log, deliver)


def flush(book: Book, group_id: str, now_ms: int) -> list[Delivery]:
    """Send what is due of a group whose timer rang, and set the timer again."""
    group = book.groups[group_id]
    for fingerprint in sorted(group.members):
        flapping.calm(book, fingerprint, now_ms)
        no_data.look(book, fingerprint, now_ms)
    group.flushed = True
    group.due_ms = now_ms + book.interval_ms(group)
    book.agenda.add(Due(group.due_ms, group_id))
    book.touch_group(group_id)
    escalation.heed(book, group_id, now_ms)
    drafts = [dispatch(book, group_id, integration, now_ms) for integration in book.integrations(group)]
    escalation.heed(book, group_id, now_ms)
    book.sweep(group_id, now_ms)
    return [delivery for delivery in drafts if delivery]


def retry(book: Book, due: Due, now_ms: int) -> list[Delivery]:
    """Send what waited for its next try."""
    group = book.groups[due.group]
    places = {integration.key: integration for integration in book.integrations(group)}
    delivery = dispatch(book, due.group, places[due.integration], now_ms)
    book.sweep(due.group, now_ms)
    return [delivery] if delivery else []


def known(book: Book, group_id: str, told: Collection[str]) -> tuple[NotifiedAlert, ...]:
    """Return those alerts of a group that a receiver was told of, as they are now."""
    found = ((name, book.records[name]) for name in sorted(book.groups[group_id].members) if name in told)
    return rank(
        [
            _as_firing(name, record) if record.fires_in(group_id) else _as_resolved(name, record, group_id)
            for name, record in found
        ]
    )


def dispatch(book: Book, group_id: str, integration: Integration, now_ms: int) -> Delivery | None:
    """Lead one group through the stages of one integration."""
    group = book.groups[group_id]
    ledger = group.ledgers.get(integration.key) or Ledger()
    only_ends = fallback.only_ends(book, group, integration)
    draft = Draft(group_id, group, book.nodes[group.route_key], integration, ledger, now_ms, only_ends)
    for stage in DISPATCH:
        stage(book, draft)
        if draft.stopped:
            break
    book.counts[draft.reason] += 1
    return draft.delivery


def _nothing_to_send(book: Book, draft: Draft) -> None:
    ledger, place = draft.ledger, draft.integration.key
    if draft.group.ledgers.get(place) is None:
        return
    if ledger.generation == 0:
        del draft.group.ledgers[place]
        book.touch_ledger(draft.group_id, place)
    elif ledger.state != "SENT" or ledger.uncertain:
        ledger.state, ledger.uncertain, ledger.maybe, ledger.attempts = "SENT", False, {}, 0
        book.touch_ledger(draft.group_id, place)


def _change(ledger: Ledger, alert: NotifiedAlert) -> Change:
    if alert.status == "resolved":
        return "resolved"
    told = ledger.told.get(alert.fingerprint)
    if told is None or alert.fingerprint in ledger.held:
        return "joined"
    return "worse" if severity_rank(alert.severity) > severity_rank(told) else ""


def _notification(book: Book, draft: Draft, key: str) -> Notification:
    return Notification(
        group_key=draft.group.key,
        receiver=draft.integration.receiver,
        group_labels=draft.group.labels,
        alerts=tuple(_described(book, draft, alert) for alert in draft.alerts),
        reason=draft.reason,
        idempotency_key=key,
        possible_repeat=draft.ledger.uncertain,
        external_url=book.external_url,
        repeat_interval_ms=draft.node.repeat_interval_ms,
        notes=(
            *related.notes(draft.group, draft.alerts),
            *escalation.notes(draft.group, draft.integration),
            *fallback.notes(book, draft.group, draft.integration),
        ),
    )


def _described(book: Book, draft: Draft, alert: NotifiedAlert) -> NotifiedAlert:
    change = draft.news.get(alert.fingerprint, "")
    if alert.status == "resolved":
        return replace(alert, change=change)
    acknowledged_by, silenced_by = care.words(book, alert.fingerprint, draft.now_ms)
    return replace(alert, change=change, acknowledged_by=acknowledged_by, silenced_by=silenced_by)


def _idempotency_key(draft: Draft) -> str:
    # In an order of their own: that of the message may change from try to try.
    content = sorted(f"{alert.fingerprint}:{alert.status}:{alert.severity}" for alert in draft.alerts)
    # A group that was forgotten and begins anew must not look like a repeat of its past.
    incarnation = f"{draft.group.created_ms}:{draft.ledger.generation}"
    return identify(draft.group_id, draft.integration.key, incarnation, *content)


def _as_firing(fingerprint: str, record: Record) -> NotifiedAlert:
    upsert = record.upsert
    state = standing.words(record)
    return NotifiedAlert(
        fingerprint, "firing", upsert.labels, upsert.annotations, upsert.starts_at_ms, None, state=state,
        generator_url=record.generator_url,
    )  # fmt: skip


def _as_resolved(fingerprint: str, record: Record, group_id: str) -> NotifiedAlert:
    upsert, departure = record.upsert, record.groups[group_id]
    if departure is None:
        labels, ends_at_ms = upsert.labels, upsert.ends_at_ms or upsert.pane_end_ms
    else:
        # The receiver knows it under the severity it had in this group.
        labels, ends_at_ms = upsert.labels | {"severity": departure.severity}, departure.at_ms
    return NotifiedAlert(
        fingerprint, "resolved", labels, upsert.annotations, upsert.starts_at_ms, ends_at_ms,
        generator_url=record.generator_url,
    )  # fmt: skip
