"""Stage 1: chunks of predictions in; profiles, heartbeats and dead letters out."""

import asyncio
import time
from collections import defaultdict
from typing import Any

import numpy as np
from faust.types.tuples import TP

from streams.folding import Folded
from streams.metrics import Metrics
from streams.pace import Pace
from streams.partition import Flush
from streams.profiler import Profiler
from streams.stages import profile_rows
from streams.stages.dead_letter import LetterBox, dead_letter
from streams.stages.fleet import Fleet
from streams.stages.join_rows import join_records
from streams.stages.layouts import LayoutFollower
from streams.stages.pulse import Pulse
from streams.stages.rows import Rows
from streams.stages.sender import Sender
from streams.standing import Standing
from streams.transport import Chunk, Receipt, chunk_topic
from streams.transport.engine import listen, make_app
from streams.watermark import NEVER_MS
from streams.writes import Record

#: Dead letters that may wait for the next checkpoint.
LETTERS_HELD = 2_000
#: Predictions to be joined that may wait for it.
PREDICTIONS_HELD = 20_000
#: Where writing all that is open takes long, it may take this share of the time, and not more.
CHECKPOINT_SHARE = 0.1
LONGEST_CHECKPOINT_S = 30.0


class ProfileStage:
    """The shell of `Profiler`: one Faust app, its state table, and flushes.

    Twice a second it sends what the judge waits for. Every few seconds it writes everything, as the steps
    of `profile_rows.flush_steps`, and acknowledges the chunks they cover: so what is acknowledged can be
    recovered, and what is recovered was counted once.
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
        sender = self._sender = Sender(self.app)
        self._plans = fleet.join_plans
        self._letter_box = LetterBox(sender, fleet.topics.dead_letter.name)
        self._layouts = LayoutFollower(fleet, self.profiler.relayout)
        self._rows = Rows(
            self.app, sender, "state", partitions=fleet.source_partitions,
            newer=profile_rows.newer, prepare=self._layouts.catch_up, recovered=self._restore,
        )  # fmt: skip
        self._pace = Pace()
        self._owned: frozenset[int] | None = None
        self._ready: set[int] = set()
        self._receipts: defaultdict[int, list[Receipt]] = defaultdict(list)
        self._letters: defaultdict[int, list[tuple[str, Record]]] = defaultdict(list)
        self._standings: defaultdict[int, Standing] = defaultdict(Standing)
        self._told: dict[int, tuple[bool, int]] = {}
        self._predicted: defaultdict[int, list[Record]] = defaultdict(list)
        self._flushing = asyncio.Lock()
        self._checkpoint_due_s = 0.0
        listen(self.app, self)
        self._declare()

    def _declare(self) -> None:
        topic = chunk_topic(self.app, self.fleet.topics.predictions.name)

        @self.app.agent(topic, name="profile")  # type: ignore[untyped-decorator]
        async def profile(stream: Any) -> None:
            async for event in stream.noack().events():
                await self.take(event.value, Receipt(event))

        self.app.every(self.fleet.flush_s, self.flush_due)
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
            self._letters.clear()
            self._standings.clear()
            self._predicted.clear()
            for partition in list(self.profiler.partitions):
                self.profiler.drop(partition)

    def _restore(self) -> None:
        """Take up every partition of ours from its rows; runs before its first chunk is delivered."""
        for partition in (self._owned or frozenset()) - self._ready:
            rows = self._rows.of(partition)
            found = profile_rows.profiles(rows, self._layouts.layout)
            self.profiler.restore(partition, rows.get(profile_rows.CHECKPOINT), found)
            self._told.pop(partition, None)
            self._ready.add(partition)

    # Events.

    async def take(self, chunk: Chunk, receipt: Receipt) -> None:
        """Count a chunk; its bad events go to the dead-letter topic with the next checkpoint."""
        if chunk.partition not in self._ready:
            return
        offsets = np.array(chunk.offsets, dtype=np.int64)
        record_ms = np.array(chunk.timestamps_ms, dtype=np.int64)
        folded = self.profiler.fold_records(chunk.partition, chunk.values, offsets, record_ms)
        age_ms = time.time_ns() // 1_000_000 - chunk.timestamps_ms[-1]
        self._standings[chunk.partition].passed(age_ms=age_ms, at_ms=_steady_ms())
        self._receipts[chunk.partition].append(receipt)
        self._count(len(chunk), folded)
        name = self.fleet.topics.dead_letter.name
        self._letters[chunk.partition] += [
            (one.code.value, dead_letter(name, chunk, one)) for one in folded.bad
        ]
        self._predicted[chunk.partition] += join_records(self.fleet, self._plans, folded.predicted)
        if (
            sum(map(len, self._letters.values())) > LETTERS_HELD
            or sum(map(len, self._predicted.values())) > PREDICTIONS_HELD
        ):
            await self.app.go_round(self.flush)

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

    # Flushes.

    async def flush_due(self) -> None:
        """Write a checkpoint when it is time for one; what the judges wait for goes always."""
        if time.monotonic() < self._checkpoint_due_s:
            await self.flush_closed()
        else:
            await self.flush()

    async def flush(self) -> None:
        """Write what changed in every partition, in the order that makes it recoverable."""
        async with self._flushing, self.pulse.busy():
            began_s = time.monotonic()
            now_ms = time.time_ns() // 1_000_000
            steady = self._pace.is_steady(_steady_ms())
            for partition in sorted(self._ready):
                await self._flush_partition(partition, now_ms, steady=steady)
            took_s = time.monotonic() - began_s
            pause_s = min(max(self.fleet.checkpoint_s, took_s / CHECKPOINT_SHARE), LONGEST_CHECKPOINT_S)
            self._checkpoint_due_s = began_s + pause_s
            self.metrics.flush_duration.labels(stage="profile").observe(took_s)
            self._report(now_ms)

    async def flush_closed(self) -> None:
        """Send what the judges wait for; nothing is acknowledged by it."""
        async with self._flushing, self.pulse.busy():
            now_ms = time.time_ns() // 1_000_000
            steady = self._pace.is_steady(_steady_ms())
            for partition in sorted(self._ready):
                caught_up = steady and self._lag(partition) == 0
                heard_ms = self._heard_ms(partition)
                flush = self.profiler.flush_closed(partition, heard_ms, caught_up=caught_up, said_ms=now_ms)
                if flush.profiles or flush.heartbeats:
                    await self._rows.carry_out(partition, profile_rows.flush_steps(self.fleet, flush))
                    self._measure(flush)
                await self._tell_standing(partition, caught_up, now_ms)
            self._report(now_ms)

    async def _flush_partition(self, partition: int, now_ms: int, *, steady: bool) -> None:
        caught_up = steady and self._lag(partition) == 0
        flush = self.profiler.flush(partition, self._heard_ms(partition), caught_up=caught_up, said_ms=now_ms)
        receipts, self._receipts[partition] = self._receipts[partition], []
        letters, self._letters[partition] = self._letters[partition], []
        predicted, self._predicted[partition] = self._predicted[partition], []
        await self._letter_box.put([letter for _, letter in letters])
        # Sent before the checkpoint that passes them; after a crash the join knows them by their offsets.
        await self._sender.send(predicted)
        if flush.profiles or flush.closed or receipts or flush.heartbeats:
            await self._rows.carry_out(partition, profile_rows.flush_steps(self.fleet, flush))
        await self._rows.keep_up(partition)
        await self._tell_standing(partition, caught_up, now_ms)
        for receipt in receipts:
            receipt.ack()
        for code, _ in letters:
            self.metrics.dead_letters.labels(code=code).inc()
        self._measure(flush)

    async def _tell_standing(self, partition: int, caught_up: bool, now_ms: int) -> None:
        """Tell the judges how a partition stands: when it has caught up or has not any more, and now and then."""
        steady_ms, lag = _steady_ms(), self._lag(partition)
        standing = self._standings[partition]
        if lag is not None:
            next_offset = self.profiler.partitions[partition].next_offset
            standing.note(
                next_offset=next_offset, end_offset=next_offset + lag, at_ms=self._heard_ms(partition)
            )
        was_caught_up, told_ms = self._told.get(partition, (None, steady_ms))
        if was_caught_up is caught_up and steady_ms - told_ms < self.fleet.backlog.told_every_ms:
            return
        until_ms = standing.until_ms
        step = profile_rows.standing_step(
            self.fleet,
            partition,
            now_ms,
            caught_up=caught_up,
            counted_until_ms=NEVER_MS if until_ms == NEVER_MS else now_ms - (steady_ms - until_ms),
            waiting=lag or 0,
        )
        await self._rows.carry_out(partition, [step])
        self._told[partition] = caught_up, steady_ms

    def _measure(self, flush: Flush) -> None:
        for _, parts in flush.profiles:
            for part in parts:
                self.metrics.profile_bytes.observe(len(part))

    def _heard_ms(self, partition: int) -> int:
        """Return when the broker was last asked for a partition, and answered, by a clock that is never set.

        A partition is quiet as long as the broker says so. Where it has not been heard, because it, the
        network or this process stood still, nobody knows what waits there.
        """
        heard_ms = self.app.consumer.answered_ms(TP(self.fleet.topics.predictions.name, partition))
        # Before the first answer: from now on, by the same clock.
        return _steady_ms() if heard_ms is None else heard_ms

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


def _steady_ms() -> int:
    """Return a clock that is never set, to wait by."""
    return time.monotonic_ns() // 1_000_000
