"""The judge's book of a model's outcomes: the latest of every joins partition, by pane."""

from collections import defaultdict

from streams.joins.outcomes import Outcomes, together
from streams.joins.wire import outcomes_of
from streams.wire import OutcomeKey, OutcomeRow

Group = tuple[str, str]


class OutcomeBook:
    """Outcomes in any order, with repeats; a lower fence than the one held is ignored.

    Parameters
    ----------
    keep_ms
        How far panes may lie behind the newest one; older ones are let go.
    """

    def __init__(self, keep_ms: int) -> None:
        self._keep_ms = keep_ms
        self._held: dict[OutcomeKey, OutcomeRow] = {}
        self._newest_ms = 0

    def put(self, key: OutcomeKey, row: OutcomeRow) -> bool:
        """Take outcomes of one pane and joins partition; False if they are old news."""
        held = self._held.get(key)
        if (held is not None and row.fence < held.fence) or row.end_ms <= self._newest_ms - self._keep_ms:
            return False
        self._held[key] = row
        self._newest_ms = max(self._newest_ms, row.end_ms)
        return True

    def let_go(self) -> list[OutcomeKey]:
        """Drop what lies too far back, and return its keys."""
        gone = [key for key, row in self._held.items() if row.end_ms <= self._newest_ms - self._keep_ms]
        for key in gone:
            del self._held[key]
        return gone

    def panes(self) -> dict[Group, list[Outcomes]]:
        """Return the panes of each version and segment that have predictions, oldest first."""
        parts: defaultdict[tuple[Group, int], list[Outcomes]] = defaultdict(list)
        for key, row in self._held.items():
            if row.tally:
                parts[((key.version, key.segment), key.start_ms)].append(outcomes_of(key.start_ms, row))
        found: defaultdict[Group, list[Outcomes]] = defaultdict(list)
        for (group, _), several in sorted(parts.items(), key=lambda item: item[0]):
            whole = together(several)
            if whole is not None:
                found[group].append(whole)
        return dict(found)

    def __len__(self) -> int:
        return len(self._held)
