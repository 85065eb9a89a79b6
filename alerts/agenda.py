"""The desk's timers, soonest first."""

import heapq
from typing import NamedTuple

#: What a timer of an escalation has for its integration; those have slashes in their names.
LOOK = "escalate"
#: What a timer has for its integration that is of a silence, by its id, not of a group.
WARN = "silence"


class Due(NamedTuple):
    """A moment something of a group is due.

    ``integration`` "" is the group itself, `LOOK` its next escalation, else one retry. `WARN`: of a silence.
    """

    at_ms: int
    group: str
    integration: str = ""


class Agenda:
    """Timers that are never cancelled: the owner checks whether one that is due still stands.

    Examples
    --------
    >>> agenda = Agenda()
    >>> agenda.add(Due(2_000, "b")); agenda.add(Due(1_000, "a"))
    >>> agenda.first(), agenda.pop_due(1_500)
    (Due(at_ms=1000, group='a', integration=''), [Due(at_ms=1000, group='a', integration='')])
    """

    def __init__(self) -> None:
        self._heap: list[Due] = []

    def add(self, due: Due) -> None:
        """Set a timer."""
        heapq.heappush(self._heap, due)

    def first(self) -> Due | None:
        """Return the soonest timer, or None."""
        return self._heap[0] if self._heap else None

    def drop_first(self) -> None:
        """Remove the soonest timer."""
        heapq.heappop(self._heap)

    def pop_due(self, now_ms: int) -> list[Due]:
        """Remove and return the timers at or before ``now_ms``, in order, each once."""
        found: dict[Due, None] = {}
        while self._heap and self._heap[0].at_ms <= now_ms:
            found[heapq.heappop(self._heap)] = None
        return list(found)
