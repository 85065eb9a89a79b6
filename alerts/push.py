"""Pushes into the desk: ``(book, pushed alert, now) -> taken or not``, and ends that come by themselves.

A pushed alert passes the same stages as the judge's (`alerts.intake`), and lives with routes, groups, inhibition,
silences and acks as they do. Of it, the newest push's annotations count; its times are `alerts.pushed.merge`'s.
"""

from collections.abc import Iterable

from alerts.alert import AlertUpsert
from alerts.book import Book
from alerts.decision import Reason, Stage
from alerts.intake import Intake, take_in
from alerts.notification import rfc3339
from alerts.pushed import Push, Pushed, Span, merge, span
from alerts.state import Record

#: The part of the desk that is kept for Driftline's own alerts: one in so many.
KEPT_FROM_PUSHES = 6


def room(book: Book) -> int:
    """Return how many alerts the desk may hold in all for a pushed one to be taken."""
    return book.max_alerts - book.max_alerts // KEPT_FROM_PUSHES


def push(book: Book, alerts: Iterable[Pushed], now_ms: int) -> list[Pushed]:
    """Take pushed alerts, in order, and return those for which there is no room."""
    return [pushed for pushed in alerts if not _push(book, pushed, now_ms)]


def _push(book: Book, pushed: Pushed, now_ms: int) -> bool:
    fingerprint = pushed.fingerprint
    record = book.records.get(fingerprint)
    told = span(pushed, now_ms, book.config.defaults.resolve_timeout_ms)
    if record is not None and record.push is not None:
        told = merge(_span(record, record.push), told, now_ms)
    elif record is not None:
        # Labels made so that their hash is that of one of Driftline's own.
        return False
    over = told.over(now_ms)
    if over and (record is None or record.upsert.status == "resolved"):
        # Nobody is to be told of it, and no older push can come after.
        return True
    if (record is None or record.closed_at_ms is not None) and book.alerts_held() >= room(book):
        book.counts[Reason.DESK_FULL] += 1
        return False
    upsert = AlertUpsert(
        status="resolved" if over else "firing",
        labels=pushed.labels,
        annotations=pushed.annotations,
        starts_at_ms=told.starts_at_ms,
        ends_at_ms=told.ends_at_ms if over else None,
        **_next_version(record, now_ms),
    )
    intake = Intake(
        upsert, fingerprint, now_ms, push=Push(told.ends_at_ms, told.timeout, pushed.generator_url)
    )
    take_in(book, intake)
    if not over:
        _hasten(book, fingerprint, now_ms)
    return True


def _span(record: Record, push: Push) -> Span:
    return Span(record.upsert.starts_at_ms, push.ends_at_ms, push.timeout)


def _next_version(record: Record | None, now_ms: int) -> dict[str, int]:
    """Return what orders upserts: each push is newer than the one before, whatever the clock says."""
    before_ms, sequence = (now_ms, 0) if record is None else record.version
    return {"pane_end_ms": max(now_ms, before_ms), "sequence": sequence + 1}


def _hasten(book: Book, fingerprint: str, now_ms: int) -> None:
    """Have groups that were never told go at once for an alert that has fired for longer than ``group_wait``."""
    record = book.records[fingerprint]
    for group_id in record.groups:
        group = book.groups[group_id]
        if record.upsert.starts_at_ms + book.nodes[group.route_key].group_wait_ms < now_ms:
            book.hasten(group_id, now_ms)


def expire(book: Book, now_ms: int) -> None:
    """End the pushed alerts whose end has come."""
    for fingerprint in book.expiries.due(now_ms):
        record = book.records[fingerprint]
        assert record.push is not None
        ends_at_ms = record.push.ends_at_ms
        over = {"status": "resolved", "ends_at_ms": ends_at_ms, **_next_version(record, now_ms)}
        intake = Intake(record.upsert.model_copy(update=over), fingerprint, now_ms, push=record.push)
        how = "not pushed again by" if record.push.timeout else "to end at"
        intake.decide(Stage.REMEMBER, Reason.EXPIRED, detail=f"{how} {rfc3339(ends_at_ms)}")
        take_in(book, intake)
