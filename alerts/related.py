"""Related alerts: one failure upstream that moves many models, segments and features is one group.

On a route with ``group_by: [related]`` an alert joins an open group of that route where it began within
``global.related_within`` of the last one there that shares its kind, its feature or its source; else it founds a group.
Where it is, it stays: neither a restart nor news of others moves it.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from alerts import duration
from alerts.decision import Decision, Reason, Stage
from alerts.notification import NotifiedAlert, clip, rank, severity_rank
from alerts.routing import RELATED, Node
from alerts.state import Group, Record

if TYPE_CHECKING:
    from alerts.book import Book

#: Labels by which alerts are related.
SHARED = ("alertname", "feature", "source")
_SHARED_KEPT = 1_000
_SHOWN = 5
_TEXT_LIMIT = 100
_NOTE_LIMIT = 600
_LISTED = ("model", "feature", "segment")


def labels(book: "Book", fingerprint: str, node: Node, now_ms: int) -> dict[str, str]:
    """Return the labels of the group an alert belongs to on a route: the one it is in, a related one, or its own.

    Looks at each group once.
    """
    record = book.records[fingerprint]
    for group_id, departure in record.groups.items():
        held = book.groups[group_id]
        if departure is None and held.route_key == node.key and held.shared is not None:
            return held.labels
    within_ms = book.config.defaults.related_within_ms
    found = [
        (group.created_ms, group.key, group, shared)
        for group in book.groups.values()
        if group.route_key == node.key and (shared := _nearest(group, record, within_ms))
    ]
    if not found:
        return {RELATED: f"{_name(record)} {fingerprint[:8]}"}
    _, _, group, (apart_ms, pair) = min(found, key=lambda one: one[:2])
    detail = f"both have {pair}, and began {duration.format(apart_ms)} apart"
    book.note(fingerprint, Decision(now_ms, Stage.GROUP, Reason.RELATED, group.key, detail))
    return group.labels


def take_in(book: "Book", group_id: str, fingerprint: str) -> None:
    """Have a group know by what others may be related to an alert of it."""
    group, upsert = book.groups[group_id], book.records[fingerprint].upsert
    shared = {} if group.shared is None else group.shared
    known = dict(shared)
    for pair in _pairs(upsert.labels):
        if pair in shared or len(shared) < _SHARED_KEPT:
            shared[pair] = max(shared.get(pair, upsert.starts_at_ms), upsert.starts_at_ms)
    if group.shared is None or shared != known:
        group.shared = shared
        book.touch_group(group_id)


def ranked(alerts: Sequence[NotifiedAlert]) -> tuple[NotifiedAlert, ...]:
    """Return alerts as `rank` does, and of those equally severe the one furthest above its threshold first."""
    return tuple(
        sorted(rank(alerts), key=lambda one: (one.status, -severity_rank(one.severity), -one.evidence.beyond))
    )


def notes(group: Group, alerts: Sequence[NotifiedAlert]) -> tuple[str, ...]:
    """Return which models, features and segments a group is about, the worst first, with how far above threshold."""
    if group.shared is None or len(alerts) < 2:
        return ()
    shown = [alert for alert in alerts if alert.status == "firing"] or list(alerts)
    found = {name: _by_excess(shown, name) for name in _LISTED}
    lists = [
        f"{len(each)} {name}{'s' * (len(each) > 1)}: {_listed(each)}" for name, each in found.items() if each
    ]
    return (clip(f"One incident of {len(shown)} alerts. {'; '.join(lists)}.", _NOTE_LIMIT),) if lists else ()


def _nearest(group: Group, record: Record, within_ms: int) -> tuple[int, str] | None:
    shared, upsert = group.shared, record.upsert
    if shared is None:
        return None
    apart = [
        (abs(upsert.starts_at_ms - shared[pair]), pair) for pair in _pairs(upsert.labels) if pair in shared
    ]
    return min((one for one in apart if one[0] <= within_ms), default=None)


def _pairs(of: Any) -> list[str]:
    return [f"{name}={of[name]}" for name in SHARED if of.get(name)]


def _name(record: Record) -> str:
    of = record.upsert.labels
    return clip(" ".join(of[name] for name in ("alertname", "model", "feature") if of.get(name)), _TEXT_LIMIT)


def _by_excess(alerts: Iterable[NotifiedAlert], name: str) -> list[tuple[float, str]]:
    worst: dict[str, float] = {}
    for alert in alerts:
        if value := alert.labels.get(name):
            worst[value] = max(worst.get(value, 0.0), alert.evidence.beyond)
    return sorted(((excess, value) for value, excess in worst.items()), key=lambda one: (-one[0], one[1]))


def _listed(found: Sequence[tuple[float, str]]) -> str:
    told = [
        clip(value, _TEXT_LIMIT) + (f" {excess:.3g}x" if excess else "") for excess, value in found[:_SHOWN]
    ]
    more = len(found) - _SHOWN
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")
