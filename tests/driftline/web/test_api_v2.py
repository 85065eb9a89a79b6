"""Alertmanager's API over a desk in this process: its rows in a real store, its commands carried out at once."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from alerts.alert import AlertUpsert
from alerts.answer import Answer
from alerts.command import Acknowledge, Command
from alerts.config import parse
from alerts.desk import Desk
from driftline.commands import NotTaken
from driftline.web import api_v2, create_app
from driftline.web.server import listen, serve
from streams.metrics import Metrics
from streams.projection import Projection
from streams.stages.desk_board import DeskBoard

NOW_MS = 1_795_424_400_000
CONFIG = {
    "route": {
        "receiver": "hook",
        "group_by": ["alertname"],
        "routes": [{"receiver": "pager", "matchers": ["severity=critical"], "continue": True}],
    },
    "receivers": [
        {"name": "hook", "webhook_configs": [{"url": "http://localhost/?token=s3cret"}]},
        {"name": "pager", "log_configs": [{}]},
    ],
    "inhibit_rules": [
        {"source_matchers": ["alertname=Down"], "target_matchers": ["alertname=Slow"], "equal": ["model"]}
    ],
}


@dataclass
class OwnDesk:
    """The desk's owner, without a broker: what it holds goes to the store after each command."""

    redis_url: str
    desk: Desk = field(default_factory=lambda: Desk(parse(CONFIG)))
    now_ms: int = NOW_MS
    away: bool = False

    def __post_init__(self) -> None:
        async def refill(_: bool) -> None:
            await self.board.refill(self.desk, self.now_ms)

        self.projection = Projection(self.redis_url, "desk", Metrics(CollectorRegistry()), refill)
        self.board = DeskBoard(self.projection)
        self.board.own(NOW_MS)

    async def ask(self, command: Command) -> Answer:
        if self.away:
            raise NotTaken("no desk has taken the command")
        answer = self.desk.command(command, self.now_ms)
        await self.show()
        return answer

    async def fire(self, alertname: str, **labels: str) -> None:
        given = {"alertname": alertname, "model": "churn", "severity": "warning", **labels}
        self.desk.upsert(
            AlertUpsert(
                status="firing", labels=given, annotations={"summary": f"{alertname} fires"},
                starts_at_ms=NOW_MS - 5000, pane_end_ms=self.now_ms, sequence=1,
            ),
            self.now_ms,
        )  # fmt: skip
        await self.show()

    async def show(self) -> None:
        self.board.show(self.desk, self.desk.take_changed_rows(), self.now_ms)
        self.board.refresh(self.desk, self.now_ms)
        await self.projection.write()


@pytest.fixture
async def own(redis_url: str, seed: Any) -> OwnDesk:
    made = OwnDesk(redis_url)
    await made.show()
    return made


@pytest.fixture
def app(own: OwnDesk, redis_url: str) -> FastAPI:
    return create_app(redis_url=redis_url, now_ms=lambda: own.now_ms, routers=[api_v2.router(own)])


@pytest.fixture
async def web(app: FastAPI, visit: Callable[[FastAPI], Any]) -> AsyncIterator[httpx.AsyncClient]:
    async with visit(app) as client:
        yield client


def silence(**changes: Any) -> dict[str, Any]:
    matcher = {"name": "alertname", "value": "Slow", "isRegex": False, "isEqual": True}
    return {
        "matchers": [matcher], "startsAt": "2026-11-23T08:00:00.000Z", "endsAt": "2026-11-23T13:00:00.000Z",
        "createdBy": "ana", "comment": "new export",
    } | changes  # fmt: skip


async def names(web: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await web.get("/api/v2/alerts", params=params)
    assert answer.status_code == 200, answer.text
    return sorted(one["labels"]["alertname"] for one in answer.json())


async def test_an_alert_has_all_that_alertmanager_tells_of_one(own: OwnDesk, web: httpx.AsyncClient) -> None:
    await own.fire("Slow", severity="critical")
    (alert,) = (await web.get("/api/v2/alerts")).json()
    assert alert == {
        "labels": {"alertname": "Slow", "model": "churn", "severity": "critical"},
        "annotations": {"summary": "Slow fires"},
        "startsAt": "2026-11-23T08:59:55.000Z", "endsAt": "2026-11-23T09:05:00.000Z",
        "updatedAt": "2026-11-23T09:00:00.000Z", "fingerprint": next(iter(own.desk.alerts)),
        "receivers": [{"name": "pager"}], "generatorURL": "",
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
    }  # fmt: skip


async def test_what_is_silenced_or_inhibited_is_shown_with_the_reason_and_can_be_left_out(
    own: OwnDesk, web: httpx.AsyncClient
) -> None:
    for name in ("Slow", "Drift"):
        await own.fire(name)
    name = (await web.post("/api/v2/silences", json=silence())).json()["silenceID"]
    status = {one["labels"]["alertname"]: one["status"] for one in (await web.get("/api/v2/alerts")).json()}
    assert status["Slow"] == {"state": "suppressed", "silencedBy": [name], "inhibitedBy": [], "mutedBy": []}
    assert await names(web, silenced="false") == ["Drift"]
    assert await names(web, active="false") == ["Slow"]
    await own.fire("Down")
    assert await names(web, inhibited="false") == ["Down", "Drift"]
    own.now_ms += 4 * 3_600_000
    assert await names(web, silenced="false") == ["Down", "Drift", "Slow"]


async def test_alerts_are_filtered_by_matchers_and_receiver(own: OwnDesk, web: httpx.AsyncClient) -> None:
    await own.fire("Slow", severity="critical")
    await own.fire("Drift")
    assert await names(web, filter=['alertname=~"S.*"', "model=churn"]) == ["Slow"]
    assert await names(web, receiver="pag.*") == ["Slow"]
    assert await names(web, receiver="pag") == []
    for params in ({"filter": "a b"}, {"filter": "a=~("}, {"receiver": "("}):
        answer = await web.get("/api/v2/alerts", params=params)
        assert (answer.status_code, type(answer.json())) == (400, str)


async def test_groups_hold_their_alerts_one_for_each_receiver(own: OwnDesk, web: httpx.AsyncClient) -> None:
    await own.fire("Slow", severity="critical")
    await own.fire("Slow", model="fraud")
    groups = (await web.get("/api/v2/alerts/groups")).json()
    assert [(one["receiver"]["name"], one["labels"], len(one["alerts"])) for one in groups] == [
        ("hook", {"alertname": "Slow"}, 1), ("pager", {"alertname": "Slow"}, 1),
    ]  # fmt: skip


async def test_a_silence_is_added_read_changed_and_expired(own: OwnDesk, web: httpx.AsyncClient) -> None:
    name = (await web.post("/api/v2/silences", json=silence())).json()["silenceID"]
    found = (await web.get(f"/api/v2/silence/{name}")).json()
    assert found == silence(
        id=name, status={"state": "active"}, startsAt="2026-11-23T09:00:00.000Z",
        updatedAt="2026-11-23T09:00:00.000Z",
    )  # fmt: skip
    assert (await web.get("/api/v2/silences", params={"filter": "alertname=Slow"})).json() == [found]
    assert (await web.get("/api/v2/silences", params={"filter": "alertname=Drift"})).json() == []
    longer = silence(id=name, endsAt="2026-11-24T00:00:00.000Z", startsAt=found["startsAt"])
    assert (await web.post("/api/v2/silences", json=longer)).json() == {"silenceID": name}
    expired = await web.delete(f"/api/v2/silence/{name}")
    assert (expired.status_code, expired.content) == (200, b"")
    assert (await web.get(f"/api/v2/silence/{name}")).json()["status"] == {"state": "expired"}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, silence(endsAt="2026-11-23T08:30:00Z"), "is not after"),
        (400, silence(matchers=[]), "at least 1 matcher"),
        (400, silence(matchers=[{"name": "a", "value": ".*", "isRegex": True}]), "nearly all"),
        (400, silence(matchers=[{"name": "a", "value": "(?=x)y", "isRegex": True}]), "RE2"),
        (400, silence(comment=""), "comment"),
        (400, {"comment": "x"}, "matchers: Field required"),
        (404, silence(id="no-such-silence"), "there is no silence"),
    ],
)
async def test_a_silence_that_cannot_be_is_refused_in_a_sentence(
    web: httpx.AsyncClient, status: int, body: dict[str, Any], said: str
) -> None:
    answer = await web.post("/api/v2/silences", json=body)
    assert answer.status_code == status
    assert said in answer.json()
    assert (await web.get("/api/v2/silences")).json() == []


async def test_what_is_not_there_is_said(web: httpx.AsyncClient) -> None:
    for method in (web.get, web.delete):
        answer = await method("/api/v2/silence/3f0c9c1e-6d0a-4b7e-9f43-0a5a4f5f9b11")
        assert (answer.status_code, type(answer.json())) == (404, str)


async def test_nothing_but_json_is_taken(web: httpx.AsyncClient) -> None:
    """A page elsewhere can have a browser post plain text."""
    text = json.dumps(silence())
    answer = await web.post("/api/v2/silences", content=text, headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    long = {"content-type": "application/json"}
    answer = await web.post("/api/v2/silences", content=b" " * (api_v2.MAX_BODY_BYTES + 1), headers=long)
    assert answer.status_code == 413


async def test_without_a_desk_commands_are_answered_with_503(
    own: OwnDesk, web: httpx.AsyncClient, redis_url: str, visit: Callable[[FastAPI], Any]
) -> None:
    own.away = True
    assert (await web.post("/api/v2/silences", json=silence())).status_code == 503
    async with visit(create_app(redis_url=redis_url, routers=[api_v2.router(None)])) as other:
        answer = await other.post("/api/v2/silences", json=silence())
    assert answer.status_code == 503
    assert "DRIFTLINE_KAFKA" in answer.json()


async def test_status_and_receivers_are_the_owners_and_hold_no_secret(web: httpx.AsyncClient) -> None:
    status = await web.get("/api/v2/status")
    assert "s3cret" not in status.text
    config = json.loads(status.json()["config"]["original"])
    assert config["route"]["routes"][0]["matchers"] == ['severity="critical"']
    assert (await web.get("/api/v2/receivers")).json() == [{"name": "hook"}, {"name": "pager"}]


async def test_an_ack_changes_nothing_in_what_alertmanager_knows(
    own: OwnDesk, web: httpx.AsyncClient
) -> None:
    await own.fire("Slow")
    before = (await web.get("/api/v2/alerts")).json()
    await own.ask(Acknowledge(id="command-1", target=next(iter(own.desk.alerts)), by="ana"))
    assert (await web.get("/api/v2/alerts")).json() == before


async def test_amtool_queries_adds_and_expires(own: OwnDesk, app: FastAPI) -> None:
    program = shutil.which("amtool")
    if program is None:
        assert os.environ.get("CI") != "true", "amtool is missing: install Debian's prometheus-alertmanager"
        pytest.skip("NOT TESTED WITH AMTOOL: it is missing; install Debian's package prometheus-alertmanager")
    own.now_ms = time.time_ns() // 1_000_000
    await own.fire("Slow")
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(serve(app, listener, stop))

        async def amtool(*arguments: str) -> tuple[int | None, str]:
            process = await asyncio.create_subprocess_exec(
                program, f"--alertmanager.url={url}", *arguments, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
            return process.returncode, out.decode()

        (alert,) = json.loads((await amtool("alert", "query", "-o", "json"))[1])
        assert alert["annotations"] == {"summary": "Slow fires"}
        added = ("silence", "add", "Slow", "model=~churn|fraud", "-d", "4h", "-a", "ana", "-c", "new export")
        status, name = await amtool(*added)
        assert (status, name.strip()) == (0, next(iter(own.desk.silences)))
        own.now_ms = time.time_ns() // 1_000_000
        assert (await amtool("alert", "query", "-o", "json"))[1].strip() == "[]"
        (shown,) = json.loads((await amtool("silence", "query", "-o", "json"))[1])
        assert (shown["id"], shown["createdBy"]) == (name.strip(), "ana")
        assert await amtool("silence", "expire", name.strip()) == (0, "")
        assert (await amtool("silence", "expire", name.strip()))[0] == 1
        for labels, receiver in (("severity=critical", "pager"), ("severity=warning", "hook")):
            assert await amtool("config", "routes", "test", labels) == (0, f"{receiver}\n")
        assert (await amtool("cluster", "show"))[0] == 0
        stop.set()
        await serving
