"""Stage 3: alert upserts in; notifications out, from one place that sees every alert together."""

import asyncio
import logging
import time
from functools import partial
from typing import Any

from aiohttp import ClientSession
from faust.types.tuples import TP
from pydantic import ValidationError

from alerts.command import Command, Load
from alerts.config import Config
from alerts.desk import Desk
from alerts.dispatch import Delivery
from alerts.errors import ConfigRefused
from alerts.outcome import Failed, Finding, Found, Missing, Outcome, Retry, Sent, Unknowable
from alerts.receivers.registry import Receivers, open_session
from alerts.tenure import Written
from streams.metrics import Metrics
from streams.projection import Projection
from streams.stages.command_reader import follow
from streams.stages.desk_board import DeskBoard
from streams.stages.desk_log import DeskLog, SupersededError
from streams.stages.fleet import Fleet
from streams.stages.pulse import Pulse
from streams.stages.sender import Sender
from streams.transport import Chunk, Receipt, chunk_topic
from streams.transport.engine import listen, make_app

_logger = logging.getLogger(__name__)
EVERY_S = 0.2
_WORDS: dict[type, str] = {
    Sent: "sent", Retry: "retried", Failed: "failed", Found: "found", Missing: "missing", Unknowable: "unknown",
}  # fmt: skip
#: What deliveries under way get when the desk is let go; the group and the supervisor wait longer.
LAST_DELIVERIES_S = 5.0


class DeskStage:
    """The shell of `Desk`: alerts and commands in, rows and answers on ``driftline.desk``, receivers out.

    Rows are written before a delivery leaves and after it is settled; input is acknowledged after its
    rows are written. So a crash repeats at most what was under way, and says so. Who may write and send
    is decided by the epoch of `alerts.epoch`, which is won anew whenever the partition comes to us.
    """

    def __init__(
        self,
        fleet: Fleet,
        metrics: Metrics,
        config: Config,
        *,
        instance: str | None = None,
        load: Load | None = None,
    ) -> None:
        self.fleet = fleet
        self.metrics = metrics
        self.app = make_app(
            f"{fleet.topics.prefix}-desk",
            brokers=fleet.brokers,
            session_timeout_s=fleet.session_timeout_s,
            instance=instance,
            topic_partitions=1,
        )
        self.desk: Desk | None = None
        self.log = self._new_log()
        self.pulse = Pulse("desk", fleet, metrics)
        self.projection = Projection(fleet.redis_url, f"{fleet.worker}/desk", metrics, self._refill)
        self._board = DeskBoard(self.projection)
        self._config = config
        self._load = load
        self._ours = asyncio.Event()
        self._taking_over: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._receipts: list[Receipt] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._working = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._next_offset: int | None = None
        self._session: ClientSession | None = None
        self._receivers: Receivers | None = None
        listen(self.app, self)
        self._declare()

    def _new_log(self) -> DeskLog:
        return DeskLog(
            Sender(self.app),
            self.fleet.brokers,
            self.fleet.topics.desk.name,
            sure_for_s=self.fleet.session_timeout_s / 2,
        )

    def _declare(self) -> None:
        topic = chunk_topic(self.app, self.fleet.topics.alerts.name)

        @self.app.agent(topic, name="desk")  # type: ignore[untyped-decorator]
        async def take(stream: Any) -> None:
            async for event in stream.noack().events():
                chunk, receipt = event.value, Receipt(event)
                while self.desk is None:
                    await self._ours.wait()
                self.take(self.desk, chunk, receipt)

        self.app.every(EVERY_S, self.work)
        for run in (self.pulse.run, self.projection.run):
            self.app.task(run)

    # Owning the desk.

    async def assigned(self, partitions: frozenset[TP]) -> None:
        """Take over, if the desk is ours now; its input waits meanwhile."""
        if any(tp.topic == self.fleet.topics.alerts.name for tp in partitions):
            self._taking_over = asyncio.create_task(self._crashing(self._take_over()))

    def reload(self) -> None:
        """Read the alerting file again: all of it is taken up, or nothing."""
        if self._load is None:
            return
        try:
            config = self._load()
        except ConfigRefused as error:
            _logger.error("the alerting file is refused, what was taken up before stays: %s", error)
            return
        if self.desk is not None:
            self.desk.reconfigure(config, _now_ms())
        self._go_by(config)

    def _go_by(self, config: Config) -> None:
        if config == self._config and self._receivers is not None:
            return
        self._config = config
        if self._session is not None:
            self._receivers = Receivers(config, self._session, slack_buttons=self.fleet.slack_buttons)
        _logger.info("the alerting file is taken up")

    async def _take_over(self) -> None:
        if self._session is None:
            self._session = open_session()
        # It may have changed since this worker last looked, and whoever owned the desk went by it.
        self.reload()
        if self._receivers is None:
            self._receivers = Receivers(self._config, self._session, slack_buttons=self.fleet.slack_buttons)
        log = self._new_log()
        past = await log.claim()
        state = past.state
        desk = Desk.restore(self._config, state, _now_ms(), external_url=self.fleet.links.public_url)
        changed = desk.take_changed_rows()
        await log.succeed(past, {key: row for key, row in (state | changed).items() if row is not None})
        _logger.info("this worker owns the desk as epoch %d, with %d rows", log.epoch, len(log))
        self.desk, self.log = desk, log
        self._board.own(_now_ms())
        self.projection.in_doubt()
        self._ours.set()
        commands = follow(
            self.fleet.brokers, self.fleet.topics.commands.name, desk.next_command, partial(self.obey, desk)
        )
        self._following = asyncio.create_task(self._crashing(commands))

    async def _refill(self, lost: bool) -> None:
        if self.desk is not None:
            await self._board.refill(self.desk, _now_ms())

    async def revoking(self, partitions: frozenset[TP]) -> None:
        """Begin no delivery any more, let those under way end, write and acknowledge what was taken."""
        await self._end_takeover()
        self._ours.clear()
        async with self._working:
            desk, self.desk = self.desk, None
        if desk is None:
            return
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=LAST_DELIVERIES_S)
        # Those that wait for their receiver still stay SENDING in their rows; none is cut off while it writes.
        async with self._writing:
            await self._cut_off_deliveries()
        try:
            await self._write(desk)
        except SupersededError as error:
            _logger.warning("%s", error)
        else:
            self._acknowledge(len(self._receipts))

    async def _end_takeover(self) -> None:
        if self._taking_over is not None:
            self._taking_over.cancel()
            await asyncio.wait([self._taking_over])
        # Begun by the one that has ended by now.
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])

    async def revoked(self, partitions: frozenset[TP]) -> None:
        """Forget what is not acknowledged; whoever owns the desk next is told it again."""
        self.metrics.rebalances.labels(stage="desk").inc()
        self._receipts.clear()

    async def _crashing(self, work: Any) -> None:
        try:
            await work
        except Exception as error:
            if self.app.should_stop:
                # What it had to write is told the next owner again.
                _logger.info("cut short, for the stage stops: %s", error)
            else:
                await self.app.crash(error)

    # Alerts in, deliveries out.

    def take(self, desk: Desk, chunk: Chunk, receipt: Receipt) -> None:
        """Take a chunk of upserts."""
        now_ms = _now_ms()
        places = map(Written, chunk.timestamps_ms, chunk.offsets)
        for written, key, value in zip(places, chunk.keys, chunk.values, strict=True):
            try:
                desk.take(key, value, now_ms, written)
            except ValidationError as error:
                # Only Driftline writes here: another version's upsert must not stop the desk.
                _logger.error(
                    "upsert at offset %d cannot be read and is passed over: %s", written.offset, error
                )
        self._receipts.append(receipt)
        self._next_offset = chunk.last_offset + 1

    def obey(self, desk: Desk, command: Command | None, asked_at_ms: int, next_offset: int) -> None:
        """Carry out a command; its answer is a row, written after what it changed."""
        if command is not None:
            answer = desk.command(command, _now_ms(), asked_at_ms=asked_at_ms, load=self._load)
            self._go_by(desk.config)
            _logger.info("command %s: %s (%s)", command.id, answer.sentence, answer.code)
        desk.commands_read_to(next_offset)

    async def work(self) -> None:
        """Write what changed, acknowledge, and send what is due."""
        async with self._working:
            if self.desk is None:
                return
            # Those of the config by which the desk decides: another may be taken up while rows are written.
            receivers = self._receivers
            assert receivers is not None
            deliveries = self.desk.tick(_now_ms())
            taken = len(self._receipts)
            await self._write(self.desk)
            self._acknowledge(taken)
            for delivery in deliveries:
                task = asyncio.create_task(self._crashing(self._deliver(self.desk, receivers, delivery)))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            self._board.refresh(self.desk, _now_ms())
            self._report()

    async def _write(self, desk: Desk) -> None:
        async with self._writing:
            changed = desk.take_changed_rows()
            await self.log.write(changed)
        self._board.show(desk, changed, _now_ms())

    def _acknowledge(self, count: int) -> None:
        for receipt in self._receipts[:count]:
            receipt.ack()
        del self._receipts[:count]

    async def _deliver(self, desk: Desk, receivers: Receivers, delivery: Delivery) -> None:
        outcome = await self._send(receivers, delivery)
        name = _WORDS[type(outcome)]
        self.metrics.notifications.labels(receiver=delivery.integration.key, outcome=name).inc()
        if isinstance(outcome, Sent | Retry | Failed) and outcome.plain_because:
            self.metrics.template_failures.labels(receiver=delivery.integration.key).inc()
            _logger.error(
                "%s: told in the built-in words: %s", delivery.integration.key, outcome.plain_because
            )
        if isinstance(outcome, Retry | Failed | Unknowable):
            _logger.warning("%s: %s", delivery.integration.key, outcome.reason)
        desk.settled(delivery.id, outcome, _now_ms())
        await self._write(desk)

    async def _send(self, receivers: Receivers, delivery: Delivery) -> Outcome | Finding:
        async with self._writing:
            await self.log.make_sure()
        # From here to the receiver's own first step nothing is awaited.
        if self.desk is None:
            return Retry(0, "not sent: this worker lets go of the desk")
        return await receivers.send(delivery)

    async def _cut_off_deliveries(self) -> None:
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _report(self) -> None:
        highwater = self.app.consumer.highwater(TP(self.fleet.topics.alerts.name, 0))
        lag = None if highwater is None else max(highwater - self._next_offset, 0) if self._next_offset else 0
        self.pulse.beat(_now_ms(), {0: lag})
        self.metrics.state_keys.labels(stage="desk").set(len(self.log))

    async def disconnect(self) -> None:
        """Close the connections; after a crash, a takeover or deliveries may still be under way."""
        await self._end_takeover()
        await self._cut_off_deliveries()
        if self._session is not None:
            await self._session.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
