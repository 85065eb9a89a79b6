"""Escalation: what nobody acknowledges in time goes to the next receiver as well.

A clock runs while anything of a group fires that was told, or tried to be, and that nobody has acknowledged; what is
silenced or inhibited does not count. Each step counts from the clock's start, by itself, and is taken once in a
group's life: from then on its receiver is told all that is news of the group, the end too.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from alerts import duration
from alerts.agenda import LOOK, Due
from alerts.config import Integration
from alerts.decision import Decision, Reason, Stage
from alerts.escalation_config import EscalationStep
from alerts.state import Group
from alerts.suppression import alert_suppressions

if TYPE_CHECKING:
    from alerts.book import Book


def heed(book: "Book", group_id: str, now_ms: int) -> None:
    """Start the clock of a group, or stop it, as what fires of it is acknowledged or not."""
    group = book.groups[group_id]
    if not book.nodes[group.route_key].escalate and group.unanswered_ms is None:
        return
    is_waiting = next(_unanswered(book, group_id, now_ms), None) is not None
    if is_waiting != (group.unanswered_ms is not None):
        group.unanswered_ms = now_ms if is_waiting else None
        book.touch_group(group_id)
        set_timer(book, group_id, now_ms)


def look(book: "Book", group_id: str, now_ms: int) -> None:
    """Take the steps whose time has come."""
    heed(book, group_id, now_ms)
    group = book.groups[group_id]
    for step in list(_steps(book, group)):
        if group.unanswered_ms is None or group.unanswered_ms + step.after_ms > now_ms:
            continue
        if step.receiver not in group.escalated and _may_be_taken(book, group_id, step, now_ms):
            _take(book, group_id, step, now_ms)
    set_timer(book, group_id, now_ms)


def set_timer(book: "Book", group_id: str, now_ms: int) -> None:
    """Set the timer for the next step; one that waits for a time interval is looked at with the group's turns."""
    group = book.groups[group_id]
    look_ms: int | None = None
    if group.unanswered_ms is not None:
        times = (
            _look_at(book, group_id, step, group.unanswered_ms + step.after_ms, now_ms)
            for step in _steps(book, group)
        )
        look_ms = min(times, default=None)
    if look_ms != group.look_ms:
        group.look_ms = look_ms
        book.touch_group(group_id)
    if look_ms is not None:
        book.agenda.add(Due(look_ms, group_id, LOOK))


def notes(group: Group, integration: Integration) -> tuple[str, ...]:
    """Return why an integration is told, where it is for a step."""
    after_ms = group.escalated.get(integration.receiver)
    if after_ms is None:
        return ()
    within = duration.format(after_ms)
    return (f"Escalated to {integration.receiver}: nobody acknowledged it within {within}.",)


def _look_at(book: "Book", group_id: str, step: EscalationStep, at_ms: int, now_ms: int) -> int:
    if at_ms > now_ms:
        return at_ms
    return now_ms if _may_be_taken(book, group_id, step, now_ms) else book.groups[group_id].due_ms


def _take(book: "Book", group_id: str, step: EscalationStep, now_ms: int) -> None:
    group = book.groups[group_id]
    detail = f"nobody acknowledged it within {duration.format(step.after_ms)}"
    for fingerprint in list(_unanswered(book, group_id, now_ms)):
        book.note(fingerprint, Decision(now_ms, Stage.ESCALATE, Reason.ESCALATED, step.receiver, detail))
    group.escalated[step.receiver] = step.after_ms
    book.touch_group(group_id)
    for integration in book.places[step.receiver]:
        book.tell_now(group_id, integration.key, now_ms)


def _steps(book: "Book", group: Group) -> Iterator[EscalationStep]:
    """Yield the steps that are not taken yet."""
    told = book.receivers(group)
    return (step for step in book.nodes[group.route_key].escalate if step.receiver not in told)


def _may_be_taken(book: "Book", group_id: str, step: EscalationStep, now_ms: int) -> bool:
    """Return whether no time interval has a step wait; one that fails has it wait for nothing."""

    def holds(name: str) -> bool:
        return book.intervals[name].contains(now_ms)

    try:
        active = not step.active_time_intervals or any(map(holds, step.active_time_intervals))
        return active and not any(map(holds, step.mute_time_intervals))
    except Exception as error:
        detail = f"escalation: {type(error).__name__}: {error}"[:300]
        for fingerprint in sorted(book.groups[group_id].members):
            book.note(
                fingerprint,
                Decision(now_ms, Stage.ESCALATE, Reason.SUPPRESSION_FAILED, step.receiver, detail),
            )
        return True


def _unanswered(book: "Book", group_id: str, now_ms: int) -> Iterator[str]:
    """Yield what fires, was told or tried to be, and that nobody acknowledged and nothing suppresses."""
    group = book.groups[group_id]
    tried = any(ledger.attempts for ledger in group.ledgers.values())
    for fingerprint in sorted(group.members):
        record = book.records[fingerprint]
        if not record.fires_in(group_id) or record.ack is not None:
            continue
        told = tried or any(fingerprint in ledger.known for ledger in group.ledgers.values())
        if told and not alert_suppressions(book, fingerprint, now_ms):
            yield fingerprint
