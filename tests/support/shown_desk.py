"""A desk in this process whose rows are put up in a real store, as its owner does."""

from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from alerts.alert import AlertUpsert, fingerprint
from alerts.answer import Answer
from alerts.command import Acknowledge, AddSilence, Command
from alerts.config import Config, parse
from alerts.desk import Desk
from alerts.dispatch import Delivery
from alerts.outcome import Outcome, Sent
from streams.metrics import Metrics
from streams.projection import Projection
from streams.stages.desk_board import DeskBoard

START_MS = 1_795_424_400_000
CONFIG = {
    "route": {"receiver": "hook", "group_by": ["model"], "group_wait": "30s"},
    "receivers": [{"name": "hook", "log_configs": [{}]}],
    "inhibit_rules": [
        {"source_matchers": ["alertname=Down"], "target_matchers": ["alertname=Slow"], "equal": ["model"]}
    ],
}


def config(**changes: Any) -> Config:
    return parse(CONFIG | changes)


def id_of(alertname: str, model: str = "churn", **labels: str) -> str:
    return fingerprint({"alertname": alertname, "model": model, **labels})


@dataclass
class ShownDesk:
    """Time passes by `pass_s`; deliveries have the outcomes in ``outcomes``, one by one, or are taken."""

    redis_url: str
    config: Config = field(default_factory=config)
    now_ms: int = START_MS
    outcomes: list[Outcome] = field(default_factory=list)
    sent: list[Delivery] = field(default_factory=list)
    asked: int = 0

    def __post_init__(self) -> None:
        async def refill(_: bool) -> None:
            await self.board.refill(self.desk, self.now_ms)

        self.desk = Desk(self.config)
        self.projection = Projection(self.redis_url, "desk", Metrics(CollectorRegistry()), refill)
        self.board = DeskBoard(self.projection)

    def upsert(
        self,
        status: str,
        alertname: str,
        severity: str = "warning",
        for_s: int = 0,
        model: str = "churn",
        **labels: str,
    ) -> None:
        given = {
            "alertname": alertname,
            "severity": severity,
            **({"model": model} if model else {}),
            **labels,
        }
        upsert = {
            "status": status,
            "labels": given,
            "annotations": {"summary": f"{alertname} is bad"},
            "starts_at_ms": self.now_ms,
            "pane_end_ms": self.now_ms,
            "ends_at_ms": self.now_ms if status == "resolved" else None,
            "pending_since_ms": self.now_ms - 1000 * for_s if for_s else None,
            "sequence": 1,
        }
        self.desk.upsert(AlertUpsert.model_validate(upsert), self.now_ms)

    def command(self, command: Command) -> Answer:
        return self.desk.command(command, self.now_ms)

    def ack(self, target: str, comment: str = "") -> Answer:
        self.asked += 1
        return self.command(Acknowledge(id=f"command-{self.asked}", target=target, by="ana", comment=comment))

    def silence(self, for_s: int, *matchers: str) -> Answer:
        self.asked += 1
        return self.command(
            AddSilence(
                id=f"command-{self.asked}",
                matchers=matchers,
                ends_at_ms=self.now_ms + 1000 * for_s,
                created_by="ben",
                comment="new export",
            )
        )

    def pass_s(self, seconds: float) -> None:
        """Let time pass, doing what becomes due."""
        until_ms = self.now_ms + int(1000 * seconds)
        while (due_ms := self.desk.next_due_ms()) is not None and due_ms <= until_ms:
            self.now_ms = max(due_ms, self.now_ms)
            for delivery in self.desk.tick(self.now_ms):
                self.sent.append(delivery)
                outcome = self.outcomes.pop(0) if self.outcomes else Sent({"ts": str(self.now_ms)})
                self.desk.settled(delivery.id, outcome, self.now_ms)
        self.now_ms = until_ms

    async def show(self) -> None:
        """Put up what changed, and keep no connection."""
        self.board.show(self.desk, self.desk.take_changed_rows(), self.now_ms)
        self.board.refresh(self.desk, self.now_ms)
        await self.projection.write()
        await self.projection.close()
