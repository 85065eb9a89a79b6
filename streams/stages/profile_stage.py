"""Stage 1: chunks of predictions in; profiles, heartbeats and dead letters out."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from faust.types.tuples import TP

from streams.metrics import Metrics
from streams.profile import Profile
from streams.profiler import Flush, Folded, Profiler, checkpoint_offset
from streams.stages.dead_letter import Letter, LetterBox, dead_letter
from streams.stages.fleet import Fleet
from streams.stages.layouts import LayoutFollower
from streams.stages.pulse import Pulse
from streams.stages.rows import Rows
from streams.stages.sender import Record, Sender
from streams.transport import Chunk, Receipt, chunk_topic
from streams.transport.engine import listen, make_app
from streams.wire import (
    Heartbeat,
    HeartbeatKey,
    PartKey,
    ProfileKey,
    decode_profile_key,
    encode,
    join_parts,
    profile_of,
    row_fence,
    split_parts,
)

_logger = logging.getLogger(__name__)

_CHECKPOINT = b"checkpoint"
#: Dead letters that may wait for the next flush.
LETTERS_HELD = 2_000


class ProfileStage:
    """The shell of `Profiler`: one Faust app, its state table, and a flush every second.

    A flush writes profiles, then the checkpoint, then heartbeats, and acknowledges the chunks they
    cover: so what is acknowledged can be recovered, and what is recovered was counted once.
    """

    def __init__(self, fleet: Fleet, metrics: Metrics, *, instance: str | None = None) -> None:
        self.fleet = fleet
        self.metrics = metrics
        self.app = make_app(
            f"{fleet.topics.prefix}-profile",
            brokers=fleet.brokers,
            session_timeout_s=fleet.session_timeout_s,
            instance=instance,
            topic_partitions=fleet.source_partitions,
        )
        self.profiler = Profiler({name: (one.monitor, one.layout) for name, one in fleet.models.items()})
        self.pulse = Pulse("profile", fleet, metrics)
        self._sender = Sender(self.app)
        self._letter_box = LetterBox(self._sender, fleet.topics.dead_letter.name)
        self._rows = Rows(
            self.app, self._sender, "state", partitions=fleet.source_partitions,
            newer=_newer, recovered=self._restore,
        )  # fmt: skip
        self._layouts = LayoutFollower(fleet, self.profiler.relayout)
        self._owned: frozenset[int] | None = None
        self._ready: set[int] = set()
        self._receipts: defaultdict[int, list[Receipt]] = defaultdict(list)
        self._letters: list[tuple[str, Letter]] = []
        self._told_caught_up: dict[int, bool] = {}
        self._flushing = asyncio.Lock()
        listen(self.app, self)
        self._declare()

    def _declare(self) -> None:
        topic = chunk_topic(self.app, self.fleet.topics.predictions.name)

        @self.app.agent(topic, name="profile")  # type: ignore[untyped-decorator]
        async def profile(stream: Any) -> None:
            async for event in stream.noack().events():
                await self.take(event.value, Receipt(event))

        @self.app.task  # type: ignore[untyped-decorator]
        async def flush() -> None:
            while not self.app.should_stop:
                await asyncio.sleep(self.fleet.flush_s)
                await self.flush()

        for run in (self.pulse.run, self._layouts.follow):
            self.app.task(run)

    async def disconnect(self) -> None:
        """Close the connections that are not the app's."""
        await self._layouts.stop()

    # Partitions come and go.

    async def assigned(self, partitions: frozenset[TP]) -> None:
        """Take note of the partitions that are ours from now on."""
        self._owned = frozenset(
            tp.partition for tp in partitions if tp.topic == self.fleet.topics.predictions.name
        )

    async def revoking(self, partitions: frozenset[TP]) -> None:
        """Write and acknowledge everything that was counted."""
        await self.flush()

    async def revoked(self, partitions: frozenset[TP]) -> None:
        """Forget all partitions; those that come back are restored from their rows."""
        self.metrics.rebalances.labels(stage="profile").inc()
        async with self._flushing:
            self._ready.clear()
            self._receipts.clear()
            for partition in list(self.profiler.partitions):
                self.profiler.drop(partition)

    async def _restore(self) -> None:
        """Take up every partition of ours from its rows; runs before its first chunk is delivered."""
        await self._layouts.catch_up()
        for partition in (self._owned or frozenset()) - self._ready:
            rows = self._rows.of(partition)
            self.profiler.restore(partition, rows.get(_CHECKPOINT), self._profiles(rows))
            self._told_caught_up.pop(partition, None)
            self._ready.add(partition)

    def _profiles(self, rows: Mapping[bytes, bytes]) -> list[tuple[ProfileKey, Profile]]:
        found = []
        for raw_key, row in rows.items():
            if raw_key == _CHECKPOINT:
                continue
            key, parts = decode_profile_key(raw_key), split_parts(row)
            layout = self._layouts.layout(key.model, parts[0].layout)
            if layout is None:
                _logger.warning(
                    "an open pane of %r is of a layout nobody knows any more; it starts anew", key.model
                )
            else:
                found.append((key, profile_of(layout, parts)))
        return found

    # Events.

    async def take(self, chunk: Chunk, receipt: Receipt) -> None:
        """Count a chunk; its bad events go to the dead-letter topic with the next flush."""
        if chunk.partition not in self._ready:
            return
        offsets = np.array(chunk.offsets, dtype=np.int64)
        record_ms = np.array(chunk.timestamps_ms, dtype=np.int64)
        folded = self.profiler.fold_records(chunk.partition, chunk.values, offsets, record_ms)
        self._receipts[chunk.partition].append(receipt)
        self._count(len(chunk), folded)
        self._letters += [(one.code.value, dead_letter(chunk, one)) for one in folded.bad]
        if len(self._letters) > LETTERS_HELD:
            await self.flush()

    def _count(self, rows: int, folded: Folded) -> None:
        self.metrics.chunk_rows.observe(rows)
        for model, events in folded.events.items():
            if model in self.fleet.models:
                self.metrics.events.labels(model=model).inc(events)
            else:
                self.metrics.unmonitored.inc(events)
        for model, late in folded.late.items():
            if model in self.fleet.models:
                self.metrics.late.labels(model=model).inc(late)
        for bad in folded.bad:
            self.metrics.invalid.labels(code=bad.code.value).inc()

    async def _bury(self) -> None:
        """Send the dead letters; a checkpoint written after this may pass their records."""
        letters, self._letters = self._letters, []
        await self._letter_box.put([letter for _, letter in letters])
        for code, _ in letters:
            self.metrics.dead_letters.labels(code=code).inc()

    # Flushes.

    async def flush(self) -> None:
        """Write what changed in every partition, in the order that makes it recoverable."""
        async with self._flushing, self.pulse.busy():
            began = time.monotonic()
            now_ms = time.time_ns() // 1_000_000
            await self._bury()
            for partition in sorted(self._ready):
                await self._flush_partition(partition, now_ms)
            self.metrics.flush_duration.labels(stage="profile").observe(time.monotonic() - began)
            self._report(now_ms)

    async def _flush_partition(self, partition: int, now_ms: int) -> None:
        caught_up = self._lag(partition) == 0
        # A partition is quiet as long as the broker says so. Where it has not been heard, because it, the
        # network or this process stood still, nobody knows what waits there.
        heard_ms = self.app.consumer.answered_ms(TP(self.fleet.topics.predictions.name, partition)) or 0
        flush = self.profiler.flush(partition, heard_ms, caught_up=caught_up, said_ms=now_ms)
        receipts, self._receipts[partition] = self._receipts[partition], []
        if flush.profiles or flush.closed or receipts or flush.heartbeats:
            await self._write(partition, flush)
            await self._beat(flush)
        if self._told_caught_up.get(partition) is not caught_up:
            await self._tell_caught_up(partition, caught_up, now_ms)
        for receipt in receipts:
            receipt.ack()

    async def _write(self, partition: int, flush: Flush) -> None:
        topic = self.fleet.topics.profiles.name
        upserts: list[Record] = []
        for key, parts in flush.profiles:
            place = self.fleet.profile_partition(key.model)
            upserts += [(topic, place, encode(PartKey(key, index)), part) for index, part in enumerate(parts)]
            for part in parts:
                self.metrics.profile_bytes.observe(len(part))
        rows = {encode(key): join_parts(parts) for key, parts in flush.profiles}
        await asyncio.gather(self._rows.write(partition, rows), self._sender.send(upserts))
        # One record after the other: the checkpoint must not be there before what it vouches for.
        await self._rows.write(partition, {_CHECKPOINT: flush.checkpoint})
        await self._rows.write(partition, dict.fromkeys(map(encode, flush.closed)))

    async def _beat(self, flush: Flush) -> None:
        topic = self.fleet.topics.profiles.name
        await self._sender.send(
            (topic, self.fleet.profile_partition(key.model), encode(key), encode(beat))
            for key, beat in flush.heartbeats
        )

    async def _tell_caught_up(self, partition: int, caught_up: bool, now_ms: int) -> None:
        """Tell every judge whether this source partition has a backlog, whatever its models."""
        beat = encode(Heartbeat(0, caught_up, 0, 0, now_ms))
        key = encode(HeartbeatKey(partition, ""))
        topic = self.fleet.topics.profiles.name
        await self._sender.send((topic, index, key, beat) for index in range(self.fleet.profile_partitions))
        self._told_caught_up[partition] = caught_up

    def _lag(self, partition: int) -> int | None:
        """Return the records of a partition still to be counted; None while that is not known."""
        state = self.profiler.partitions.get(partition)
        highwater = self.app.consumer.highwater(TP(self.fleet.topics.predictions.name, partition))
        return None if highwater is None or state is None else max(highwater - state.next_offset, 0)

    def _report(self, now_ms: int) -> None:
        if self._owned is not None:
            self.pulse.beat(now_ms, {partition: self._lag(partition) for partition in self._owned})
        states = self.profiler.partitions.values()
        self.metrics.open_panes.labels(stage="profile").set(sum(len(state.open) for state in states))
        self.metrics.state_keys.labels(stage="profile").set(len(self._rows))


def _newer(key: bytes, held: bytes, found: bytes) -> bool:
    """At recovery the higher offset wins: a late writer's row must not take anything back."""
    offset = checkpoint_offset if key == _CHECKPOINT else row_fence
    return offset(found) >= offset(held)
