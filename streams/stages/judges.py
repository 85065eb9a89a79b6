"""The judges of the models whose profiles a worker owns: what they take, when they close, what they write.

Pure: the stage carries out what is yielded here, and hands in the clock and the rows it holds.
"""

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

from alerts.alert import AlertUpsert
from alerts.tenure import Tenure
from detectors.registry import DETECTORS
from streams import backlog
from streams.backlog import BacklogState, Standings
from streams.judge import LAYOUTS_KEPT, ModelJudge
from streams.judged import Judged
from streams.layout import Layout, fits, unmonitored_layout
from streams.monitor import Monitor
from streams.stages import judge_rows, tenures
from streams.stages.fleet import Fleet
from streams.stages.turns import has_turn
from streams.topics import Topics
from streams.watermark import NEVER_MS
from streams.wire import (
    Heartbeat,
    HeartbeatKey,
    OutcomeKey,
    PartKey,
    decode_heartbeat,
    decode_key,
    decode_part,
    encode,
)
from streams.writes import Step

_logger = logging.getLogger(__name__)

#: How long a source partition with a backlog, which has not spoken of a model yet, holds its panes back.
HOLD_BACK_MS = 60_000
#: How long the first panes of a model wait for source partitions that have not spoken of it: what one flush
#: brings of one partition may run weeks of event time ahead of the next, when a backlog is sent.
FIRST_HOLD_MS = 10_000
#: Whose judges own the fleet's alert on its backlog: one for all, since every profile partition hears of it.
BACKLOG_PARTITION = 0

#: How often a model's outcomes are judged, by how large they are: looking at a kilobyte takes some 0.05 ms.
OUTCOMES_EVERY_MS, OUTCOMES_PAUSE_MS_PER_KB = 1_000, 1

RowsOf = Callable[[int], Mapping[bytes, bytes]]
Steps = Callable[[Topics, ModelJudge, Judged, Set[bytes]], list[Step]]


class Receipt(Protocol):
    """What it takes to acknowledge a chunk later."""

    def ack(self) -> None:
        """Mark the chunk as done."""


@dataclass(frozen=True, slots=True)
class Writing:
    """What to write into the rows of ``partition`` and elsewhere; and of whom it speaks, to be shown then.

    ``fleet_alerts`` are of no model.
    """

    partition: int
    steps: list[Step]
    judge: ModelJudge | None = None
    judged: Judged = field(default_factory=Judged)
    fleet_alerts: list[AlertUpsert] = field(default_factory=list)


@dataclass(slots=True)
class _Waiting:
    """A chunk whose profiles are not all in closed panes; until then it is read again after a crash."""

    receipt: Receipt
    panes: dict[str, int] = field(default_factory=dict)


class Judges:
    """Judges by model, for the profile partitions a worker owns."""

    def __init__(self, fleet: Fleet) -> None:
        self.models: dict[str, ModelJudge] = {}
        self.said_ms: dict[str, int] = {}
        self.backlog: BacklogState | None = None
        self._tenures: dict[int, Tenure] = {}
        self._untold: dict[int, dict[bytes, bytes]] = {}
        self._stated_ms: int | None = None
        self._fleet = fleet
        self._waiting: defaultdict[int, deque[_Waiting]] = defaultdict(deque)
        self._touched: set[str] = set()
        self._backlog_since: dict[int, int] = {}
        self._first_heard_ms: dict[str, int] = {}
        self._outcomes_changed: set[str] = set()
        self._outcomes_due_ms: dict[str, int] = {}
        # Those of all models of a partition are too many to look through for each pane of each.
        self._pane_keys: dict[str, set[bytes]] = {}
        self._heard: defaultdict[int, dict[bytes, bytes | None]] = defaultdict(dict)
        self._layouts: defaultdict[str, list[Layout]] = defaultdict(list)
        self._standings: defaultdict[int, Standings] = defaultdict(Standings)

    def learn(self, layout: Layout, from_ms: int) -> None:
        """Know a published layout: stage 1 counts in the newest, whether the model's rows know it or not."""
        known = self._layouts[layout.model]
        if layout not in known:
            known.append(layout)
            del known[:-LAYOUTS_KEPT]
        judge = self.models.get(layout.model)
        if judge is not None and layout.hash not in judge.layouts:
            judge.take_layout(layout)

    def forget(self) -> None:
        """Forget all models; those that come back are restored from their rows."""
        self.models.clear()
        self.backlog = None
        self._tenures.clear()
        self._untold.clear()
        self._standings.clear()
        self._waiting.clear()
        self._touched.clear()
        self._heard.clear()
        self._first_heard_ms.clear()
        self._outcomes_changed.clear()
        self._outcomes_due_ms.clear()
        self._pane_keys.clear()

    def await_all(self, now_ms: int) -> None:
        """Take it that every source partition has a backlog, until it says that it has none."""
        self._backlog_since = dict.fromkeys(range(self._fleet.source_partitions), now_ms)

    def take_over(self, held: Mapping[int, Tenure]) -> None:
        """Own partitions from now on; what is told of their models is told in these tenures' names."""
        self._tenures = dict(held)

    def restore(self, partition: int, rows: Mapping[bytes, bytes], now_ms: int) -> None:
        """Take up the models of a partition from its rows, and the fleet's alert, if it lies there."""
        for model, (state, panes) in judge_rows.models(rows).items():
            judge = self.models[model] = self._judge(model)
            # A monitor that was changed since has other columns, and begins anew.
            state.layouts = [one for one in state.layouts if fits(judge.monitor, one)]
            judge.restore(state, panes(judge))
            judge.takeovers = self._takeovers(partition, state.takeovers)
            self._teach(judge)
        for key, beat in judge_rows.heartbeats(rows):
            self._take_heartbeat(partition, key, beat, now_ms)
            if not key.model:
                self._standings[partition].only_read(key.partition)
        for place, value in judge_rows.outcomes(rows):
            self._take_outcomes(place, value, None, now_ms)
        if partition == BACKLOG_PARTITION:
            found = judge_rows.backlog_of(rows)
            self.backlog = backlog.restored(found, self._takeovers(partition, found.takeovers))
        # As it was read: what is taken from now on counts once it is acknowledged.
        fleet = self.backlog if partition == BACKLOG_PARTITION else None
        self._untold[partition] = judge_rows.taken_over(self._of(partition), fleet)

    def _takeovers(self, partition: int, held: int) -> int:
        """Return a number that only this owner has, higher than those of all before.

        Two that took over one after the other may have read the same row: their epochs tell them apart.
        """
        tenure = self._tenures.get(partition)
        return held + 1 if tenure is None else max(held + 1, tenure.epoch)

    def take(
        self,
        partition: int,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        receipt: Receipt,
        now_ms: int,
    ) -> None:
        """Put a chunk of upserts and heartbeats into their models' inboxes."""
        waiting = _Waiting(receipt)
        for raw_key, value in zip(keys, values, strict=True):
            if raw_key is None or value is None:
                continue
            key = decode_key(raw_key)
            if isinstance(key, PartKey):
                self._take_part(key, value, waiting, now_ms)
            elif isinstance(key, OutcomeKey):
                self._take_outcomes(key, value, partition, now_ms)
            else:
                kept = self._take_heartbeat(partition, key, decode_heartbeat(value), now_ms)
                if kept is not None:
                    self._heard[partition][raw_key] = encode(kept)
        self._waiting[partition].append(waiting)

    def close(self, rows_of: RowsOf, now_ms: int) -> Iterator[Writing]:
        """Close and judge what is ready; at the end, acknowledge what lies in closed panes.

        What is yielded must be written before the next is asked for.
        """
        yield from self._tell_taken_over()
        touched, self._touched = self._touched, set()
        heard, self._heard = self._heard, defaultdict(dict)
        taken = {partition: len(waiting) for partition, waiting in self._waiting.items()}
        for model in sorted(touched):
            judge = self.models.get(model)
            if judge is None:
                continue
            if self._held_back(judge, now_ms):
                self._touched.add(model)
                continue
            judged = judge.close()
            ends_ms = [pane.end_ms for _, pane in judged.panes]
            if ends_ms:
                judged.in_full = has_turn(model, judge.monitor.windows.pane, ends_ms, len(self.models))
            self._judge_outcomes(judge, judged, now_ms)
            if judged.incomplete:
                _logger.warning(
                    "%d profiles of %r are left out: a part never came, or their layout was never published",
                    judged.incomplete,
                    model,
                )
            if judged:
                yield self._writing(judge, judged, rows_of, judge_rows.close_steps)
        # A quiet partition does not say again that it is idle: what is acknowledged must be remembered.
        for partition, rows in heard.items():
            yield Writing(partition, [Step(rows=rows)])
        self._acknowledge(taken)

    def _tell_taken_over(self) -> Iterator[Writing]:
        """Tell what is known of partitions just taken over, and write their rows as they were read.

        Whatever is done next with them comes after: else the row of before would be what compaction leaves.
        """
        untold, self._untold = self._untold, {}
        for partition, restored in sorted(untold.items()):
            yield from self._tell_again(partition)
            yield Writing(partition, [Step(rows=restored)])

    def _tell_again(self, partition: int) -> Iterator[Writing]:
        """Tell what fires and what was over last: the desk may have refused it, where a worker was stalled."""
        upserts = [
            upsert for judge in self._of(partition) for upsert in (*judge.book.current(), *judge.book.over())
        ]
        if partition == BACKLOG_PARTITION and self.backlog is not None:
            upserts += backlog.last_told(self.backlog)
        if upserts:
            steps = [Step(judge_rows.alert_records(self._fleet.topics, upserts))]
            yield Writing(partition, self._signed(partition, steps))

    def _of(self, partition: int) -> list[ModelJudge]:
        return [
            judge for model, judge in self.models.items() if self._fleet.profile_partition(model) == partition
        ]

    def _state_tenures(self, now_ms: int) -> Iterator[Writing]:
        """Say now and then what is known and whose word counts, in this order.

        A stalled worker's word may come late: then it says nothing after it.
        """
        if self._stated_ms is not None and abs(now_ms - self._stated_ms) < tenures.STATED_EVERY_MS:
            return
        self._stated_ms = now_ms
        for partition in sorted(self._tenures):
            yield from self._tell_again(partition)
        topic = self._fleet.topics.alerts.name
        for partition, tenure in sorted(self._tenures.items()):
            yield Writing(partition, [Step([tenures.statement(topic, tenure)])])

    def _signed(self, partition: int, steps: Sequence[Step]) -> list[Step]:
        return tenures.signed(self._fleet.topics.alerts.name, self._tenures.get(partition), steps)

    def _judge_outcomes(self, judge: ModelJudge, judged: Judged, now_ms: int) -> None:
        """Judge outcomes that have changed, not so often that nothing else is done."""
        model = judge.monitor.model
        if model not in self._outcomes_changed:
            return
        if now_ms < self._outcomes_due_ms.get(model, now_ms):
            self._touched.add(model)
            return
        self._outcomes_changed.discard(model)
        size_kb = 0 if judge.outcomes is None else judge.outcomes.size_bytes // 1000
        self._outcomes_due_ms[model] = now_ms + OUTCOMES_EVERY_MS + size_kb * OUTCOMES_PAUSE_MS_PER_KB
        found = judge.judge_outcomes()
        judged.verdicts += found.verdicts
        judged.news += found.news
        judged.alerts += found.alerts

    def tick(self, rows_of: RowsOf, now_ms: int) -> Iterator[Writing]:
        """Judge silence and staleness; without alerts there is nothing to write, but to show."""
        yield from self._tell_taken_over()
        for judge in list(self.models.values()):
            standings = self._standings[self._fleet.profile_partition(judge.monitor.model)]
            judged = judge.tick(now_ms, standings.counted_until_ms(now_ms))
            if judged.alerts:
                yield self._writing(judge, judged, rows_of, judge_rows.tick_steps)
            else:
                yield Writing(self._fleet.profile_partition(judge.monitor.model), [], judge, judged)
        if self.backlog is not None:
            yield from self._judge_backlog(self.backlog, now_ms)
        yield from self._state_tenures(now_ms)

    def _judge_backlog(self, state: BacklogState, now_ms: int) -> Iterator[Writing]:
        """Judge whether the fleet is behind; where nothing of it changes, there is nothing to write."""
        limits = self._fleet.backlog
        found = backlog.verdict(self._standings[BACKLOG_PARTITION], now_ms, limits)
        self.backlog, upserts = backlog.step(state, found, now_ms, limits, self._fleet.links)
        if self.backlog != state:
            steps = judge_rows.backlog_steps(self._fleet.topics, self.backlog, upserts)
            steps = self._signed(BACKLOG_PARTITION, steps)
            yield Writing(BACKLOG_PARTITION, steps, fleet_alerts=upserts)

    def _writing(self, judge: ModelJudge, judged: Judged, rows_of: RowsOf, steps: Steps) -> Writing:
        model = judge.monitor.model
        partition = self._fleet.profile_partition(model)
        if model not in self._pane_keys:
            self._pane_keys[model] = judge_rows.pane_keys(model, rows_of(partition))
        held = self._pane_keys[model]
        written = steps(self._fleet.topics, judge, judged, held)
        for key, value in (row for step in written for row in step.rows.items()):
            if not judge_rows.is_lasting(key):
                (held.discard if value is None else held.add)(key)
        return Writing(partition, self._signed(partition, written), judge, judged)

    def _judge_of(self, model: str, now_ms: int) -> ModelJudge:
        judge = self.models.get(model)
        if judge is None:
            judge = self.models[model] = self._judge(model)
            judge.takeovers = self._takeovers(self._fleet.profile_partition(model), 0)
            self._teach(judge)
        if not judge.inbox.spoken:
            self._first_heard_ms.setdefault(model, now_ms)
        return judge

    def _teach(self, judge: ModelJudge) -> None:
        for layout in self._layouts[judge.monitor.model]:
            judge.take_layout(layout)

    def _judge(self, model: str) -> ModelJudge:
        watched = self._fleet.models.get(model)
        if watched is None:
            return ModelJudge(_unmonitored(model), unmonitored_layout(model), links=self._fleet.links)
        return ModelJudge(
            watched.monitor, watched.layout, reference_file=watched.reference, links=self._fleet.links
        )

    def _take_part(self, key: PartKey, value: bytes, waiting: _Waiting, now_ms: int) -> None:
        model = key.profile.model
        if self._judge_of(model, now_ms).inbox.put(key, decode_part(value)):
            start_ms = key.profile.pane_start_ms
            waiting.panes[model] = max(waiting.panes.get(model, start_ms), start_ms)
            self._touched.add(model)

    def _take_outcomes(self, key: OutcomeKey, value: bytes, partition: int | None, now_ms: int) -> None:
        """Enter outcomes in their model's book, and keep them as they came: they are not said again.

        ``partition`` is None where they are kept already.
        """
        book = self._judge_of(key.model, now_ms).outcomes
        if book is None or not book.put(key, value):
            return
        if partition is not None:
            self._heard[partition][encode(key)] = value
            self._touched.add(key.model)
            self._outcomes_changed.add(key.model)
            for old in book.let_go():
                self._heard[partition][encode(old)] = None

    def _take_heartbeat(
        self, partition: int, key: HeartbeatKey, beat: Heartbeat, now_ms: int
    ) -> Heartbeat | None:
        """Take what a source partition says; return what to write down of it, None if it is old."""
        if not key.model:
            if beat.idle:
                self._backlog_since.pop(key.partition, None)
            else:
                self._backlog_since.setdefault(key.partition, now_ms)
            return self._standings[partition].take(key.partition, beat)
        is_newest = self._judge_of(key.model, now_ms).inbox.heard(key.partition, beat)
        self.said_ms[key.model] = beat.at_ms
        self._touched.add(key.model)
        return beat if is_newest else None

    def _held_back(self, judge: ModelJudge, now_ms: int) -> bool:
        """Return whether a source partition that has not spoken of the model yet may have events of open panes."""
        silent = set(range(self._fleet.source_partitions)) - judge.inbox.spoken
        if not silent:
            return False
        if now_ms - self._first_heard_ms.get(judge.monitor.model, NEVER_MS) < FIRST_HOLD_MS:
            return True
        return any(
            now_ms - self._backlog_since.get(partition, NEVER_MS) < HOLD_BACK_MS for partition in silent
        )

    def _acknowledge(self, taken: Mapping[int, int]) -> None:
        """Acknowledge, of the chunks taken before this round of closing, those in closed panes."""
        for partition, count in taken.items():
            waiting = self._waiting[partition]
            for _ in range(count):
                if not all(self._is_closed(*pane) for pane in waiting[0].panes.items()):
                    break
                waiting.popleft().receipt.ack()

    def _is_closed(self, model: str, start_ms: int) -> bool:
        judge = self.models.get(model)
        return judge is None or start_ms < judge.inbox.closed_until_ms


def _unmonitored(model: str) -> Monitor:
    """Return the monitor of a model that has no file: nothing is judged, volume and latency are shown."""
    return Monitor.model_validate({"model": model, "detectors": dict.fromkeys(DETECTORS, False)})
