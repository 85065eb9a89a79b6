"""Fallbacks: where a receiver refuses a notification for good, another one is told as well, and why.

The fallback is told at once, and goes on to be told what is news while the refusal lasts. When the receiver takes
something again, the fallback hears only of the end of what it was told. What a fallback refuses is tried again, as
any refusal is, but goes to nobody else: so there are no loops.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from alerts.config import Integration
from alerts.decision import Decision, Reason, Stage
from alerts.notification import clip
from alerts.state import Group

_NOTES_SHOWN = 5
_NOTE_LIMIT = 500

if TYPE_CHECKING:
    from alerts.book import Book


def refused(
    book: "Book", where: tuple[str, str], reason: str, fingerprints: Iterable[str], now_ms: int
) -> None:
    """Have the fallback of a receiver told, as one of its integrations has refused a notification.

    Parameters
    ----------
    where
        The group's id, and the integration.
    reason
        Why it refused, without secrets.
    fingerprints
        What the notification was news about.
    """
    group_id, place = where
    group = book.groups[group_id]
    receiver, own = _receiver(place), book.receivers(group)
    fallback = book.fallbacks.get(receiver)
    if fallback is None or receiver not in own:
        return
    known = place in group.refusals and fallback in group.fallbacks
    group.refusals[place] = reason
    book.touch_group(group_id)
    if known or fallback in own:
        return
    if fallback not in group.fallbacks:
        group.fallbacks.append(fallback)
    for integration in book.places[fallback]:
        book.tell_now(group_id, integration.key, now_ms)
    for fingerprint in fingerprints:
        book.note(
            fingerprint,
            Decision(now_ms, Stage.DELIVER, Reason.FELL_BACK, fallback, f"{place} refused: {reason}"),
        )


def taken(book: "Book", group_id: str, place: str) -> None:
    """Note that an integration took a notification."""
    if book.groups[group_id].refusals.pop(place, None) is not None:
        book.touch_group(group_id)


def only_ends(book: "Book", group: Group, integration: Integration) -> bool:
    """Return whether an integration is there for a refusal that is over."""
    fell_back = integration.receiver in group.fallbacks and integration.receiver not in book.receivers(group)
    return fell_back and not _refusals(book, group, integration)


def notes(book: "Book", group: Group, integration: Integration) -> tuple[str, ...]:
    """Return for whom an integration stands in, and why."""
    found = _refusals(book, group, integration)[:_NOTES_SHOWN]
    return tuple(clip(f"{place} refused this notification: {reason}", _NOTE_LIMIT) for place, reason in found)


def _refusals(book: "Book", group: Group, integration: Integration) -> list[tuple[str, str]]:
    return [
        (place, reason)
        for place, reason in sorted(group.refusals.items())
        if book.fallbacks.get(_receiver(place)) == integration.receiver
    ]


def _receiver(place: str) -> str:
    return place.rsplit("/", 2)[0]
