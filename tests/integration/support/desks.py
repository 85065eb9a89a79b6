"""Desk workers as processes, alerts sent straight to them, and a receiver with moods."""

import asyncio
import json
import re
import signal
import time
from asyncio.subprocess import Process
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiokafka import AIOKafkaProducer
from fleet_of_stages import Pipeline

from alerts.alert import AlertUpsert
from alerts.epoch import Past
from alerts.receivers.webhook import POSSIBLE_REPEAT

HOST = "127.0.0.1"
TIMEOUT_S = 2.0
ALERTING = """\
route: {{receiver: hook, group_by: [alertname], group_wait: 100ms, group_interval: 500ms}}
receivers:
  - name: hook
    webhook_configs: [{{url: "{url}", timeout: 2s}}]
"""

#: What the receiver does with a request: answers it, or None to hold it until the caller is gone.
Mood = Callable[[], Awaitable[web.Response | None]]


def says(status: int, **headers: str) -> Mood:
    """Return a mood that answers with a status."""

    async def answer() -> web.Response:
        return web.Response(status=status, headers=headers)

    return answer


async def holds() -> None:
    """Never answer."""


@dataclass(frozen=True)
class Told:
    """One request that reached the receiver; ``+a`` fires, ``-a`` is over, ``?`` may be a repeat."""

    words: str
    key: str
    at_s: float


class Receiver:
    """Writes down what it is told, and answers by its moods, one a request; without any, 200."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.moods: deque[Mood] = deque()
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens, up or down."""
        return f"http://{HOST}:{self.port}/hook"

    @property
    def words(self) -> list[str]:
        """What it was told, in order."""
        return [one.words for one in self.told]

    def of(self, name: str) -> list[str]:
        """Return what it was told of an alert, in order."""
        return [words for words in self.words if words.strip("+-?") == name]

    async def up(self) -> None:
        """Listen; again at the same port."""
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def down(self) -> None:
        """Refuse connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.Response:
        body: Any = await request.json()
        sign = {"firing": "+", "resolved": "-"}[body["status"]]
        mark = "?" if request.headers.get(POSSIBLE_REPEAT) == "true" else ""
        words = f"{sign}{body['groupLabels']['alertname']}{mark}"
        self.told.append(Told(words, request.headers["Idempotency-Key"], time.monotonic()))
        answer = await self.moods.popleft()() if self.moods else web.Response()
        if answer is None:
            await asyncio.Event().wait()
        assert answer is not None
        return answer


class Desks(Pipeline):
    """Desk workers ``desk``, ``desk/2``, …, and whoever sends them alerts."""

    def __init__(self, *args: Any, receiver: Receiver) -> None:
        super().__init__(*args)
        self.receiver = receiver
        (self.home / "alerting.yml").write_text(ALERTING.format(url=receiver.url))
        self._sequence = 0
        self._stalled: dict[str, Process] = {}
        self._supervising: asyncio.Task[None] | None = None

    async def __aexit__(self, *error: object) -> None:
        if self._supervising is not None:
            self._supervising.cancel()
        self._processes |= self._stalled
        await super().__aexit__(*error)

    def stall(self, name: str) -> None:
        """``kill -STOP``: the worker stands still, and does not know."""
        self._stalled[name] = self._processes.pop(name)
        self._stalled[name].send_signal(signal.SIGSTOP)

    def wake(self, name: str) -> None:
        """``kill -CONT``; if the worker ends after that, it is started again, as its supervisor does."""
        self._stalled[name].send_signal(signal.SIGCONT)
        self._supervising = asyncio.create_task(self._supervise(name))

    def hang_up(self, name: str) -> None:
        """``kill -HUP``: the worker reads the alerting file again."""
        self._processes[name].send_signal(signal.SIGHUP)

    def log_of(self, name: str) -> str:
        """Return all that a worker has logged."""
        return (self.home / f"{name.replace('/', '-')}.log").read_text(errors="replace")

    async def _supervise(self, name: str) -> None:
        await self._stalled[name].wait()
        del self._stalled[name]
        await self.start(name)

    async def send(self, status: str, *names: str) -> None:
        """Send an upsert of each alert, as the judge does."""
        producer = AIOKafkaProducer(bootstrap_servers=self.broker.bootstrap)
        await producer.start()
        try:
            for name in names:
                await producer.send_and_wait(self.topics.alerts.name, self._upsert(status, name), partition=0)
        finally:
            await producer.stop()

    def _upsert(self, status: Any, name: str) -> bytes:
        self._sequence += 1
        now_ms = time.time_ns() // 1_000_000
        upsert = AlertUpsert(
            status=status,
            labels={"alertname": name, "model": "m", "severity": "warning"},
            starts_at_ms=now_ms,
            pane_end_ms=now_ms,
            sequence=self._sequence,
            ends_at_ms=now_ms if status == "resolved" else None,
        )
        return upsert.model_dump_json().encode()

    # What can be seen.

    async def fleet(self, *names: str) -> str:
        """Start workers one after the other, so that each has joined, and return who owns the desk then."""
        for name in names:
            before = self._owner()
            await self.start(name)
            await self.until(lambda before=before: self._owner() > before, f"the desk is shared with {name}")
        return self._owner()[1]

    async def owner_after(self, name: str) -> str:
        """Wait until a worker that is not this one owns the desk, and return it."""
        await self.until(lambda: self._owner()[1] not in (name, ""), f"another than {name} owns the desk")
        return self._owner()[1]

    def _owner(self) -> tuple[int, str]:
        """Return the highest epoch that a worker's log tells of, and that worker."""
        return max(
            (
                (int(epoch), path.stem.replace("-", "/"))
                for path in self.home.glob("desk*.log")
                for epoch in re.findall(r"owns the desk as epoch (\d+)", path.read_text(errors="replace"))
            ),
            default=(0, ""),
        )

    async def past(self) -> Past:
        """Return what stands on the desk's topic."""
        past = Past()
        for record in await self.records(self.topics.desk.name):
            past.see((record.key or b"").decode(), record.value)
        return past

    async def told(self, *words: str) -> None:
        """Wait until the receiver was told these, and the desk has written down that it took them."""
        await self.until(
            lambda: not Counter(words) - Counter(self.receiver.words),
            f"{words} are told",
        )
        await self.until(self.nothing_under_way, "every delivery is settled")

    async def nothing_under_way(self) -> bool:
        """Return whether no delivery is out or due."""
        state = (await self.past()).state
        states = [json.loads(row)["state"] for key, row in state.items() if key.startswith("ledger/")]
        return all(one == "SENT" for one in states)
