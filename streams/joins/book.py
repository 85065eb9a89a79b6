"""The judge's book of a model's outcomes: the latest of every joins partition, by pane."""

from collections import defaultdict
from typing import NamedTuple

from streams.joins.outcomes import Outcomes, together
from streams.joins.wire import outcomes_of
from streams.wire import OutcomeKey, decode_outcomes

Group = tuple[str, str]


class _Held(NamedTuple):
    """A row as it came, a quarter as large as what is in it; without ``raw`` its outcomes were taken back."""

    fence: int
    end_ms: int
    raw: bytes | None


class OutcomeBook:
    """Outcomes in any order, with repeats; a lower fence than the one held is ignored.

    Parameters
    ----------
    keep_ms
        How far panes may lie behind the newest one; older ones are let go.
    """

    def __init__(self, keep_ms: int) -> None:
        self._keep_ms = keep_ms
        self._held: dict[OutcomeKey, _Held] = {}
        self._newest_ms = 0

    def put(self, key: OutcomeKey, raw: bytes) -> bool:
        """Take outcomes of one pane and joins partition, an encoded row; False if they are old news."""
        row, held = decode_outcomes(raw), self._held.get(key)
        if (held is not None and row.fence < held.fence) or row.end_ms <= self._newest_ms - self._keep_ms:
            return False
        self._held[key] = _Held(row.fence, row.end_ms, raw if row.tally else None)
        self._newest_ms = max(self._newest_ms, row.end_ms)
        return True

    def let_go(self) -> list[OutcomeKey]:
        """Drop what lies too far back, and return its keys."""
        gone = [key for key, one in self._held.items() if one.end_ms <= self._newest_ms - self._keep_ms]
        for key in gone:
            del self._held[key]
        return gone

    def panes(self) -> dict[Group, list[Outcomes]]:
        """Return the panes of each version and segment that have predictions, oldest first."""
        parts: defaultdict[tuple[Group, int], list[Outcomes]] = defaultdict(list)
        for key, held in self._held.items():
            if held.raw is not None:
                group = (key.version, key.segment)
                parts[(group, key.start_ms)].append(outcomes_of(key.start_ms, decode_outcomes(held.raw)))
        found: defaultdict[Group, list[Outcomes]] = defaultdict(list)
        for (group, _), several in sorted(parts.items(), key=lambda item: item[0]):
            whole = together(several)
            if whole is not None:
                found[group].append(whole)
        return dict(found)

    def __len__(self) -> int:
        return len(self._held)

    @property
    def size_bytes(self) -> int:
        """Size of all that is held, which is what looking at it costs time by."""
        return sum(len(one.raw) for one in self._held.values() if one.raw is not None)
