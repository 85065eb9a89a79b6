"""Stage 3: alert upserts in; notifications out, from one place that sees every alert together."""

import asyncio
import logging
import time
from typing import Any

from aiohttp import ClientSession
from faust.types.tuples import TP
from pydantic import ValidationError

from alerts.alert import AlertUpsert
from alerts.config import Config
from alerts.desk import Desk
from alerts.dispatch import Delivery
from alerts.outcome import Failed, Outcome, Retry
from alerts.receivers.registry import Receivers, open_session
from streams.metrics import Metrics
from streams.stages.fleet import Fleet
from streams.stages.pulse import Pulse
from streams.stages.rows import Rows
from streams.stages.sender import Sender
from streams.transport import Chunk, Receipt, chunk_topic
from streams.transport.engine import listen, make_app

_logger = logging.getLogger(__name__)
EVERY_S = 0.2


class DeskStage:
    """The shell of `Desk`: alerts topic in, rows on ``driftline.desk``, receivers out.

    Rows are written before a delivery leaves and after it is settled; input is acknowledged after its
    rows are written. So a crash repeats at most what was under way, and says so.
    """

    def __init__(
        self, fleet: Fleet, metrics: Metrics, config: Config, *, instance: str | None = None
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
        self.pulse = Pulse("desk", fleet, metrics)
        self._config = config
        self._sender = Sender(self.app)
        self._rows = Rows(
            self.app,
            self._sender,
            "desk",
            partitions=1,
            recovered=self._restore,
            topic=fleet.topics.desk.name,
        )
        self._owns = False
        self._receipts: list[Receipt] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._writing = asyncio.Lock()
        self._next_offset: int | None = None
        self._session: ClientSession | None = None
        self._receivers: Receivers | None = None
        listen(self.app, self)
        self._declare()

    def _declare(self) -> None:
        topic = chunk_topic(self.app, self.fleet.topics.alerts.name)

        @self.app.agent(topic, name="desk")  # type: ignore[untyped-decorator]
        async def take(stream: Any) -> None:
            async for event in stream.noack().events():
                self.take(event.value, Receipt(event))

        @self.app.task  # type: ignore[untyped-decorator]
        async def work() -> None:
            while not self.app.should_stop:
                await asyncio.sleep(EVERY_S)
                await self.work()

        self.app.task(self.pulse.run)

    async def assigned(self, partitions: frozenset[TP]) -> None:
        """Take note whether the desk is ours."""
        self._owns = any(tp.topic == self.fleet.topics.alerts.name for tp in partitions)

    async def revoking(self, partitions: frozenset[TP]) -> None:
        """Write and acknowledge what was taken."""
        await self.work()

    async def revoked(self, partitions: frozenset[TP]) -> None:
        """Forget the desk; whoever owns it next restores it from its rows."""
        self.metrics.rebalances.labels(stage="desk").inc()
        self.desk = None
        self._receipts.clear()

    async def _restore(self) -> None:
        if not self._owns or self.desk is not None:
            return
        if self._session is None:
            self._session = open_session()
            self._receivers = Receivers(self._config, self._session)
        rows = {key.decode(): value for key, value in self._rows.of(0).items()}
        self.desk = Desk.restore(self._config, rows, _now_ms(), external_url=self.fleet.links.public_url)

    def take(self, chunk: Chunk, receipt: Receipt) -> None:
        """Take a chunk of upserts."""
        if self.desk is None:
            return
        now_ms = _now_ms()
        for offset, value in zip(chunk.offsets, chunk.values, strict=True):
            try:
                upsert = AlertUpsert.model_validate_json(value or b"")
            except ValidationError as error:
                # Only Driftline writes here: another version's upsert must not stop the desk.
                _logger.error("upsert at offset %d cannot be read and is passed over: %s", offset, error)
                continue
            self.desk.upsert(upsert, now_ms)
        self._receipts.append(receipt)
        self._next_offset = chunk.last_offset + 1

    async def work(self) -> None:
        """Write what changed, acknowledge, and send what is due."""
        if self.desk is None:
            return
        deliveries = self.desk.tick(_now_ms())
        receipts, self._receipts = self._receipts, []
        await self._write(self.desk)
        for receipt in receipts:
            receipt.ack()
        for delivery in deliveries:
            task = asyncio.create_task(self._deliver(self.desk, delivery))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        self._report()

    async def _write(self, desk: Desk) -> None:
        async with self._writing:
            changed = desk.take_changed_rows()
            if changed:
                await self._rows.write(0, {key.encode(): value for key, value in changed.items()})

    async def _deliver(self, desk: Desk, delivery: Delivery) -> None:
        assert self._receivers is not None
        outcome = await self._receivers.send(delivery)
        name = "sent" if not isinstance(outcome, Retry | Failed) else _word(outcome)
        self.metrics.notifications.labels(receiver=delivery.integration.key, outcome=name).inc()
        if isinstance(outcome, Retry | Failed):
            _logger.warning("%s: %s", delivery.integration.key, outcome.reason)
        if desk is not self.desk:
            return
        desk.settled(delivery.id, outcome, _now_ms())
        try:
            await self._write(desk)
        except Exception as error:
            await self.app.crash(error)
            raise

    def _report(self) -> None:
        if self.desk is None:
            return
        highwater = self.app.consumer.highwater(TP(self.fleet.topics.alerts.name, 0))
        lag = None if highwater is None else max(highwater - self._next_offset, 0) if self._next_offset else 0
        self.pulse.beat(_now_ms(), {0: lag})
        self.metrics.state_keys.labels(stage="desk").set(len(self._rows))

    async def disconnect(self) -> None:
        """Let deliveries under way come to an end, and close the connections."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=5)
        if self._session is not None:
            await self._session.close()


def _word(outcome: Outcome) -> str:
    return "retried" if isinstance(outcome, Retry) else "failed"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
