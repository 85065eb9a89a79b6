"""The real Alertmanager and `driftline up` beside each other: the same pushes go to both, and each tells a webhook."""

import asyncio
import os
import re
import shutil
import time
import urllib.request
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web
from ups import Up

from driftline.embedded import HOST
from driftline.lifeline import die_with_parent

DEADLINE_S = 90.0


def rfc3339(at_s: float) -> str:
    """Return a time as Prometheus writes it."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Told:
    """One notification: ``words`` names alerts with + while they fire and - when they are over; ``content`` is all
    that both must say alike; ``at_s`` is when it came."""

    words: str
    content: dict[str, Any]
    at_s: float


@dataclass
class Hook:
    """What one side told one receiver; ``statuses`` are the answers to come, 200 after those."""

    told: list[Told] = field(default_factory=list)
    statuses: deque[int] = field(default_factory=deque)

    def take(self, body: dict[str, Any]) -> int:
        alerts = sorted(body["alerts"], key=lambda alert: alert["labels"]["alertname"])
        signs = {"firing": "+", "resolved": "-"}
        words = " ".join(signs[alert["status"]] + alert["labels"]["alertname"] for alert in alerts)
        content = {name: value for name, value in body.items() if name != "externalURL"}
        content["alerts"] = [_timed(alert) for alert in alerts]
        self.told.append(Told(words, content, time.monotonic()))
        return self.statuses.popleft() if self.statuses else 200


def _timed(alert: dict[str, Any]) -> dict[str, Any]:
    """Return an alert with its times as times: Go leaves out zeros at their end."""
    times = {name: datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt")}
    return alert | times


class Side:
    """One of the two: where it takes alerts, and what it told, by receiver."""

    def __init__(self, name: str, home: Path) -> None:
        self.name, self.home = name, home
        self.url = ""
        self.hooks: dict[str, Hook] = {}

    def hook(self, receiver: str) -> Hook:
        return self.hooks.setdefault(receiver, Hook())

    def words(self, case: str, receiver: str = "hook") -> list[str]:
        """Return what was told of a case, in order."""
        return [one.words for one in self.told(case, receiver)]

    def told(self, case: str, receiver: str = "hook") -> list[Told]:
        found = self.hook(receiver).told
        return [one for one in found if one.content["groupLabels"].get("case") == case]

    async def start(self) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError

    async def kill(self) -> None:
        raise NotImplementedError


class Ours(Side):
    """`driftline up` with a data folder."""

    def __init__(self, home: Path) -> None:
        super().__init__("ours", home)
        (home / "monitors").mkdir(parents=True)
        self._up = Up(home)

    async def start(self) -> None:
        await self._up.start()
        self.url = await self._up.web()
        await self._up.until(self._is_ready, "its desk has reported")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    async def stop(self) -> None:
        await self._up.stop()

    async def kill(self) -> None:
        await self._up.kill()


class Theirs(Side):
    """Debian's Alertmanager, without a cluster."""

    def __init__(self, home: Path) -> None:
        super().__init__("theirs", home)
        home.mkdir(parents=True)
        self._process: Process | None = None

    async def start(self) -> None:
        program = shutil.which("prometheus-alertmanager")
        assert program is not None
        path = self.home / "alertmanager.log"
        path.unlink(missing_ok=True)
        with path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                program, f"--config.file={self.home}/alerting.yml", f"--storage.path={self.home}/data",
                f"--web.listen-address={HOST}:0", "--cluster.listen-address=",
                stdout=log, stderr=log, preexec_fn=die_with_parent(os.getpid()),
            )  # fmt: skip
        found = await until(lambda: re.search(r"address=(127\.0\.0\.1:\d+)", path.read_text()), "it listens")
        self.url = f"http://{found[1]}"

    async def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        await self._process.wait()

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


async def until(condition: Any, says: str) -> Any:
    """Wait until a function gives something."""
    end_s = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < end_s, f"not within {DEADLINE_S:g} s: {says}"
        await asyncio.sleep(0.02)
    return found


class Both:
    """Both sides; they have one webhook server, and each its own configuration file."""

    def __init__(self, home: Path) -> None:
        self.theirs, self.ours = Theirs(home / "theirs"), Ours(home / "ours")
        self.sides: tuple[Side, Side] = (self.theirs, self.ours)
        self._runner: web.AppRunner | None = None
        self._session: ClientSession | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        if shutil.which("prometheus-alertmanager") is None:
            assert os.environ.get("CI") != "true", "install Debian's package prometheus-alertmanager"
            pytest.skip(
                "NOT COMPARED WITH ALERTMANAGER: it is missing; install Debian's prometheus-alertmanager"
            )
        app = web.Application()
        app.router.add_post("/{side}/{receiver}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self._port = self._runner.addresses[0][1]
        self._session = ClientSession(
            # One that was idle may be closed by the server just as it is used again.
            connector=TCPConnector(force_close=True),
            timeout=ClientTimeout(60),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        for side in self.sides:
            await side.kill()
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        side = next(side for side in self.sides if side.name == request.match_info["side"])
        return web.Response(status=side.hook(request.match_info["receiver"]).take(await request.json()))

    def configure(self, text: str) -> None:
        """Write the file of both; ``URL`` in it is where each tells."""
        for side in self.sides:
            own = text.replace("URL", f"http://{HOST}:{self._port}/{side.name}")
            (side.home / "alerting.yml").write_text(own)

    async def start(self) -> None:
        await asyncio.gather(*(side.start() for side in self.sides))

    async def stop(self) -> None:
        await asyncio.gather(*(side.stop() for side in self.sides))

    async def post(self, path: str, body: Any = None) -> list[tuple[int, str]]:
        """Post the same to both at once, and return status and text of each answer: theirs, ours."""
        return list(await asyncio.gather(*(self._ask(side, "POST", path, body) for side in self.sides)))

    async def get(self, path: str) -> list[tuple[int, str]]:
        return list(await asyncio.gather(*(self._ask(side, "GET", path) for side in self.sides)))

    async def ours_says(self, path: str, wanted: Callable[[str], bool]) -> None:
        """Ask ours until it says what is wanted."""
        async with asyncio.timeout(DEADLINE_S):
            while not wanted((await self._ask(self.ours, "GET", path))[1]):
                await asyncio.sleep(0.05)

    async def delete(self, path: str, names: list[str]) -> None:
        """Delete what each side knows by a name of its own."""
        asked = zip(self.sides, names, strict=True)
        found = await asyncio.gather(*(self._ask(side, "DELETE", f"{path}/{name}") for side, name in asked))
        assert [status for status, _ in found] == [200, 200], found

    async def _ask(self, side: Side, method: str, path: str, body: Any = None) -> tuple[int, str]:
        assert self._session is not None
        async with self._session.request(method, side.url + path, json=body) as answer:
            return answer.status, await answer.text()

    async def push(self, case: str, *alerts: dict[str, Any]) -> None:
        """Push alerts of a case to both, which must take them."""
        labelled = [one | {"labels": {"case": case, **one["labels"]}} for one in alerts]
        found = await self.post("/api/v2/alerts", labelled)
        assert [status for status, _ in found] == [200, 200], found

    async def tell(self, case: str, *words: str, receiver: str = "hook") -> None:
        """Wait until both have told as much as this of a case; it must be this."""
        await self.differ(case, list(words), list(words), receiver=receiver)

    async def differ(self, case: str, theirs: list[str], ours: list[str], receiver: str = "hook") -> None:
        """Wait until each side has told as much as this of a case; it must be this."""
        wanted = list(zip(self.sides, (theirs, ours), strict=True))
        await until(
            lambda: all(len(side.words(case, receiver)) >= len(words) for side, words in wanted),
            f"{case}: {wanted} of {[side.words(case, receiver) for side in self.sides]}",
        )
        told = [side.words(case, receiver) for side in self.sides]
        assert told == [theirs, ours], f"{case}: {told}"

    def same(self, case: str, receiver: str = "hook") -> None:
        """All that was told of a case has the same content on both sides."""
        theirs, ours = ([one.content for one in side.told(case, receiver)] for side in self.sides)
        assert theirs == ours
