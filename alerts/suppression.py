"""What keeps an alert from being told now, and why: asked by the dispatch stage, and by whoever shows alerts.

An alert that is suppressed stays in its groups and is shown; it is told when nothing suppresses it any more,
with the next news of its group. That it is over is told to those who were told of it, suppressed or not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from alerts.agenda import Due
from alerts.decision import Decision, Reason, Stage
from alerts.notification import rfc3339
from alerts.silence import observe, silenced_by
from alerts.silence_warning import is_warning

if TYPE_CHECKING:
    from alerts.book import Book
    from alerts.dispatch import Draft

Kind = Literal["inhibited", "silenced", "muted", "inactive"]


@dataclass(frozen=True, slots=True)
class Suppression:
    """One thing that keeps an alert from being told.

    ``by`` names it: the fingerprint of the alert that inhibits, a silence's id, time intervals.
    ``text`` says it in words.
    """

    kind: Kind
    by: str
    text: str


#: How the history of an alert puts each kind.
REASONS: dict[Kind, Reason] = {
    "inhibited": Reason.INHIBITED,
    "silenced": Reason.SILENCED,
    "muted": Reason.MUTED,
    "inactive": Reason.INACTIVE,
}

Suppressing = Callable[["Book", str, int], Iterator[Suppression]]


def inhibited(book: "Book", fingerprint: str, now_ms: int) -> Iterator[Suppression]:
    """Yield the alerts that inhibit an alert, by the inhibit rules."""
    for source, rule in book.inhibition.inhibitors(fingerprint):
        labels = book.records[source].upsert.labels
        named = " ".join(labels.get(name, "") for name in ("severity", "alertname", "model")).split()
        text = f"inhibited by {' '.join(named)} (alert {source}, inhibit rule {rule + 1})"
        yield Suppression("inhibited", source, text)


def silenced(book: "Book", fingerprint: str, now_ms: int) -> Iterator[Suppression]:
    """Yield the silences that hold for an alert."""
    for name in silenced_by(book.silences, book.records[fingerprint], now_ms):
        silence = book.silences[name]
        until = rfc3339(silence.ends_at_ms)
        text = f"silenced by {silence.created_by} until {until}: {silence.comment} (silence {name})"
        yield Suppression("silenced", name, text)


#: All that may suppress a single alert. A new way is one function here.
SUPPRESSING: tuple[Suppressing, ...] = (inhibited, silenced)


def muted(book: "Book", group_id: str, now_ms: int) -> Iterator[Suppression]:
    """Yield the time intervals by which the route of a group is told nothing now."""
    node = book.nodes[book.groups[group_id].route_key]
    for name in node.muted_in:
        if book.intervals[name].contains(now_ms):
            yield Suppression("muted", name, f"the route to {node.receiver} is muted in {name}")
    if node.active_in and not any(book.intervals[name].contains(now_ms) for name in node.active_in):
        names = ", ".join(node.active_in)
        yield Suppression("inactive", names, f"the route to {node.receiver} is active in {names} only")


def group_suppressions(book: "Book", group_id: str, now_ms: int) -> tuple[Suppression, ...]:
    """Return all that keeps a whole group from being told at ``now_ms``; what fails keeps back nothing."""
    try:
        return tuple(muted(book, group_id, now_ms))
    except Exception as error:
        for fingerprint in sorted(book.groups[group_id].members):
            _note_failure(book, fingerprint, f"muted: {type(error).__name__}: {error}", now_ms)
        return ()


def suppressions(book: "Book", fingerprint: str, group_id: str, now_ms: int) -> tuple[Suppression, ...]:
    """Return all that keeps an alert that fires from being told in one of its groups at ``now_ms``."""
    return alert_suppressions(book, fingerprint, now_ms) + group_suppressions(book, group_id, now_ms)


def alert_suppressions(book: "Book", fingerprint: str, now_ms: int) -> tuple[Suppression, ...]:
    """Return all that keeps an alert that fires from being told at ``now_ms``, whatever its group.

    What fails suppresses nothing: the alert is told, and its history says so.
    """
    found: list[Suppression] = []
    if is_warning(book.records[fingerprint].upsert.labels):
        return ()
    for suppressing in SUPPRESSING:
        try:
            found += suppressing(book, fingerprint, now_ms)
        except Exception as error:
            _note_failure(
                book, fingerprint, f"{suppressing.__name__}: {type(error).__name__}: {error}", now_ms
            )
    return tuple(found)


def mute(book: "Book", draft: "Draft") -> None:
    """Stop while the route is muted: what is over waits to be told, too."""
    found = group_suppressions(book, draft.group_id, draft.now_ms)
    if found:
        draft.reason, draft.stopped = REASONS[found[0].kind], True
        put_off(book, draft)
        for fingerprint in sorted(draft.group.members):
            if book.records[fingerprint].fires_in(draft.group_id):
                _note(book, fingerprint, found[0], draft.now_ms)


def suppress(book: "Book", draft: "Draft") -> None:
    """Leave what is suppressed out of a notification."""
    kept, held = [], set()
    for alert in draft.alerts:
        if alert.status == "firing":
            observe(book, alert.fingerprint, draft.now_ms)
            if found := alert_suppressions(book, alert.fingerprint, draft.now_ms):
                held.add(alert.fingerprint)
                _note(book, alert.fingerprint, found[0], draft.now_ms)
                continue
        kept.append(alert)
    draft.alerts, draft.held = tuple(kept), frozenset(held)
    _keep_held(book, draft)


def put_off(book: "Book", draft: "Draft") -> None:
    """Have a try that is due wait for the group's next turn, over a restart too."""
    ledger, place = draft.ledger, draft.integration.key
    if ledger.state == "PENDING" and place in draft.group.ledgers and draft.group.due_ms > draft.now_ms:
        ledger.not_before_ms = draft.group.due_ms
        book.agenda.add(Due(ledger.not_before_ms, draft.group_id, place))
        book.touch_ledger(draft.group_id, place)


def _keep_held(book: "Book", draft: "Draft") -> None:
    """Remember which of the alerts a receiver knows it is to hear of again."""
    ledger = draft.ledger
    known = (draft.held | ledger.held) & ledger.known.keys()
    if known != ledger.held:
        ledger.held = frozenset(known)
        book.touch_ledger(draft.group_id, draft.integration.key)


def _note(book: "Book", fingerprint: str, found: Suppression, now_ms: int) -> None:
    reason, history = REASONS[found.kind], book.records[fingerprint].history
    before = (one for one in reversed(history) if one.stage in (Stage.SUPPRESS, Stage.DELIVER, Stage.COMMAND))
    last = next(before, None)
    if last is None or (last.reason, last.where) != (reason, found.by):
        book.note(fingerprint, Decision(now_ms, Stage.SUPPRESS, reason, found.by, found.text))


def _note_failure(book: "Book", fingerprint: str, detail: str, now_ms: int) -> None:
    book.note(fingerprint, Decision(now_ms, Stage.SUPPRESS, Reason.SUPPRESSION_FAILED, detail=detail[:300]))
