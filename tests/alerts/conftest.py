import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, web

from alerts.alert import AlertUpsert, fingerprint
from alerts.answer import Answer
from alerts.command import Acknowledge, AddSilence, Command, ExpireSilence
from alerts.config import Config
from alerts.decision import Decision, Reason
from alerts.desk import Desk
from alerts.dispatch import Delivery
from alerts.epoch import Past, claim, epoch_of, stamped
from alerts.outcome import Outcome, Retry, Sent
from alerts.receivers.registry import open_session


@dataclass
class Stub:
    """A local HTTP server: keeps what came in, answers what it is told to."""

    url: str = ""
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    answers: list[web.Response | Exception] = field(default_factory=list)
    default: Callable[[str, Any], dict[str, Any]] = lambda path, body: {"ok": True}
    hang: bool = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(await request.read())
        self.requests.append((request.path, dict(request.headers), body))
        if self.hang:
            await asyncio.Event().wait()
        answer = self.answers.pop(0) if self.answers else web.json_response(self.default(request.path, body))
        if isinstance(answer, Exception):
            assert request.transport is not None
            request.transport.close()
            raise answer
        return answer


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    server = Stub()
    app = web.Application()
    app.router.add_post("/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    yield server
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with open_session() as opened:
        yield opened


@dataclass(frozen=True)
class Told:
    """One try of a delivery. ``lost``: nobody learnt what came of it."""

    at_s: float
    place: str
    group: str
    content: tuple[tuple[str, str, str], ...]
    possible_repeat: bool
    reason: Reason
    arrived: bool
    lost: bool
    key: str

    @property
    def words(self) -> str:
        """Names with + while they fire and - when they are over, and ? where it may be a repeat."""
        signs = {"firing": "+", "resolved": "-"}
        return " ".join(signs[status] + name for name, status, _ in self.content) + "?" * self.possible_repeat


class World:
    """A desk in virtual time, its rows as stored, and receivers that remember what they were told."""

    def __init__(self, config: Config, max_alerts: int = 100) -> None:
        self.config, self.max_alerts = config, max_alerts
        self.now_ms, self.sequence, self.asked = 0, 0, 0
        self.desk = Desk(config, max_alerts=max_alerts)
        self.rows: dict[str, bytes] = {}
        self.tries: list[Told] = []
        self.out: list[Delivery] = []
        #: Outcomes to come, by integration; None leaves the delivery out. Without any: taken.
        self.outcomes: dict[str, list[Outcome | None]] = {}

    def upsert(
        self, status: str, name: str, severity: str = "warning", **labels: str
    ) -> tuple[Decision, ...]:
        self.sequence += 1
        given = {"alertname": name, "model": "m", "severity": severity, **labels}
        return self.take(
            AlertUpsert.model_validate(
                {"status": status, "labels": given, "starts_at_ms": self.now_ms, "pane_end_ms": self.now_ms,
                 "sequence": self.sequence, "ends_at_ms": self.now_ms if status == "resolved" else None}
            )
        )  # fmt: skip

    def take(self, upsert: AlertUpsert) -> tuple[Decision, ...]:
        decisions = self.desk.upsert(upsert, self.now_ms)
        self.store()
        return decisions

    # What people ask.

    def command(self, command: Command) -> Answer:
        answer = self.desk.command(command, self.now_ms)
        self.store()
        return answer

    def silence(self, for_s: float, *matchers: str, start_s: float | None = None, **more: str) -> Answer:
        self.asked += 1
        return self.command(
            AddSilence.model_validate(
                {"id": f"command-{self.asked}", "matchers": matchers, "created_by": "ana", "comment": "deploy",
                 "starts_at_ms": None if start_s is None else int(start_s * 1000),
                 "ends_at_ms": self.now_ms + int(for_s * 1000), **more}
            )
        )  # fmt: skip

    def expire(self, silence_id: str) -> Answer:
        self.asked += 1
        return self.command(ExpireSilence(id=f"command-{self.asked}", silence_id=silence_id))

    def ack(self, name: str) -> Answer:
        self.asked += 1
        target = fingerprint({"alertname": name, "model": "m"})
        return self.command(Acknowledge(id=f"command-{self.asked}", target=target, by="ana"))

    def run_until(self, at_s: float) -> None:
        """Tick whenever something is due, as the desk's owner does."""
        while (due_ms := self.desk.next_due_ms()) is not None and due_ms <= at_s * 1000:
            self.now_ms = max(self.now_ms, due_ms)
            self.tick()
        self.now_ms = max(self.now_ms, int(at_s * 1000))

    def tick(self) -> None:
        deliveries = self.desk.tick(self.now_ms)
        self.store()
        for delivery in deliveries:
            self.send(delivery)

    def send(self, delivery: Delivery) -> None:
        waiting = self.outcomes.get(delivery.integration.key)
        outcome = waiting.pop(0) if waiting else Sent({"ts": str(self.now_ms)})
        notification = delivery.notification
        content = tuple(
            sorted((a.labels["alertname"], a.status, a.severity) for a in notification.alerts)
        )  # fmt: skip
        arrived = isinstance(outcome, Sent) or (isinstance(outcome, Retry) and outcome.maybe_delivered)
        self.tries.append(
            Told(
                self.now_ms / 1000, delivery.integration.key, notification.group_key, content,
                delivery.possible_repeat, notification.reason, arrived, outcome is None, delivery.id,
            )
        )  # fmt: skip
        if outcome is None:
            self.out.append(delivery)
        else:
            self.settle(delivery, outcome)

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        self.desk.settled(delivery.id, outcome, self.now_ms)
        self.store()

    def crash(self) -> None:
        """Lose all but the rows, and take them up again."""
        self.out.clear()
        self.desk = Desk.restore(self.config, self.rows, self.now_ms, max_alerts=self.max_alerts)
        self.store()

    def reconfigure(self, config: Config) -> None:
        self.config = config
        self.desk.reconfigure(config, self.now_ms)
        self.store()

    def store(self) -> None:
        for key, row in self.desk.take_changed_rows().items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row

    def timeline(self) -> list[tuple[float, str]]:
        return [(told.at_s, told.words) for told in self.tries]


@pytest.fixture(scope="session")
def world() -> type[World]:
    return World


class Killed(Exception):
    """The worker died while it wrote."""


class Superseded(Exception):
    """The worker learnt that another one owns the desk."""


@dataclass
class Owner:
    """One worker: its desk, its epoch, how far it knows the topic, and the deliveries it has out."""

    desk: Desk
    epoch: int
    seen_to: int
    out: list[Delivery]


class Owners(World):
    """Workers that own the desk one after the other, on one topic, as `streams.stages.desk_log` has them.

    Those that were stalled wake up when they like. A write may be cut short by the worker's death.
    """

    def __init__(self, config: Config, max_alerts: int = 100) -> None:
        super().__init__(config, max_alerts)
        self.topic: list[tuple[int, str, bytes | None]] = []
        self.end = 0
        self.stalled: list[Owner] = []
        #: Rows that the owner gets out before it dies.
        self.cut_after: int | None = None
        self.taken: list[AlertUpsert] = []
        self.acknowledged = 0
        self.take_over()

    # The topic.

    def append(self, changes: dict[str, bytes | None]) -> None:
        for key, value in changes.items():
            if self.cut_after is not None:
                self.cut_after -= 1
                if self.cut_after < 0:
                    self.cut_after = None
                    raise Killed
            self.topic.append((self.end, key, value))
            self.end += 1

    def compact(self) -> None:
        last = {key: offset for offset, key, _ in self.topic}
        self.topic = [record for record in self.topic if last[record[1]] == record[0]]

    def store(self) -> None:
        changes = self.desk.take_changed_rows()
        if not changes:
            return
        self.append(stamped(self.epoch, changes))
        if any(epoch_of(key) > self.epoch for offset, key, _ in self.topic if offset >= self.seen_to):
            raise Superseded
        self.seen_to = self.end

    # What the owner does; if it dies or is superseded meanwhile, another one goes on.

    def take(self, upsert: AlertUpsert) -> tuple[Decision, ...]:
        self.taken.append(upsert)
        self.or_take_over(lambda: World.take(self, upsert))
        self.acknowledged = len(self.taken)
        return ()

    def tick(self) -> None:
        self.or_take_over(lambda: World.tick(self))

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        self.or_take_over(lambda: World.settle(self, delivery, outcome))

    def crash(self) -> None:
        self.take_over()

    def or_take_over(self, do: Callable[[], object]) -> None:
        try:
            do()
        except (Killed, Superseded):
            self.take_over()

    def take_over(self) -> None:
        while True:
            with suppress(Killed):
                return self._take_over()

    def _take_over(self) -> None:
        past, read_to, bid, self.out = Past(), 0, 1, []
        while True:
            at = self.end
            self.append(claim(bid, str(at)))
            for offset, key, value in self.topic:
                if read_to <= offset < at:
                    past.see(key, value)
            if past.highest < bid:
                break
            bid, read_to = past.highest + 1, at
        self.epoch = bid
        self.desk = Desk.restore(self.config, past.state, self.now_ms, max_alerts=self.max_alerts)
        rows = past.state | self.desk.take_changed_rows()
        for changes in past.succession(self.epoch, {k: v for k, v in rows.items() if v is not None}):
            self.append(changes)
        self.seen_to = self.end
        for upsert in self.taken[self.acknowledged :]:
            self.desk.upsert(upsert, self.now_ms)
        self.store()
        self.acknowledged = len(self.taken)

    # Those that do not know yet that they own nothing any more.

    def stall(self) -> None:
        """The owner stands still; another takes over."""
        self.stalled.append(Owner(self.desk, self.epoch, self.seen_to, self.out))
        self.take_over()

    def wake(self, do: Callable[[], object]) -> None:
        """Have the worker that was stalled first go on, until it learns that it owns the desk no more."""
        if not self.stalled:
            return
        owner, self.cut_after = Owner(self.desk, self.epoch, self.seen_to, self.out), None
        self._be(self.stalled.pop(0))
        with suppress(Superseded):
            do()
            self.stalled.append(Owner(self.desk, self.epoch, self.seen_to, self.out))
        self._be(owner)

    def wake_and_settle(self) -> None:
        self.wake(lambda: [World.settle(self, delivery, Sent()) for delivery in self.out])

    def wake_and_tick(self) -> None:
        self.wake(lambda: World.tick(self))

    def wake_and_take_over(self) -> None:
        self.wake(self._take_over)

    def _be(self, owner: Owner) -> None:
        self.desk, self.epoch, self.seen_to, self.out = owner.desk, owner.epoch, owner.seen_to, owner.out


@pytest.fixture(scope="session")
def owners() -> type[Owners]:
    return Owners
