"""Rows of bytes that survive a worker: a Faust table whose writes are confirmed before anything goes on."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from faust.stores.memory import Store
from faust.tables.table import Table

from streams.stages.sender import Sender
from streams.stages.upkeep import Upkeep
from streams.topics import BROKER_TIME
from streams.writes import Record, Step

#: A profile of 500 wide columns is about 1 MB; a row is written whole or not at all.
MAX_ROW_BYTES = 16 * 1024 * 1024
#: The part of a changelog being written is never compacted, and a recovery reads it all: Kafka's own bounds,
#: a gigabyte and a week, would make that minutes.
SEGMENT_BYTES, SEGMENT_MS = 2 * MAX_ROW_BYTES, 60_000
#: Longer than an owner takes to write a row again: compaction must not leave a late writer's older row alone.
MIN_COMPACTION_LAG_MS = 60_000
CHANGELOG = {
    "max.message.bytes": str(MAX_ROW_BYTES),
    "segment.bytes": str(SEGMENT_BYTES),
    "segment.ms": str(SEGMENT_MS),
    "min.compaction.lag.ms": str(MIN_COMPACTION_LAG_MS),
    **BROKER_TIME,
}
#: What is written only to see where it comes to lie; no row.
PROBE = b"probe"
#: Rows that are sent at once when many are written again.
SLICE = 1_000
#: (key, value held, value found): whether the second may replace the first.
Newer = Callable[[bytes, bytes, bytes], bool]


class RowStore(Store):  # type: ignore[misc]  # faust is untyped here
    """Rows by partition, as the changelog has them; a late writer's older row does not win."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rows: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self.read_to: defaultdict[int, int] = defaultdict(int)
        self.newer: Newer = lambda key, held, found: True

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:
        """Take rows of the changelog, in its order."""
        for event in batch:
            message = event.message
            self.read_to[message.partition] = message.offset + 1
            rows, key, value = self.rows[message.partition], message.key, message.value
            if key == PROBE:
                continue
            held = rows.get(key)
            if value is None:
                rows.pop(key, None)
            elif held is None or self.newer(key, held, value):
                rows[key] = value

    async def on_recovery_completed(self, active_tps: Any, standby_tps: Any) -> None:
        """Let go of partitions that are another worker's now."""
        ours = {tp.partition for tp in active_tps}
        for partition in self.rows.keys() - ours:
            del self.rows[partition]


class _RowTable(Table):  # type: ignore[misc]  # faust is untyped here
    def _new_store(self) -> RowStore:
        return RowStore(
            self.app.conf.store, self.app, self, table_name=self.name, key_type=bytes, value_type=bytes,
            key_serializer="raw", value_serializer="raw", loop=self.loop,
        )  # fmt: skip


class Rows:
    """A stage's state in Kafka: compacted rows, by partition.

    Parameters
    ----------
    partitions
        As many as the source topic has, so that the rows of a partition move with it.
    newer
        Whether the second of two values of a key may replace the first, at recovery; always, if not given.
    prepare, recovered
        The first is awaited after each recovery, then the second called, before any event is delivered; an
        exception ends the app. Where a rebalance comes meanwhile, the next recovery does both.
    """

    def __init__(
        self,
        app: Any,
        sender: Sender,
        name: str,
        *,
        partitions: int,
        prepare: Callable[[], Awaitable[None]],
        recovered: Callable[[], None],
        newer: Newer | None = None,
    ) -> None:
        self._table = _RowTable(
            app, name=name, partitions=partitions, key_type=bytes, value_type=bytes,
            extra_topic_configs=CHANGELOG,
        )  # fmt: skip
        app.tables.add(self._table)
        self._sender = sender
        self._upkeep: dict[int, Upkeep] = {}

        async def on_recover() -> None:
            # Faust waits for these callbacks, but does not look at what they raise.
            try:
                recovered_at = app.tables.recovery.recovered_at
                self._upkeep = {
                    partition: Upkeep(self._store.read_to[partition], _steady_ms())
                    for partition in self._store.rows
                }
                await prepare()
                if app.rebalancing_count == recovered_at:
                    recovered()
            except Exception as error:
                await app.crash(error)
                raise

        self._table.on_recover(on_recover)
        if newer is not None:
            self._store.newer = newer

    @property
    def _store(self) -> RowStore:
        store: RowStore = self._table.data
        return store

    def of(self, partition: int) -> Mapping[bytes, bytes]:
        """Return the rows of a partition this worker owns."""
        return self._store.rows[partition]

    def __len__(self) -> int:
        return sum(map(len, self._store.rows.values()))

    async def carry_out(self, partition: int, steps: Iterable[Step]) -> None:
        """Carry out steps of a partition, one after the other."""
        for step in steps:
            await asyncio.gather(self.write(partition, step.rows), self._sender.send(step.records))

    async def write(self, partition: int, changes: Mapping[bytes, bytes | None]) -> None:
        """Write rows (None deletes) and return when the broker has them."""
        records = list(changes.items())
        # The last record goes alone: the embedded broker tells the start of the last batch as the end of
        # the partition, and recovery reads no further than it is told.
        await self._send(partition, records[:-1])
        await self._send(partition, records[-1:])
        rows = self._store.rows[partition]
        for key, value in changes.items():
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value

    async def keep_up(self, partition: int, is_lasting: Callable[[bytes], bool] = lambda key: True) -> None:
        """Write rows again, if others wrote among them (`streams.stages.upkeep`); call it every few seconds.

        Parameters
        ----------
        is_lasting
            Whether the row of a key is one to write again.
        """
        upkeep = self._upkeep_of(partition)
        if upkeep.probe_due(_steady_ms()):
            await self._send(partition, [(PROBE, b"")])
        if upkeep.take_disturbed():
            rows = self.of(partition)
            lasting = [key for key in rows if is_lasting(key)]
            for first in range(0, len(lasting), SLICE):
                await self._send(partition, [(key, rows[key]) for key in lasting[first : first + SLICE]])

    async def _send(self, partition: int, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        topic = self._table.changelog_topic.get_topic_name()
        placed = await self._sender.send(Record(topic, partition, key, value) for key, value in changes)
        self._upkeep_of(partition).wrote((one.offset for one in placed), _steady_ms())
        if placed:
            self._store.read_to[partition] = placed[-1].offset + 1

    def _upkeep_of(self, partition: int) -> Upkeep:
        return self._upkeep.setdefault(partition, Upkeep(0, _steady_ms()))


def _steady_ms() -> int:
    """Return a clock that is never set, to wait by."""
    return time.monotonic_ns() // 1_000_000
