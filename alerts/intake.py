"""The stages an upsert passes: from "is it newer?" to "which groups is it in?"."""

from collections.abc import Callable
from dataclasses import dataclass, field

from alerts import flapping, no_data
from alerts.ack import outlive
from alerts.alert import AlertUpsert
from alerts.book import CLOSED_KEPT_MS, Book
from alerts.decision import Decision, Reason, Stage
from alerts.notification import rfc3339
from alerts.pushed import Push
from alerts.routing import Node
from alerts.silence import cover
from alerts.state import Departure, Record
from alerts.tenure import Tenure


@dataclass(slots=True)
class Intake:
    """One upsert on its way; a stage that ends the way sets ``done``."""

    upsert: AlertUpsert
    fingerprint: str
    now_ms: int
    tenure: Tenure | None = None
    push: Push | None = None
    nodes: list[Node] = field(default_factory=list)
    done: bool = False
    decisions: list[Decision] = field(default_factory=list)

    def decide(self, stage: Stage, reason: Reason, where: str = "", detail: str = "") -> None:
        """Add a decision."""
        self.decisions.append(Decision(self.now_ms, stage, reason, where, detail))

    def stop(self, stage: Stage, reason: Reason) -> None:
        """Add the last decision."""
        self.decide(stage, reason)
        self.done = True


def refuse_followed(book: Book, intake: Intake) -> None:
    """Stop what a stalled judge tells after another has taken its partition over."""
    tenure = intake.tenure
    owner = None if tenure is None else book.owners.get(tenure.partition)
    if tenure is not None and owner is not None and tenure.epoch < owner.epoch:
        intake.stop(Stage.REFUSE_FOLLOWED, Reason.FOLLOWED)


def dedup_by_version(book: Book, intake: Intake) -> None:
    """Stop upserts that are not newer than the one held, and resolves of what is not known to fire.

    Those are held like any alert that is over: the firing they are the end of may come late.
    """
    record = book.records.get(intake.fingerprint)
    closed_at_ms = None if record is None else record.closed_at_ms
    long_over = closed_at_ms is not None and intake.now_ms - closed_at_ms >= CLOSED_KEPT_MS
    version = intake.upsert.pane_end_ms, intake.upsert.sequence
    if record and not long_over and version <= record.version:
        intake.stop(Stage.DEDUP_BY_VERSION, Reason.OLDER_VERSION)
    elif intake.upsert.status == "resolved" and (record is None or record.upsert.status != "firing"):
        if record:
            record.upsert = intake.upsert.model_copy(update={"labels": record.upsert.labels})
        else:
            book.records[intake.fingerprint] = Record(intake.upsert)
            book.close_if_over(intake.fingerprint, intake.now_ms)
        intake.stop(Stage.DEDUP_BY_VERSION, Reason.NOTHING_TO_RESOLVE)


def capacity(book: Book, intake: Intake) -> None:
    """Keep the desk bounded: make room at the cost of resolved news, never of a firing alert."""
    record = book.records.get(intake.fingerprint)
    opened = record is not None and record.closed_at_ms is None
    if opened or book.alerts_held() < book.max_alerts:
        return
    over = [fingerprint for fingerprint, held in book.records.items() if _is_waiting_news(held)]
    if not over:
        intake.stop(Stage.CAPACITY, Reason.DESK_FULL)
        return
    oldest = min(over, key=lambda fingerprint: (book.records[fingerprint].version, fingerprint))
    for group_id in sorted(book.records[oldest].groups):
        book.leave(oldest, group_id)
        book.sweep(group_id, intake.now_ms)
    book.close_if_over(oldest, intake.now_ms)
    book.counts[Reason.MADE_ROOM] += 1
    book.note(oldest, Decision(intake.now_ms, Stage.CAPACITY, Reason.MADE_ROOM))


def _is_waiting_news(record: Record) -> bool:
    return not record.firing and record.closed_at_ms is None


def remember(book: Book, intake: Intake) -> None:
    """Take the upsert up. A resolve ends here: its groups tell of it when they are due, unless it flaps."""
    upsert, record = intake.upsert, book.records.get(intake.fingerprint)
    begins = upsert.status == "firing" and (record is None or not record.firing)
    if begins and upsert.pending_since_ms is not None and upsert.pending_since_ms < upsert.starts_at_ms:
        detail = f"fires since {rfc3339(upsert.starts_at_ms)}"
        pending = Decision(upsert.pending_since_ms, Stage.JUDGE, Reason.PENDING, detail=detail)
        intake.decisions.append(pending)
    if record is None:
        book.records[intake.fingerprint] = Record(upsert, push=intake.push)
        flapping.turn(book, intake.fingerprint, intake.now_ms)
        no_data.hear(book, intake.fingerprint, intake.now_ms)
        intake.decide(Stage.REMEMBER, Reason.NEW)
        return
    before, fired, record.upsert, record.push = record.upsert, record.firing, upsert, intake.push
    turned = before.status != upsert.status
    if turned:
        flapping.turn(book, intake.fingerprint, intake.now_ms)
    no_data.hear(book, intake.fingerprint, intake.now_ms)
    if upsert.status == "resolved":
        # The routes were taken with the labels it fired with.
        told = {"labels": before.labels, "pending_since_ms": before.pending_since_ms}
        record.upsert = upsert.model_copy(update=told)
        intake.stop(Stage.REMEMBER, Reason.FLAP_HELD if record.flap else Reason.RESOLVED)
    elif not fired:
        record.closed_at_ms = None
        book.closed.pop(intake.fingerprint, None)
        intake.decide(Stage.REMEMBER, Reason.REOPENED)
    elif before.labels == upsert.labels:
        intake.stop(Stage.REMEMBER, Reason.FLAP_HELD if turned else Reason.REFRESHED)
    else:
        intake.decide(Stage.REMEMBER, Reason.SEVERITY_CHANGED, detail=record.severity)


def heed(book: Book, intake: Intake) -> None:
    """Look which silences match it, and whether its ack and they outlast what is new about it."""
    cover(book, intake.fingerprint, intake.now_ms)
    anew = intake.decisions[-1].reason is Reason.REOPENED
    outlive(book, intake.fingerprint, anew=anew, now_ms=intake.now_ms)


def route(book: Book, intake: Intake) -> None:
    """Find the routes it takes."""
    intake.nodes = book.routes(intake.upsert.labels, intake.now_ms)
    for node in intake.nodes:
        intake.decide(Stage.ROUTE, Reason.ROUTED, node.key, node.receiver)


def group(book: Book, intake: Intake) -> None:
    """Put it into the groups of its routes, and out of those no route leads to any more."""
    intake.decisions += place(book, intake.fingerprint, intake.nodes, intake.now_ms)


Intaking = Callable[[Book, Intake], None]

#: The way in. A new stage is one function here.
INTAKE: tuple[Intaking, ...] = (
    refuse_followed, dedup_by_version, capacity, remember, heed, route, group,
)  # fmt: skip


def take_in(book: Book, intake: Intake) -> None:
    """Lead an upsert through the stages, and note what each decided."""
    for stage in INTAKE:
        stage(book, intake)
        if intake.done:
            break
    for decision in intake.decisions:
        book.counts[decision.reason] += 1
        book.note(intake.fingerprint, decision)
    book.purge(intake.now_ms)


def place(book: Book, fingerprint: str, nodes: list[Node], now_ms: int) -> list[Decision]:
    """Give a firing alert the groups of these routes; return what changed."""
    record, decisions = book.records[fingerprint], []
    before = {group_id for group_id, departure in record.groups.items() if departure is None}
    severity = _severity_told(book, fingerprint, before)
    wanted = {book.join(fingerprint, node, now_ms) for node in nodes}
    for group_id in sorted(wanted - before):
        entered = book.groups[group_id]
        reason = Reason.WAITS_FOR_INTERVAL if entered.flushed else Reason.WAITS_FOR_GROUP
        decisions.append(
            Decision(now_ms, Stage.GROUP, reason, entered.key, f"until {rfc3339(entered.due_ms)}")
        )
    for group_id in sorted(before - wanted):
        record.groups[group_id] = Departure(severity, now_ms)
        decisions.append(Decision(now_ms, Stage.GROUP, Reason.LEFT_GROUP, book.groups[group_id].key))
        book.sweep(group_id, now_ms)
    return decisions


def _severity_told(book: Book, fingerprint: str, group_ids: set[str]) -> str:
    for group_id in sorted(group_ids):
        for ledger in book.groups[group_id].ledgers.values():
            if fingerprint in ledger.known:
                return ledger.known[fingerprint]
    return book.records[fingerprint].severity
