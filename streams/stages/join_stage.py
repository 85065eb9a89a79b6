"""The join: labels in, re-keyed beside the predictions stage 1 has sent; outcomes by pane out, for the judge."""

import asyncio
import time
from collections import defaultdict
from functools import partial
from typing import Any

from faust.types.tuples import TP

from streams.joins.join import ODDITIES, PartitionJoin
from streams.joins.labels import read_labels
from streams.metrics import Metrics
from streams.stages import join_rows
from streams.stages.dead_letter import LetterBox, dead_letter
from streams.stages.fleet import Fleet
from streams.stages.pulse import Pulse
from streams.stages.rows import Rows
from streams.stages.sender import Sender
from streams.transport import Chunk, Receipt, chunk_topic
from streams.transport.engine import listen, make_app

#: Records joined at a time: some 20 µs each, in which nothing else goes on.
CHUNK_ROWS = 2_000
#: Pairs that may have changed before they are written.
CHANGES_HELD = 20_000


class JoinStage:
    """The shell of `PartitionJoin`: one Faust app that reads ``labels`` and ``joins``, and its rows.

    A chunk of labels is acknowledged when the broker has them on ``joins``; one that is sent again after a
    crash is known by its offsets. Every few seconds what changed is written, as the steps of
    `join_rows.flush_steps`, and the chunks of ``joins`` that it covers are acknowledged.
    """

    def __init__(self, fleet: Fleet, metrics: Metrics, *, instance: str | None = None) -> None:
        self.fleet = fleet
        self.metrics = metrics
        self.app = make_app(
            f"{fleet.topics.prefix}-join",
            brokers=fleet.brokers,
            session_timeout_s=fleet.session_timeout_s,
            instance=instance,
            topic_partitions=fleet.join_partitions,
        )
        self.pulse = Pulse("join", fleet, metrics)
        self.partitions: dict[int, PartitionJoin] = {}
        self._plans = fleet.join_plans
        self._sender = Sender(self.app)
        self._letter_box = LetterBox(self._sender, fleet.topics.dead_letter.name)
        self._rows = Rows(
            self.app, self._sender, "state", partitions=fleet.join_partitions,
            newer=join_rows.newer, prepare=self._read_rows, recovered=self._restore,
        )  # fmt: skip
        self._owned: frozenset[TP] | None = None
        #: Read from rows, to be taken up unless partitions move meanwhile.
        self._read: dict[int, PartitionJoin] = {}
        self._receipts: defaultdict[int, list[Receipt]] = defaultdict(list)
        self._changes = 0
        self._next_label: dict[int, int] = {}
        self._flushing = asyncio.Lock()
        listen(self.app, self)
        self._declare()

    def _declare(self) -> None:
        labels = chunk_topic(self.app, self.fleet.topics.labels.name, max_rows=CHUNK_ROWS)
        joins = chunk_topic(self.app, self.fleet.topics.joins.name, max_rows=CHUNK_ROWS)

        @self.app.agent(labels, name="label")  # type: ignore[untyped-decorator]
        async def label(stream: Any) -> None:
            async for event in stream.noack().events():
                await self.app.go_round(partial(self.take_labels, event.value, Receipt(event)))

        @self.app.agent(joins, name="join")  # type: ignore[untyped-decorator]
        async def join(stream: Any) -> None:
            async for event in stream.noack().events():
                await self.take(event.value, Receipt(event))

        self.app.every(self.fleet.checkpoint_s, self.flush)
        self.app.task(self.pulse.run)

    async def disconnect(self) -> None:
        """Nothing is open that is not the app's."""

    # Partitions come and go.

    async def assigned(self, partitions: frozenset[TP]) -> None:
        """Take note of the partitions that are ours from now on."""
        topics = (self.fleet.topics.joins.name, self.fleet.topics.labels.name)
        self._owned = frozenset(tp for tp in partitions if tp.topic in topics)

    async def revoking(self, partitions: frozenset[TP]) -> None:
        """Write and acknowledge everything that was joined."""
        await self.flush()

    async def revoked(self, partitions: frozenset[TP]) -> None:
        """Forget all partitions; those that come back are restored from their rows."""
        self.metrics.rebalances.labels(stage="join").inc()
        async with self._flushing:
            self.partitions.clear()
            self._receipts.clear()
            self._next_label.clear()
            self._changes = 0

    async def _read_rows(self) -> None:
        """Read every partition of ours from its rows, beside the event loop.

        Counting a hundred thousand pairs anew takes seconds, in which the group must hear of us.
        """
        read: dict[int, PartitionJoin] = {}
        for tp in self._owned or ():
            if tp.topic == self.fleet.topics.joins.name and tp.partition not in self.partitions:
                joined = read[tp.partition] = PartitionJoin(self._plans)
                await asyncio.to_thread(joined.restore, *join_rows.state(self._rows.of(tp.partition)))
        self._read = read

    def _restore(self) -> None:
        """Take up what was read; runs before the first chunk of it is delivered."""
        self.partitions |= self._read
        self._read = {}

    # Labels and predictions.

    async def take_labels(self, chunk: Chunk, receipt: Receipt) -> None:
        """Send a chunk of labels to where their predictions are; bad events go to the dead-letter topic."""
        found = read_labels(chunk.partition, chunk.values, chunk.offsets, chunk.timestamps_ms)
        name = self.fleet.topics.dead_letter.name
        await self._letter_box.put([dead_letter(name, chunk, one) for one in found.bad])
        await self._sender.send(join_rows.join_records(self.fleet, self._plans, found.labels))
        receipt.ack()
        self._next_label[chunk.partition] = chunk.last_offset + 1
        for one in found.bad:
            self.metrics.invalid.labels(code=one.code.value).inc()
            self.metrics.dead_letters.labels(code=one.code.value).inc()
        for model, count in found.counts.items():
            if model in self._plans:
                self.metrics.labels.labels(model=model).inc(count)

    async def take(self, chunk: Chunk, receipt: Receipt) -> None:
        """Join a chunk of predictions and labels."""
        joined = self.partitions.get(chunk.partition)
        if joined is None:
            return
        joined.take(chunk.values, chunk.offsets)
        self._receipts[chunk.partition].append(receipt)
        self._changes += len(chunk)
        if self._changes > CHANGES_HELD:
            await self.app.go_round(self.flush)

    # Flushes.

    async def flush(self) -> None:
        """Write what changed in every partition, and acknowledge what it came of."""
        async with self._flushing, self.pulse.busy():
            began_s = time.monotonic()
            self._changes = 0
            for partition in sorted(self.partitions):
                await self._flush_partition(partition)
            self.metrics.flush_duration.labels(stage="join").observe(time.monotonic() - began_s)
            self._report()

    async def _flush_partition(self, partition: int) -> None:
        receipts, self._receipts[partition] = self._receipts[partition], []
        flush = self.partitions[partition].flush()
        if receipts or flush.outcomes or flush.let_go:
            await self._rows.carry_out(partition, join_rows.flush_steps(self.fleet, partition, flush))
        for receipt in receipts:
            receipt.ack()

    def _report(self) -> None:
        if self._owned is not None:
            lags: defaultdict[int, list[int | None]] = defaultdict(list)
            for tp in self._owned:
                lags[tp.partition].append(self._lag(tp))
            self.pulse.beat(
                time.time_ns() // 1_000_000,
                {partition: _total(found) for partition, found in lags.items()},
            )
        self.metrics.state_keys.labels(stage="join").set(len(self._rows))
        for model in self._plans:
            joins = [one.models[model] for one in self.partitions.values()]
            self.metrics.join_held.labels(model=model).set(sum(len(one.pairs) for one in joins))
            if joins:
                self.metrics.join_rate.labels(model=model).set(min(one.rate for one in joins))
            counts = [one.counts for one in joins]
            for oddity in ODDITIES:
                total = sum(one.get(oddity, 0) for one in counts)
                self.metrics.join_oddities.labels(model=model, kind=oddity).set(total)

    def _lag(self, tp: TP) -> int | None:
        """Return the records of a partition still to be read; None while that is not known."""
        highwater: int | None = self.app.consumer.highwater(tp)
        if highwater is None:
            return None
        if tp.topic == self.fleet.topics.labels.name:
            return max(highwater - self._next_label.get(tp.partition, highwater), 0)
        joined = self.partitions.get(tp.partition)
        return None if joined is None else max(highwater - joined.next_offset, 0)


def _total(lags: list[int | None]) -> int | None:
    known = [lag for lag in lags if lag is not None]
    return sum(known) if len(known) == len(lags) else None
