"""Stage 2: profiles of all source partitions in; panes, verdicts, alerts, layouts and the projection out."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faust.types.tuples import TP

from detectors.registry import DETECTORS
from streams.judge import Judged, ModelJudge
from streams.layout import fits, unmonitored_layout
from streams.metrics import Metrics
from streams.monitor import Monitor
from streams.projection import Projection
from streams.stages import judge_rows
from streams.stages.board import Board
from streams.stages.fleet import Fleet
from streams.stages.layouts import layout_record
from streams.stages.pulse import Pulse
from streams.stages.rows import Rows
from streams.stages.sender import Record, Sender
from streams.stages.series import RECENT_MS, SeriesReader, full_span_ms
from streams.transport import Chunk, Receipt, chunk_topic
from streams.transport.engine import listen, make_app
from streams.watermark import NEVER_MS
from streams.wire import Heartbeat, HeartbeatKey, PartKey, decode_heartbeat, decode_key, decode_part

EVERY_S = 0.1
TICK_S = 5.0
#: How long a source partition with a backlog, which has not spoken of a model yet, holds its panes back.
HOLD_BACK_MS = 60_000
#: How long the first panes of a model wait for source partitions that have not spoken of it: what one flush
#: brings of one partition may run weeks of event time ahead of the next, when a backlog is sent.
FIRST_HOLD_MS = 10_000


@dataclass(slots=True)
class _Waiting:
    """A chunk whose profiles are not all in closed panes; until then it is read again after a crash."""

    receipt: Receipt
    panes: dict[str, int] = field(default_factory=dict)


class JudgeStage:
    """The shell of `ModelJudge`: one Faust app, the models of the partitions it owns, and their rows.

    When panes close: outputs are sent, then the model's rows are written, then the input that is now in
    closed panes is acknowledged. Closing a pane again after a crash sends the same outputs again, which
    their readers recognise.
    """

    def __init__(self, fleet: Fleet, metrics: Metrics, *, instance: str | None = None) -> None:
        self.fleet = fleet
        self.metrics = metrics
        self.app = make_app(
            f"{fleet.topics.prefix}-judge",
            brokers=fleet.brokers,
            session_timeout_s=fleet.session_timeout_s,
            instance=instance,
            topic_partitions=fleet.profile_partitions,
        )
        self.judges: dict[str, ModelJudge] = {}
        self.pulse = Pulse("judge", fleet, metrics)
        self.projection = Projection(fleet.redis_url, f"{fleet.worker}/judge", metrics, self._refill)
        self._board = Board(self.projection, metrics)
        self._sender = Sender(self.app)
        self._rows = Rows(
            self.app, self._sender, "state", partitions=fleet.profile_partitions,
            newer=judge_rows.newer, recovered=self._restore,
        )  # fmt: skip
        self._series = SeriesReader(fleet, self.projection)
        self._owned: frozenset[int] | None = None
        self._ready: set[int] = set()
        self._waiting: defaultdict[int, deque[_Waiting]] = defaultdict(deque)
        self._touched: set[str] = set()
        self._backlog_since: dict[int, int] = {}
        self._next_offset: dict[int, int] = {}
        self._said_ms: dict[str, int] = {}
        self._first_heard_ms: dict[str, int] = {}
        self._heard: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._closing = asyncio.Lock()
        listen(self.app, self)
        self._declare()

    def _declare(self) -> None:
        topic = chunk_topic(self.app, self.fleet.topics.profiles.name)

        @self.app.agent(topic, name="judge")  # type: ignore[untyped-decorator]
        async def judge(stream: Any) -> None:
            async for event in stream.noack().events():
                self.take(event.value, Receipt(event))

        @self.app.task  # type: ignore[untyped-decorator]
        async def close() -> None:
            while not self.app.should_stop:
                await asyncio.sleep(EVERY_S)
                await self.close_panes()

        @self.app.task  # type: ignore[untyped-decorator]
        async def tick() -> None:
            while not self.app.should_stop:
                await asyncio.sleep(TICK_S)
                await self.tick()

        for run in (self.pulse.run, self.projection.run, self._series.run):
            self.app.task(run)

    async def disconnect(self) -> None:
        """Do nothing: all connections are the app's, or close with their tasks."""

    # Partitions come and go.

    async def assigned(self, partitions: frozenset[TP]) -> None:
        """Take note of the partitions that are ours from now on."""
        self._owned = frozenset(
            tp.partition for tp in partitions if tp.topic == self.fleet.topics.profiles.name
        )

    async def revoking(self, partitions: frozenset[TP]) -> None:
        """Close and write what can be closed."""
        await self.close_panes()

    async def revoked(self, partitions: frozenset[TP]) -> None:
        """Forget all models; those that come back are restored from their rows."""
        self.metrics.rebalances.labels(stage="judge").inc()
        async with self._closing:
            for model in self.judges:
                self.metrics.forget_model(model)
            self.judges.clear()
            self._ready.clear()
            self._waiting.clear()
            self._touched.clear()
            self._next_offset.clear()
            self._heard.clear()
            self._first_heard_ms.clear()

    async def _restore(self) -> None:
        now_ms = _steady_ms()
        self._backlog_since = {partition: now_ms for partition in range(self.fleet.source_partitions)}
        for partition in (self._owned or frozenset()) - self._ready:
            rows = self._rows.of(partition)
            for model, (state, panes) in judge_rows.models(rows).items():
                judge = self.judges[model] = self._judge(model)
                # A monitor that was changed since has other columns, and begins anew.
                state.layouts = [one for one in state.layouts if fits(judge.monitor, one)]
                judge.restore(state, panes(judge))
            for key, beat in judge_rows.heartbeats(rows):
                self._take_heartbeat(key, beat)
            self._ready.add(partition)
        self.projection.in_doubt()

    def _judge_of(self, model: str) -> ModelJudge:
        judge = self.judges.get(model)
        if judge is None:
            judge = self.judges[model] = self._judge(model)
            self._first_heard_ms[model] = _steady_ms()
        return judge

    def _judge(self, model: str) -> ModelJudge:
        watched = self.fleet.models.get(model)
        if watched is None:
            return ModelJudge(_unmonitored(model), unmonitored_layout(model), links=self.fleet.links)
        return ModelJudge(
            watched.monitor, watched.layout, reference_file=watched.reference, links=self.fleet.links
        )

    # Profiles.

    def take(self, chunk: Chunk, receipt: Receipt) -> None:
        """Put a chunk of upserts and heartbeats into their models' inboxes."""
        if chunk.partition not in self._ready:
            return
        waiting = _Waiting(receipt)
        for raw_key, value in zip(chunk.keys, chunk.values, strict=True):
            if raw_key is None or value is None:
                continue
            key = decode_key(raw_key)
            if isinstance(key, PartKey):
                self._take_part(key, value, waiting)
            else:
                self._take_heartbeat(key, decode_heartbeat(value))
                self._heard[chunk.partition][raw_key] = value
        self._waiting[chunk.partition].append(waiting)
        self._next_offset[chunk.partition] = chunk.last_offset + 1

    def _take_part(self, key: PartKey, value: bytes, waiting: _Waiting) -> None:
        model = key.profile.model
        if self._judge_of(model).inbox.put(key, decode_part(value)):
            start_ms = key.profile.pane_start_ms
            waiting.panes[model] = max(waiting.panes.get(model, start_ms), start_ms)
            self._touched.add(model)

    def _take_heartbeat(self, key: HeartbeatKey, beat: Heartbeat) -> None:
        if not key.model:
            if beat.idle:
                self._backlog_since.pop(key.partition, None)
            else:
                self._backlog_since.setdefault(key.partition, _steady_ms())
        else:
            self._judge_of(key.model).inbox.heard(key.partition, beat)
            self._said_ms[key.model] = beat.at_ms
            self._touched.add(key.model)

    # Panes.

    async def close_panes(self) -> None:
        """Close and judge what is ready, and acknowledge what lies in closed panes."""
        async with self._closing, self.pulse.busy():
            now_ms = _now_ms()
            touched, self._touched = self._touched, set()
            heard, self._heard = self._heard, defaultdict(dict)
            taken = {partition: len(waiting) for partition, waiting in self._waiting.items()}
            for model in sorted(touched):
                judge = self.judges.get(model)
                if judge is None:
                    continue
                if self._held_back(judge):
                    self._touched.add(model)
                    continue
                began = time.monotonic()
                judged = judge.close()
                if judged:
                    await self._write(judge, judged, now_ms)
                    self.metrics.flush_duration.labels(stage="judge").observe(time.monotonic() - began)
            # A quiet partition does not say again that it is idle: what is acknowledged must be remembered.
            for partition, rows in heard.items():
                await self._rows.write(partition, rows)
            self._acknowledge(taken)
            self._report(now_ms)

    async def tick(self) -> None:
        """Judge silence and staleness."""
        async with self._closing, self.pulse.busy():
            now_ms = _now_ms()
            for judge in list(self.judges.values()):
                judged = judge.tick(now_ms)
                if judged.alerts:
                    await self._write(judge, judged, now_ms)
                else:
                    self._board.show(
                        judge, judged, now_ms, monitored=judge.monitor.model in self.fleet.models
                    )

    def _held_back(self, judge: ModelJudge) -> bool:
        """Return whether a source partition that has not spoken of the model yet may have events of open panes."""
        silent = set(range(self.fleet.source_partitions)) - judge.inbox.progress.keys()
        if not silent:
            return False
        now_ms = _steady_ms()
        if now_ms - self._first_heard_ms.get(judge.monitor.model, NEVER_MS) < FIRST_HOLD_MS:
            return True
        return any(
            now_ms - self._backlog_since.get(partition, NEVER_MS) < HOLD_BACK_MS for partition in silent
        )

    async def _write(self, judge: ModelJudge, judged: Judged, now_ms: int) -> None:
        model, topics = judge.monitor.model, self.fleet.topics
        partition = self.fleet.profile_partition(model)
        records: list[Record] = judge_rows.output_records(topics, model, judged)
        if judged.layout is not None:
            records.append(layout_record(topics.layouts.name, *judged.layout))
        await self._sender.send(records)
        await self._rows.write(partition, judge_rows.changes(judge, self._rows.of(partition)))
        self._board.show(judge, judged, now_ms, monitored=model in self.fleet.models)
        if judged.panes and model in self._said_ms:
            self.metrics.verdict_delay.observe(max(_now_ms() - self._said_ms[model], 0) / 1000)

    def _acknowledge(self, taken: Mapping[int, int]) -> None:
        """Acknowledge, of the chunks taken before this round of closing, those in closed panes."""
        for partition, count in taken.items():
            waiting = self._waiting[partition]
            for _ in range(count):
                if not all(self._is_closed(*pane) for pane in waiting[0].panes.items()):
                    break
                waiting.popleft().receipt.ack()

    def _is_closed(self, model: str, start_ms: int) -> bool:
        judge = self.judges.get(model)
        return judge is None or start_ms < judge.inbox.closed_until_ms

    def _report(self, now_ms: int) -> None:
        if self._owned is not None:
            self.pulse.beat(now_ms, {partition: self._lag(partition) for partition in self._owned})
        self.metrics.open_panes.labels(stage="judge").set(sum(len(one.inbox) for one in self.judges.values()))
        self.metrics.state_keys.labels(stage="judge").set(len(self._rows))

    def _lag(self, partition: int) -> int | None:
        """Return the records of a partition still to be read; None while that is not known."""
        highwater = self.app.consumer.highwater(TP(self.fleet.topics.profiles.name, partition))
        if highwater is None or partition not in self._ready:
            return None
        read = self._next_offset.get(partition)
        return 0 if read is None else max(highwater - read, 0)

    async def _refill(self, lost: bool) -> None:
        """Put everything current up again, and have the series read from their topic."""
        spans = {}
        for model, judge in list(self.judges.items()):
            empty = lost or not await self.projection.has(f"model:{model}:panes")
            held = await self.projection.fields(f"model:{model}:alerts")
            # Partitions may move meanwhile: what is no longer ours is another's to mend.
            if self.judges.get(model) is judge:
                spans[model] = full_span_ms(judge.monitor.windows.pane) if empty else RECENT_MS
                self._board.forget_alerts(judge, held)
        self._series.ask(spans)
        self._show_all()

    def _show_all(self) -> None:
        now_ms = _now_ms()
        for judge in self.judges.values():
            self._board.refill(judge, now_ms, monitored=judge.monitor.model in self.fleet.models)


def _unmonitored(model: str) -> Monitor:
    """Return the monitor of a model that has no file: nothing is judged, volume and latency are shown."""
    return Monitor.model_validate({"model": model, "detectors": dict.fromkeys(DETECTORS, False)})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _steady_ms() -> int:
    """Return a clock that is never set, to wait by."""
    return time.monotonic_ns() // 1_000_000
