"""Incidents from delivery receipts: when alerts of one group fired, and what the desk decided meanwhile."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alerts.book import identify
from streams.receipt_views import ReceiptRow, Step

#: Alerts of a group that fire so soon after the last was over are the same incident.
GAP_MS = 30 * 60_000
_BEGINS = frozenset({"new", "reopened"})
_ENDS = frozenset({"resolved", "flapped"})


@dataclass(frozen=True, slots=True)
class Episode:
    """One time an alert fired: epoch ms, ``ended_ms`` None while it does. ``steps`` are the decisions of that time."""

    alert: ReceiptRow
    began_ms: int
    ended_ms: int | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Incident:
    """Episodes of a group's alerts that follow each other; ``group`` is the group's key."""

    group: str
    episodes: tuple[Episode, ...]

    @property
    def began_ms(self) -> int:
        """When the first of its alerts fired."""
        return min(one.began_ms for one in self.episodes)

    @property
    def ended_ms(self) -> int | None:
        """When the last of its alerts was over; None while one fires."""
        ends = [one.ended_ms for one in self.episodes]
        return None if None in ends else max(end for end in ends if end is not None)

    @property
    def timeline(self) -> list[tuple[int, Episode, Step]]:
        """All decisions with their time, oldest first; several of a kind stand at the first."""
        found = [
            (step.at_ms if step.since_ms is None else step.since_ms, one, step)
            for one in self.episodes
            for step in one.steps
        ]
        return sorted(found, key=lambda each: each[0])


def groups_of(receipt: ReceiptRow) -> frozenset[str]:
    """Return the keys of the groups an alert is, or was, in."""
    return frozenset({step.where for step in receipt.steps if step.stage == "group"} | set(receipt.groups))


def incidents(receipts: Iterable[ReceiptRow], group: str) -> list[Incident]:
    """Return the incidents of a group, named by its key or its id, oldest first."""
    found: dict[str, list[Episode]] = {}
    for receipt in receipts:
        for key in groups_of(receipt):
            if group in (key, identify(key)):
                found.setdefault(key, []).extend(episodes(receipt))
    return [one for key, each in found.items() for one in _joined(key, each)]


def latest(receipts: Iterable[ReceiptRow]) -> list[Incident]:
    """Return the last incident of each group, those that go on first, then the newest."""
    held = list(receipts)
    keys = {key for receipt in held for key in groups_of(receipt)}
    found = [one[-1] for key in keys if (one := incidents(held, key))]
    return sorted(found, key=lambda one: (one.ended_ms is not None, -one.began_ms, one.group))


def episodes(receipt: ReceiptRow) -> Iterator[Episode]:
    """Yield each time an alert fired."""
    starts = [place for place, step in enumerate(receipt.steps) if step.reason in _BEGINS]
    # What led to it stands before it.
    starts = [
        place - 1 if place and receipt.steps[place - 1].reason == "pending" else place for place in starts
    ]
    for number, start in enumerate(starts):
        last = number == len(starts) - 1
        steps = receipt.steps[start : None if last else starts[number + 1]]
        ended = [step.at_ms for step in steps if step.reason in _ENDS]
        over = receipt.status == "resolved" or not last
        began_ms = next(step.at_ms for step in steps if step.reason in _BEGINS)
        yield Episode(receipt, began_ms, (ended[-1] if ended else began_ms) if over else None, tuple(steps))


def _joined(group: str, each: list[Episode]) -> Iterator[Incident]:
    together: list[Episode] = []
    until_ms: float = 0
    for one in sorted(each, key=lambda one: one.began_ms):
        if together and one.began_ms > until_ms + GAP_MS:
            yield Incident(group, tuple(together))
            together = []
        until_ms = max(until_ms if together else 0, float("inf") if one.ended_ms is None else one.ended_ms)
        together.append(one)
    if together:
        yield Incident(group, tuple(together))
