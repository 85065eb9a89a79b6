"""A broker in memory: partitions as lists, offsets as their indices, commits by consumer group."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from alerts.notification import Notification
from streams.writes import Record

Place = tuple[str, int]


class Entry(NamedTuple):
    """A record as it lies in a partition; ``steady_ms`` is when it came, by the clock that is never set."""

    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    steady_ms: int


@dataclass
class VirtualBroker:
    """What the fleet shares: it never loses what it has taken, and keeps the order within a partition.

    Beside the topics: the next offset each recovery came to, what workers wrote that others had followed, what
    receivers got, and a clock that is never set.
    """

    logs: defaultdict[Place, list[Entry | None]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[Place, int] = field(default_factory=dict)
    recovered: dict[str, int] = field(default_factory=dict)
    followed: set[tuple[str, int, int]] = field(default_factory=set)
    received: list[Notification] = field(default_factory=list)
    steady_ms: int = 0

    def append(self, record: Record, at_ms: int) -> int:
        """Take a record, and return its offset; without a partition it goes to the first."""
        log = self.logs[(record.topic, record.partition or 0)]
        log.append(Entry(at_ms, record.key, record.value, tuple(record.headers), self.steady_ms))
        return len(log) - 1

    def compact(self, topic: str, lag_ms: int) -> None:
        """Keep the last record of each key, and all that came within the lag; the others leave holes."""
        for (name, _), log in self.logs.items():
            if name == topic:
                old = [one for one in log if one is None or one.steady_ms <= self.steady_ms - lag_ms]
                last = {one.key: index for index, one in enumerate(old) if one is not None}
                log[: len(old)] = [
                    one if one and last[one.key] == index else None for index, one in enumerate(old)
                ]

    def read(self, topic: str, partition: int, offset: int = 0, count: int | None = None) -> list[Entry]:
        """Return records from an offset on; only a topic that is not compacted is read by count."""
        log = self.logs[(topic, partition)]
        found = log[offset:] if count is None else log[offset : offset + count]
        return [one for one in found if one is not None]

    def end(self, topic: str, partition: int) -> int:
        """Return the offset the next record gets."""
        return len(self.logs[(topic, partition)])

    def records(self, topic: str) -> list[tuple[int, int, Entry]]:
        """Return partition, offset and record of all there is in a topic."""
        return [
            (partition, offset, entry)
            for (name, partition), log in sorted(self.logs.items())
            if name == topic
            for offset, entry in enumerate(log)
            if entry is not None
        ]
