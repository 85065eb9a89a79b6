"""Workers without Kafka: the product's own cores and write orders, against a broker in memory.

A worker's task (a flush, a round of closing) is a generator that pauses between writes; there the
schedule may let others act, crash the worker, or leave it behind as a stalled one that goes on later.
"""

import itertools
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from random import Random
from typing import Any

import numpy as np
from virtual_broker import Entry, VirtualBroker

from alerts.tenure import Tenure
from streams.layout import Layout
from streams.pace import Pace
from streams.profiler import Profiler
from streams.stages import judge_rows, profile_rows
from streams.stages.dead_letter import dead_letter
from streams.stages.fleet import Fleet
from streams.stages.judges import Judges, Writing
from streams.stages.layouts import LayoutFollower
from streams.stages.rows import PROBE
from streams.stages.tenures import first_statements, opening_record
from streams.stages.upkeep import Upkeep
from streams.standing import Standing
from streams.transport import Chunk
from streams.writes import Record, Step

Newer = Callable[[bytes, bytes, bytes], bool]
Lanes = dict[tuple[str, int], deque[Record]]


@dataclass
class Receipt:
    """A delivered chunk, until it may be committed."""

    last_offset: int
    acked: bool = False

    def ack(self) -> None:
        """Mark it as done."""
        self.acked = True


class VirtualWorker(ABC):
    """One process of one stage.

    Parameters
    ----------
    clock
        Returns its wall clock, epoch ms.
    wrong
        Told of what must not be.
    """

    #: It knows that another one is in its place.
    superseded = False
    source: str
    changelog: str
    newer: Newer
    #: A record's time in milliseconds: that of the worker that wrote it, unless the broker stamps the topic.
    time_of: Callable[[Entry], int] = staticmethod(attrgetter("at_ms"))

    def __init__(
        self,
        name: str,
        fleet: Fleet,
        broker: VirtualBroker,
        random: Random,
        clock: Callable[[], int],
        wrong: Callable[[str], None],
    ) -> None:
        self.name = name
        self.fleet = fleet
        self.broker = broker
        self.random = random
        self.clock = clock
        self.wrong = wrong
        self.owned: frozenset[int] = frozenset()
        self.stalled = False
        self.task: Iterator[None] | None = None
        self.lanes: Lanes = {}
        self.rows: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._upkeep: dict[int, Upkeep] = {}
        self.position: dict[int, int] = {}
        self.highwater: dict[int, int] = {}
        self.delivered: defaultdict[int, deque[Receipt]] = defaultdict(deque)

    # Partitions come and go.

    def assigned(self, partitions: frozenset[int]) -> None:
        """Own partitions: recover their rows, and read on from what is committed."""
        self.owned = partitions
        self.recover()
        self.restore()
        for partition in partitions:
            self.position[partition] = self.broker.committed.get((self.source, partition), 0)

    def recover(self) -> None:
        """Read the rows of what is owned."""
        steady_ms = self.broker.steady_ms
        for partition in self.owned:
            self.rows[partition] = self._recovered(partition)
            self._upkeep[partition] = Upkeep(self.broker.end(self.changelog, partition), steady_ms)

    def _recovered(self, partition: int) -> dict[bytes, bytes]:
        rows: dict[bytes, bytes] = {}
        for entry in self.broker.read(self.changelog, partition):
            assert entry.key is not None
            if entry.key == PROBE:
                continue
            held = rows.get(entry.key)
            if entry.value is None:
                rows.pop(entry.key, None)
            elif held is None or type(self).newer(entry.key, held, entry.value):
                rows[entry.key] = entry.value
        return rows

    def revoked(self) -> None:
        """Own nothing any more, and forget everything."""
        self.owned = frozenset()
        self.task, self.lanes = None, {}
        for held in (self.rows, self.position, self.highwater, self.delivered):
            held.clear()
        self.forget()

    def mark(self, what: str, value: int) -> None:
        """Note what was recovered; it must never be less than what was recovered before."""
        if value < self.broker.recovered.get(what, value):
            self.wrong(f"{what} was {self.broker.recovered[what]} and is recovered as {value}")
        self.broker.recovered[what] = value

    def commit(self) -> None:
        """Commit what is acknowledged; a stalled worker's commit is refused."""
        for partition, delivered in self.delivered.items():
            done = None
            while delivered and delivered[0].acked:
                done = delivered.popleft().last_offset + 1
            if done is not None and not self.stalled:
                self.broker.committed[(self.source, partition)] = done

    # Working.

    def fetch(self, partition: int, count: int) -> int:
        """Have a chunk delivered; return how many records it had."""
        start = self.position[partition]
        entries = self.broker.read(self.source, partition, start, count)
        self.highwater[partition] = self.broker.end(self.source, partition)
        if entries:
            self.position[partition] = start + len(entries)
            chunk = Chunk(
                self.source, partition, list(range(start, start + len(entries))),
                [self.time_of(one) for one in entries], [one.key for one in entries], [one.value for one in entries],
            )  # fmt: skip
            receipt = Receipt(chunk.last_offset)
            self.delivered[partition].append(receipt)
            self.take(chunk, receipt)
        return len(entries)

    def work(self) -> None:
        """Go on with the task under way, or begin one."""
        if self.task is None:
            self.task = self.begin()
        if next(self.task, self) is self:
            self.task = None

    def finish(self) -> None:
        """Bring the task under way to its end, then do a whole one, as on a revoke."""
        while self.task is not None:
            self.work()
        for _ in self.write():
            pass

    def carry_out(self, partition: int, steps: Iterable[Step]) -> Iterator[None]:
        """Write steps one after the other, pausing wherever a process may be stopped."""
        for step in steps:
            changes = [Record(self.changelog, partition, key, value) for key, value in step.rows.items()]
            yield from self._send([*step.records, *changes])
            rows = self.rows[partition]
            for key, value in step.rows.items():
                if value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = value

    def keep_up(
        self, partition: int, is_lasting: Callable[[bytes], bool] = lambda key: True
    ) -> Iterator[None]:
        """Write rows again, if others wrote among them."""
        upkeep, rows = self._upkeep[partition], self.rows[partition]
        if upkeep.probe_due(self.broker.steady_ms):
            yield from self._send([Record(self.changelog, partition, PROBE, b"")])
        if upkeep.take_disturbed():
            again = [Record(self.changelog, partition, key, rows[key]) for key in rows if is_lasting(key)]
            yield from self._send(again)

    def _send(self, records: Iterable[Record]) -> Iterator[None]:
        lanes = self.lanes = {}
        for record in records:
            lanes.setdefault((record.topic, record.partition or 0), deque()).append(record)
        while lanes:
            if self.random.random() < 0.4:
                yield
            lane = self.random.choice(list(lanes))
            for _ in range(self.random.randint(1, len(lanes[lane]))):
                offset = self.broker.append(lanes[lane].popleft(), self.clock())
                if lane[0] == self.changelog:
                    self._upkeep[lane[1]].wrote([offset], self.broker.steady_ms)
                if self.stalled:
                    self.broker.followed.add((*lane, offset))
            if not lanes[lane]:
                del lanes[lane]
        yield

    @abstractmethod
    def restore(self) -> None:
        """Take up the partitions owned from their rows."""

    @abstractmethod
    def forget(self) -> None:
        """Drop all state."""

    @abstractmethod
    def take(self, chunk: Chunk, receipt: Receipt) -> None:
        """Take a chunk."""

    @abstractmethod
    def write(self) -> Iterator[None]:
        """Return the task that writes and acknowledges what was taken."""

    def begin(self) -> Iterator[None]:
        """Return the next task."""
        return self.write()


class Follower(LayoutFollower):
    """Follows the layouts on the virtual broker, from record to record as the schedule has it."""

    def __init__(self, worker: VirtualWorker, heard: Callable[[Layout, int], None]) -> None:
        super().__init__(worker.fleet, heard)
        self._broker = worker.broker
        self._topic = worker.fleet.topics.layouts.name
        self._read_to = 0

    def follow(self, count: int | None = None) -> None:
        """Read what layouts were published since, or so many of them."""
        for entry in self._broker.read(self._topic, 0, self._read_to, count):
            self._read_to += 1
            assert entry.value is not None
            self.take(entry.value)


class ProfileWorker(VirtualWorker):
    """Stage 1."""

    newer = staticmethod(profile_rows.newer)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.source = self.fleet.topics.predictions.name
        self.changelog = "profile-rows"
        self._pace = Pace()
        self.profiler = Profiler({name: (one.monitor, one.layout) for name, one in self.fleet.models.items()})
        self.follower = Follower(self, self.profiler.relayout)
        self.forget()

    def restore(self) -> None:
        self.follower.follow()
        for partition in self.owned:
            rows = self.rows[partition]
            found = profile_rows.profiles(rows, self.follower.layout)
            self.profiler.restore(partition, rows.get(profile_rows.CHECKPOINT), found)
            committed = self.broker.committed.get((self.source, partition), 0)
            held = self.profiler.partitions[partition].next_offset
            self.mark(f"next offset of partition {partition}", held)
            if held < committed:
                self.wrong(f"{committed} is committed of partition {partition}, but recovered is {held}")

    def forget(self) -> None:
        for partition in list(self.profiler.partitions):
            self.profiler.drop(partition)
        self._receipts: defaultdict[int, list[Receipt]] = defaultdict(list)
        self._letters: defaultdict[int, list[Record]] = defaultdict(list)
        self._standings: defaultdict[int, Standing] = defaultdict(Standing)
        self._told: dict[int, tuple[bool, int]] = {}

    def take(self, chunk: Chunk, receipt: Receipt) -> None:
        offsets = np.array(chunk.offsets, dtype=np.int64)
        record_ms = np.array(chunk.timestamps_ms, dtype=np.int64)
        folded = self.profiler.fold_records(chunk.partition, chunk.values, offsets, record_ms)
        self._receipts[chunk.partition].append(receipt)
        name = self.fleet.topics.dead_letter.name
        self._letters[chunk.partition] += [dead_letter(name, chunk, one) for one in folded.bad]

    def begin(self) -> Iterator[None]:
        is_checkpoint = self.random.random() < 0.7
        return self.write() if is_checkpoint else self._write_closed()

    def write(self) -> Iterator[None]:
        now_ms = self.clock()
        steady = self._pace.is_steady(now_ms)
        for partition in sorted(self.owned):
            yield from self._flush(partition, now_ms, steady)

    def _write_closed(self) -> Iterator[None]:
        now_ms = self.clock()
        steady = self._pace.is_steady(now_ms)
        for partition in sorted(self.owned):
            caught_up = self._lag(partition) == 0 and steady
            flush = self.profiler.flush_closed(partition, now_ms, caught_up=caught_up)
            if flush.profiles or flush.heartbeats:
                yield from self.carry_out(partition, profile_rows.flush_steps(self.fleet, flush))
            yield from self._tell_caught_up(partition, caught_up, now_ms)

    def _flush(self, partition: int, now_ms: int, steady: bool) -> Iterator[None]:
        caught_up = self._lag(partition) == 0 and steady
        flush = self.profiler.flush(partition, now_ms, caught_up=caught_up)
        receipts, self._receipts[partition] = self._receipts[partition], []
        letters, self._letters[partition] = self._letters[partition], []
        yield from self.carry_out(partition, [Step(letters)] if letters else [])
        if flush.profiles or flush.closed or receipts or flush.heartbeats:
            yield from self.carry_out(partition, profile_rows.flush_steps(self.fleet, flush))
        yield from self.keep_up(partition)
        yield from self._tell_caught_up(partition, caught_up, now_ms)
        for receipt in receipts:
            receipt.ack()

    def _tell_caught_up(self, partition: int, caught_up: bool, now_ms: int) -> Iterator[None]:
        lag, standing = self._lag(partition), self._standings[partition]
        if lag is not None:
            next_offset = self.profiler.partitions[partition].next_offset
            standing.note(next_offset=next_offset, end_offset=next_offset + lag, at_ms=now_ms)
        was_caught_up, told_ms = self._told.get(partition, (None, now_ms))
        if was_caught_up is caught_up and now_ms - told_ms < self.fleet.backlog.told_every_ms:
            return
        step = profile_rows.standing_step(
            self.fleet, partition, now_ms,
            caught_up=caught_up, counted_until_ms=standing.until_ms, waiting=lag or 0,
        )  # fmt: skip
        yield from self.carry_out(partition, [step])
        self._told[partition] = caught_up, now_ms

    def _lag(self, partition: int) -> int | None:
        known = self.highwater.get(partition)
        return None if known is None else max(known - self.profiler.partitions[partition].next_offset, 0)


class JudgeWorker(VirtualWorker):
    """Stage 2."""

    newer = staticmethod(judge_rows.newer)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.source = self.fleet.topics.profiles.name
        self.changelog = "judge-rows"
        self.judges = Judges(self.fleet)
        self.follower = Follower(self, self.judges.learn)

    def assigned(self, partitions: frozenset[int]) -> None:
        topic, tenures = self.fleet.topics.alerts.name, {}
        for partition in sorted(partitions):
            opened = self.broker.append(opening_record(topic, partition), self.clock())
            tenures[partition] = Tenure(partition, opened)
            for record in first_statements(topic, tenures[partition]):
                self.broker.append(record, self.clock())
        self.judges.take_over(tenures)
        super().assigned(partitions)

    def restore(self) -> None:
        self.follower.follow()
        now_ms = self.clock()
        self.judges.await_all(now_ms)
        for partition in self.owned:
            self.judges.restore(partition, self.rows[partition], now_ms)
        for model, judge in self.judges.models.items():
            self.mark(f"the end of closed panes of {model}", judge.inbox.closed_until_ms)
            for group, history in judge.histories.items():
                for one, two in itertools.pairwise(history.panes):
                    if one.end_ms > two.start_ms:
                        self.wrong(f"{model} {group} is restored with panes that overlap")
        for (model, source), watermark_ms in self._watermarks().items():
            self.mark(f"the watermark of {model} in partition {source}", watermark_ms)

    def forget(self) -> None:
        self.judges.forget()

    def take(self, chunk: Chunk, receipt: Receipt) -> None:
        before = self._watermarks()
        self.judges.take(chunk.partition, chunk.keys, chunk.values, receipt, self.clock())
        after = self._watermarks()
        for place, watermark_ms in before.items():
            if after[place] < watermark_ms:
                self.wrong(f"the watermark of {place} went back from {watermark_ms} to {after[place]}")

    def _watermarks(self) -> dict[tuple[str, int], int]:
        return {
            (model, partition): one.watermark_ms
            for model, judge in self.judges.models.items()
            for partition, one in judge.inbox.progress.items()
        }

    def begin(self) -> Iterator[None]:
        # One that stood still begins no tick (`Pace`), and soon learns that it was left behind.
        ticks = not self.stalled and self.random.random() < 0.1
        return self._carry_out(self.judges.tick if ticks else self.judges.close)

    def write(self) -> Iterator[None]:
        return self._carry_out(self.judges.close)

    def _carry_out(self, work: Callable[..., Iterator[Writing]]) -> Iterator[None]:
        for writing in work(self._rows_of, self.clock()):
            yield from self.carry_out(writing.partition, writing.steps)
        for partition in sorted(self.owned):
            yield from self.keep_up(partition, judge_rows.is_lasting)

    def keep(self, model: str) -> None:
        """Write down what is known of a model."""
        judge = self.judges.models.get(model)
        if judge is not None:
            partition = self.fleet.profile_partition(model)
            rows = judge_rows.changes(judge, judge_rows.pane_keys(judge.monitor.model, self.rows[partition]))
            for _ in self.carry_out(partition, [Step(rows=rows)]):
                pass

    def _rows_of(self, partition: int) -> dict[bytes, bytes]:
        return self.rows[partition]
