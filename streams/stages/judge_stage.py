"""Stage 2: profiles of all source partitions in; panes, verdicts, alerts, layouts and the projection out."""

import asyncio
import time
from typing import Any

from faust.types.tuples import TP

from streams import backlog
from streams.metrics import Metrics
from streams.pace import Pace
from streams.projection import Projection
from streams.stages import judge_rows
from streams.stages.board import FLEET_ALERTS, Board
from streams.stages.fleet import Fleet
from streams.stages.judges import Judges, Writing
from streams.stages.layouts import LayoutFollower
from streams.stages.pulse import Pulse
from streams.stages.rows import Rows
from streams.stages.sender import Sender
from streams.stages.series import RECENT_MS, SeriesReader, full_span_ms
from streams.stages.tenures import take_over
from streams.transport import Chunk, Receipt, chunk_topic
from streams.transport.engine import listen, make_app

EVERY_S = 0.1
TICK_S = 5.0
LONGEST_TICK_MS = 15_000


class JudgeStage:
    """The shell of `Judges`: one Faust app, the models of the partitions it owns, and their rows.

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
        self.judges = Judges(fleet)
        self.pulse = Pulse("judge", fleet, metrics)
        self.projection = Projection(fleet.redis_url, f"{fleet.worker}/judge", metrics, self._refill)
        self._board = Board(self.projection, metrics)
        self._layouts = LayoutFollower(fleet, self.judges.learn)
        self._sender = Sender(self.app)
        self._rows = Rows(
            self.app, self._sender, "state", partitions=fleet.profile_partitions,
            newer=judge_rows.newer, prepare=self._layouts.catch_up, recovered=self._restore,
        )  # fmt: skip
        self._series = SeriesReader(fleet, self.projection)
        self._owned: frozenset[int] | None = None
        self._ready: set[int] = set()
        self._next_offset: dict[int, int] = {}
        self._closing = asyncio.Lock()
        self._pace = Pace(LONGEST_TICK_MS)
        listen(self.app, self)
        self._declare()

    def _declare(self) -> None:
        topic = chunk_topic(self.app, self.fleet.topics.profiles.name)

        @self.app.agent(topic, name="judge")  # type: ignore[untyped-decorator]
        async def judge(stream: Any) -> None:
            async for event in stream.noack().events():
                self.take(event.value, Receipt(event))

        self.app.every(EVERY_S, self.close_panes)
        self.app.every(TICK_S, self.tick)
        for run in (self.pulse.run, self.projection.run, self._series.run, self._layouts.follow):
            self.app.task(run)

    async def disconnect(self) -> None:
        """Close the connection that is not the app's and does not close with its task."""
        await self._layouts.stop()

    # Partitions come and go.

    async def assigned(self, partitions: frozenset[TP]) -> None:
        """Take over the partitions that are ours from now on, before their rows are read."""
        self._owned = frozenset(
            tp.partition for tp in partitions if tp.topic == self.fleet.topics.profiles.name
        )
        self.judges.take_over(await take_over(self._sender, self.fleet.topics.alerts.name, self._owned))

    async def revoking(self, partitions: frozenset[TP]) -> None:
        """Close and write what can be closed."""
        await self.close_panes()

    async def revoked(self, partitions: frozenset[TP]) -> None:
        """Forget all models; those that come back are restored from their rows."""
        self.metrics.rebalances.labels(stage="judge").inc()
        async with self._closing:
            for model in self.judges.models:
                self.metrics.forget_model(model)
            self.metrics.forget_model("")
            self.judges.forget()
            self._ready.clear()
            self._next_offset.clear()

    def _restore(self) -> None:
        steady_ms = _steady_ms()
        self.judges.await_all(steady_ms)
        for partition in (self._owned or frozenset()) - self._ready:
            self.judges.restore(partition, self._rows.of(partition), steady_ms)
            self._ready.add(partition)
        self.projection.in_doubt()

    # Profiles.

    def take(self, chunk: Chunk, receipt: Receipt) -> None:
        """Put a chunk of upserts and heartbeats into their models' inboxes."""
        if chunk.partition not in self._ready:
            return
        self.judges.take(chunk.partition, chunk.keys, chunk.values, receipt, _steady_ms())
        self._next_offset[chunk.partition] = chunk.last_offset + 1

    # Panes.

    async def close_panes(self) -> None:
        """Close and judge what is ready, and acknowledge what lies in closed panes."""
        async with self._closing, self.pulse.busy():
            now_ms = _now_ms()
            began = time.monotonic()
            for writing in self.judges.close(self._rows.of, _steady_ms()):
                await self._carry_out(writing, now_ms)
                self.metrics.flush_duration.labels(stage="judge").observe(time.monotonic() - began)
                began = time.monotonic()
            self._report(now_ms)

    async def tick(self) -> None:
        """Judge silence and staleness; not when it stood still itself, and may have lost its models meanwhile."""
        async with self._closing, self.pulse.busy():
            now_ms = _now_ms()
            if not self._pace.is_steady(now_ms):
                return
            for writing in self.judges.tick(self._rows.of, now_ms):
                await self._carry_out(writing, now_ms)
            for partition in sorted(self._ready):
                await self._rows.keep_up(partition, judge_rows.is_lasting)

    async def _carry_out(self, writing: Writing, now_ms: int) -> None:
        await self._rows.carry_out(writing.partition, writing.steps)
        judge, judged = writing.judge, writing.judged
        self._board.show_fleet(writing.fleet_alerts)
        if judge is None:
            return
        model = judge.monitor.model
        self._board.show(judge, judged, now_ms, monitored=model in self.fleet.models)
        if judged.panes and model in self.judges.said_ms:
            self.metrics.verdict_delay.observe(max(_now_ms() - self.judges.said_ms[model], 0) / 1000)

    def _report(self, now_ms: int) -> None:
        if self._owned is not None:
            self.pulse.beat(now_ms, {partition: self._lag(partition) for partition in self._owned})
        self.metrics.open_panes.labels(stage="judge").set(
            sum(len(one.inbox) for one in self.judges.models.values())
        )
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
        for model, judge in list(self.judges.models.items()):
            empty = lost or not await self.projection.has(f"model:{model}:panes")
            held = await self.projection.fields(f"model:{model}:alerts")
            # Partitions may move meanwhile: what is no longer ours is another's to mend.
            if self.judges.models.get(model) is judge:
                spans[model] = full_span_ms(judge.monitor.windows.pane) if empty else RECENT_MS
                self._board.forget_alerts(f"model:{model}:alerts", judge.book.current(), held)
        held = await self.projection.fields(FLEET_ALERTS)
        if self.judges.backlog is not None:
            self._board.forget_alerts(FLEET_ALERTS, backlog.current(self.judges.backlog), held)
        self._series.ask(spans)
        self._show_all()

    def _show_all(self) -> None:
        now_ms = _now_ms()
        for judge in self.judges.models.values():
            self._board.refill(judge, now_ms, monitored=judge.monitor.model in self.fleet.models)
        if self.judges.backlog is not None:
            self._board.show_fleet(backlog.current(self.judges.backlog), again=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _steady_ms() -> int:
    """Return a clock that is never set, to wait by."""
    return time.monotonic_ns() // 1_000_000
