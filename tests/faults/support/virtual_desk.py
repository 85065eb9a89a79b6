"""Stage 3 without Kafka: the desk, its epochs, and receivers that may or may not have got a message.

The product's own `DeskLog` writes here, so that a desk that was stalled, and wakes up while another one owns
the alerts, is refused by what stands in the topic.
"""

from collections import deque
from collections.abc import AsyncIterator, Coroutine, Generator, Iterable, Iterator
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple, cast

from virtual_workers import Receipt, VirtualWorker

from alerts.config import Config, parse
from alerts.decision import Reason
from alerts.desk import Desk
from alerts.dispatch import Delivery
from alerts.outcome import Outcome, Retry, Sent
from alerts.tenure import Written
from streams.stages.desk_log import DeskLog, SupersededError
from streams.stages.sender import Sender
from streams.transport import Chunk
from streams.writes import Record

GROUP_WAIT_MS = 1_000


@cache
def alerting() -> Config:
    """Return a config of one route, whose timers a schedule lives to see."""
    return parse(
        {
            "route": {
                "receiver": "log", "group_by": ["model", "alertname"],
                "group_wait": f"{GROUP_WAIT_MS}ms", "group_interval": "2s",
            },
            "receivers": [{"name": "log", "log_configs": [{}]}],
        }
    )  # fmt: skip


class _Pause:
    """Where a process may be stopped: awaited, it gives way to the schedule."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class _Placed(NamedTuple):
    offset: int


class VirtualSender:
    """Sends in order, a few records at a time; what it has not sent when its worker crashes may come late."""

    def __init__(self, worker: VirtualWorker) -> None:
        self._worker = worker

    async def send(self, records: Iterable[Record]) -> list[_Placed]:
        """Send records of one topic, and return where each one is."""
        worker, lane = self._worker, deque(records)
        worker.lanes = {(lane[0].topic, 0): lane}
        placed: list[_Placed] = []
        while lane:
            if worker.random.random() < 0.4:
                await _Pause()
            for _ in range(worker.random.randint(1, len(lane))):
                placed.append(_Placed(worker.broker.append(lane.popleft(), worker.clock())))
        worker.lanes = {}
        await _Pause()
        return placed


class VirtualLog(DeskLog):
    """The desk's topic on the virtual broker."""

    def __init__(self, worker: VirtualWorker) -> None:
        topic, broker = worker.fleet.topics.desk.name, worker.broker
        super().__init__(
            cast(Sender, VirtualSender(worker)), "", topic,
            sure_for_s=worker.fleet.session_timeout_s / 2, monotonic_s=lambda: broker.steady_ms / 1000,
        )  # fmt: skip
        self._broker = broker

    async def _read(self, start: int, end: int) -> AsyncIterator[tuple[str, bytes | None]]:
        for entry in self._broker.read(self._topic, 0, start, end - start):
            yield (entry.key or b"").decode(), entry.value


class DeskWorker(VirtualWorker):
    """Stage 3."""

    newer = staticmethod(lambda key, held, found: True)
    # The broker stamps the alerts.
    time_of = staticmethod(attrgetter("steady_ms"))

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.source = self.fleet.topics.alerts.name
        self.changelog = self.fleet.topics.desk.name
        self.forget()

    def recover(self) -> None:
        """Read nothing: the owner's own log does."""

    def restore(self) -> None:
        """Take over anew: what stands in the topic is read as the epoch is claimed."""
        self.forget()

    def forget(self) -> None:
        self.desk: Desk | None = None
        self.superseded = False
        self._log = VirtualLog(self)
        self._waiting: list[tuple[Chunk, Receipt]] = []
        self._receipts: list[Receipt] = []

    def take(self, chunk: Chunk, receipt: Receipt) -> None:
        self._waiting.append((chunk, receipt))
        if self.desk is not None:
            self._take_waiting(self.desk)

    def _take_waiting(self, desk: Desk) -> None:
        waiting, self._waiting = self._waiting, []
        for chunk, receipt in waiting:
            places = map(Written, chunk.timestamps_ms, chunk.offsets)
            for written, key, value in zip(places, chunk.keys, chunk.values, strict=True):
                before = desk.counts[Reason.FOLLOWED]
                desk.take(key, value, self.clock(), written)
                is_late = value and (chunk.topic, chunk.partition, written.offset) in self.broker.followed
                if is_late and desk.counts[Reason.FOLLOWED] == before:
                    self.wrong(
                        f"{self.name} hears at offset {written.offset} "
                        "what a judge told that another had followed"
                    )
            self._receipts.append(receipt)

    def write(self) -> Iterator[None]:
        return _steps(self._work())

    async def _work(self) -> None:
        if not self.owned or self.superseded:
            return
        try:
            if self.desk is None:
                self.desk = await self._take_over()
                self._take_waiting(self.desk)
            await self._tell(self.desk)
        except SupersededError:
            # It ends itself, and joins anew when its group has noticed.
            self.superseded, self.desk = True, None

    async def _take_over(self) -> Desk:
        past = await self._log.claim()
        state = past.state
        desk = Desk.restore(alerting(), state, self.clock())
        changed = desk.take_changed_rows()
        await self._log.succeed(past, {k: row for k, row in (state | changed).items() if row is not None})
        return desk

    async def _tell(self, desk: Desk) -> None:
        deliveries = desk.tick(self.clock())
        receipts, self._receipts = self._receipts, []
        await self._log.write(desk.take_changed_rows())
        for receipt in receipts:
            receipt.ack()
        for delivery in deliveries:
            await _Pause()
            await self._log.make_sure()
            if self.stalled and self._log.epoch < self._owner():
                self.wrong(f"{self.name} was stalled, and sends though {self._owner()} is the epoch by now")
            outcome = self._deliver(delivery)
            await _Pause()
            desk.settled(delivery.id, outcome, self.clock())
            await self._log.write(desk.take_changed_rows())

    def _owner(self) -> int:
        """Return the highest epoch that is complete."""
        keys = [(entry.key or b"").decode() for entry in self.broker.read(self.changelog, 0)]
        return max((int(key.split("/")[0]) for key in keys if key.endswith("/complete")), default=0)

    def _deliver(self, delivery: Delivery) -> Outcome:
        luck = self.random.random()
        if luck < 0.1:
            return Retry(0, "refused")
        if luck < 0.9:
            self.broker.received.append(delivery.notification)
        return Sent() if luck < 0.8 else Retry(0, "no answer", maybe_delivered=True)


def _steps(work: Coroutine[Any, Any, None]) -> Iterator[None]:
    """Go from one pause of some work to the next."""
    while True:
        try:
            work.send(None)
        except StopIteration:
            return
        yield
