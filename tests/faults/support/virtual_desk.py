"""Stage 3 without Kafka: the desk, its rows, and receivers that may or may not have got a message.

It crashes and recovers like the others, but is not left behind as a stalled worker: what refuses such a
one is the owner's epoch, to be connected at `may_stall`.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from virtual_workers import Receipt, VirtualWorker

from alerts.alert import AlertUpsert
from alerts.config import Config, parse
from alerts.desk import Desk
from alerts.dispatch import Delivery
from alerts.outcome import Outcome, Retry, Sent
from streams.transport import Chunk
from streams.writes import Step

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


class DeskWorker(VirtualWorker):
    """Stage 3."""

    may_stall = False
    newer = staticmethod(lambda key, held, found: True)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.source = self.fleet.topics.alerts.name
        self.changelog = self.fleet.topics.desk.name
        self.forget()

    def restore(self) -> None:
        if self.owned:
            rows = {key.decode(): value for key, value in self.rows[0].items()}
            self.desk = Desk.restore(alerting(), rows, self.clock())

    def forget(self) -> None:
        self.desk: Desk | None = None
        self._receipts: list[Receipt] = []

    def take(self, chunk: Chunk, receipt: Receipt) -> None:
        assert self.desk is not None
        for value in chunk.values:
            self.desk.upsert(AlertUpsert.model_validate_json(value or b""), self.clock())
        self._receipts.append(receipt)

    def write(self) -> Iterator[None]:
        if self.desk is None:
            return
        deliveries = self.desk.tick(self.clock())
        receipts, self._receipts = self._receipts, []
        yield from self._write(self.desk)
        for receipt in receipts:
            receipt.ack()
        for delivery in deliveries:
            yield
            outcome = self._deliver(delivery)
            yield
            self.desk.settled(delivery.id, outcome, self.clock())
            yield from self._write(self.desk)

    def _write(self, desk: Desk) -> Iterator[None]:
        changed = desk.take_changed_rows()
        if changed:
            yield from self.carry_out(0, [Step(rows={key.encode(): row for key, row in changed.items()})])

    def _deliver(self, delivery: Delivery) -> Outcome:
        luck = self.random.random()
        if luck < 0.1:
            return Retry(0, "refused")
        if luck < 0.9:
            self.broker.received.append(delivery.notification)
        return Sent() if luck < 0.8 else Retry(0, "no answer", maybe_delivered=True)
