"""``POST /api/v2/alerts`` over a desk in this process: what is taken, and what is said of the rest."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from alerts.answer import Answer
from alerts.command import MAX_PUSHED, Command, PushAlerts
from alerts.config import parse
from alerts.desk import Desk
from driftline.commands import NotTaken
from driftline.web import api_v2, create_app, pushing
from streams.metrics import Metrics
from streams.projection import Projection
from streams.stages.desk_board import DeskBoard

NOW_MS = 1_795_424_400_000
CONFIG = {
    "route": {"receiver": "hook", "group_by": ["alertname"]},
    "receivers": [{"name": "hook", "webhook_configs": [{"url": "http://localhost/"}]}],
}


@dataclass
class OwnDesk:
    """The desk's owner, without a broker: what it holds goes to the store after each command."""

    redis_url: str
    desk: Desk = field(default_factory=lambda: Desk(parse(CONFIG), max_alerts=60))
    commands: list[Command] = field(default_factory=list)
    away: bool = False

    def __post_init__(self) -> None:
        async def refill(_: bool) -> None:
            raise AssertionError("the store was not lost")

        self.projection = Projection(self.redis_url, "desk", Metrics(CollectorRegistry()), refill)
        self.board = DeskBoard(self.projection)

    async def ask(self, command: Command) -> Answer:
        (answer,) = await self.ask_all([command])
        return answer

    async def ask_all(self, commands: Sequence[Command]) -> list[Answer]:
        if self.away:
            raise NotTaken("no desk has taken the command")
        self.commands += commands
        answers = [self.desk.command(command, NOW_MS) for command in commands]
        self.board.show(self.desk, self.desk.take_changed_rows(), NOW_MS)
        self.board.refresh(self.desk, NOW_MS)
        await self.projection.write()
        return answers


@pytest.fixture
async def own(redis_url: str, seed: Any) -> OwnDesk:
    made = OwnDesk(redis_url)
    await made.ask_all([])
    return made


@pytest.fixture
def app(own: OwnDesk, redis_url: str) -> FastAPI:
    return create_app(redis_url=redis_url, now_ms=lambda: NOW_MS, routers=[api_v2.router(own)])


@pytest.fixture
async def web(app: FastAPI, visit: Callable[[FastAPI], Any]) -> AsyncIterator[httpx.AsyncClient]:
    async with visit(app) as client:
        yield client


def posted(name: str = "Down", **more: Any) -> dict[str, Any]:
    return {"labels": {"alertname": name, "job": "api"}, **more}


async def test_a_push_is_taken_and_shown_with_where_it_comes_from_and_when_it_ends(
    web: httpx.AsyncClient,
) -> None:
    whole = posted(
        annotations={"summary": "api is down"}, startsAt="2026-11-23T08:58:00.123456789Z",
        endsAt="2026-11-23T11:00:00+01:00", generatorURL="http://prometheus/graph?g0.expr=up",
    )  # fmt: skip
    whole["labels"]["instance"] = ""
    answer = await web.post("/api/v2/alerts", json=[whole])
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await web.get("/api/v2/alerts")).json() == [
        {
            "annotations": {"summary": "api is down"},
            "endsAt": "2026-11-23T10:00:00.000Z",
            "fingerprint": "c89fba827b26e2d5",
            "receivers": [{"name": "hook"}],
            "startsAt": "2026-11-23T08:58:00.123Z",
            "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"},
            "updatedAt": "2026-11-23T09:00:00.000Z",
            "generatorURL": "http://prometheus/graph?g0.expr=up",
            "labels": {"alertname": "Down", "job": "api"},
        }
    ]


@pytest.mark.parametrize(
    "nothing", [{}, {"startsAt": "0001-01-01T00:00:00.000Z", "endsAt": "0001-01-01T00:00:00Z"}]
)
async def test_without_times_it_begins_now_and_ends_after_resolve_timeout(
    web: httpx.AsyncClient, nothing: dict[str, str]
) -> None:
    await web.post("/api/v2/alerts", json=[posted(**nothing, annotations=None, generatorURL=None)])
    (alert,) = (await web.get("/api/v2/alerts")).json()
    assert (alert["startsAt"], alert["endsAt"]) == ("2026-11-23T09:00:00.000Z", "2026-11-23T09:05:00.000Z")


async def test_of_a_push_the_good_ones_are_kept_and_each_bad_one_is_named(web: httpx.AsyncClient) -> None:
    bad: list[Any] = [
        {"labels": {"alertname": "Bad", "a-b": "c"}}, {"labels": {"alertname": 1}}, {"labels": {"job": ""}}, "Odd", {},
        posted("Late", startsAt="yesterday"),
        posted("Ends", startsAt="2026-11-23T09:00:00Z", endsAt="2026-11-23T08:00:00Z"),
    ]  # fmt: skip
    answer = await web.post("/api/v2/alerts", json=[posted("First"), *bad, posted("Last")])
    assert answer.status_code == 400
    said = answer.json().split("\n")
    assert [line.split()[:2] for line in said] == [["alert", str(number)] for number in range(2, 9)]
    assert said[0].startswith('alert 2 {"alertname": "Bad", "a-b": "c"}: labels: \'a-b\' cannot be a name')
    assert said[-1].endswith("it ends before it starts")
    held = [alert["labels"]["alertname"] for alert in (await web.get("/api/v2/alerts")).json()]
    assert sorted(held) == ["First", "Last"]


async def test_half_a_character_spoils_one_alert_and_no_other(web: httpx.AsyncClient) -> None:
    body = b'[{"labels": {"alertname": "\\ud800"}}, {"labels": {"alertname": "Good"}}]'
    answer = await web.post("/api/v2/alerts", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert 'alert 1 {"alertname": "\\ud800"}' in answer.json()
    assert len((await web.get("/api/v2/alerts")).json()) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'"x"', b"\xff", b"[" * 100_000])
async def test_what_is_no_list_of_alerts_is_refused_whole(
    own: OwnDesk, web: httpx.AsyncClient, body: bytes
) -> None:
    answer = await web.post("/api/v2/alerts", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, type(answer.json()), own.commands) == (400, str, [])


async def test_no_alerts_are_no_mistake(own: OwnDesk, web: httpx.AsyncClient) -> None:
    assert ((await web.post("/api/v2/alerts", json=[])).status_code, own.commands) == (200, [])


async def test_only_json_is_taken(web: httpx.AsyncClient) -> None:
    answer = await web.post(
        "/api/v2/alerts", content=json.dumps([posted()]), headers={"content-type": "text/plain"}
    )
    assert answer.status_code == 415


async def test_without_a_desk_nothing_is_said_to_be_taken(
    own: OwnDesk, web: httpx.AsyncClient, redis_url: str, visit: Callable[[FastAPI], Any]
) -> None:
    own.away = True
    answer = await web.post("/api/v2/alerts", json=[posted(), {}])
    assert (answer.status_code, answer.json()) == (503, "no desk has taken the command")
    async with visit(create_app(redis_url=redis_url, routers=[api_v2.router(None)])) as other:
        answer = await other.post("/api/v2/alerts", json=[posted()])
    assert answer.status_code == 503


async def test_a_full_desk_says_which_are_not_taken_and_keeps_the_others(web: httpx.AsyncClient) -> None:
    answer = await web.post("/api/v2/alerts", json=[{}, *(posted(f"A{number}") for number in range(52))])
    assert answer.status_code == 503
    assert "2 of 52 alerts not taken: the desk holds 50" in answer.json()
    assert "alert 1" in answer.json()
    assert len((await web.get("/api/v2/alerts")).json()) == 50


async def test_a_large_push_is_several_commands_each_fit_for_a_record(
    own: OwnDesk, web: httpx.AsyncClient
) -> None:
    long = {"description": "x" * 20_000}
    await web.post("/api/v2/alerts", json=[posted("Same", annotations=long) for _ in range(60)])
    await web.post("/api/v2/alerts", json=[posted() for _ in range(MAX_PUSHED + 1)])
    pushes = [command for command in own.commands if isinstance(command, PushAlerts)]
    assert sum(len(command.alerts) for command in pushes) == 60 + MAX_PUSHED + 1
    assert len(pushes) == 5 + 2
    assert max(len(command.model_dump_json()) for command in pushes) < 1.1 * pushing.MAX_COMMAND_BYTES


async def test_mistakes_without_number_are_told_in_part(web: httpx.AsyncClient) -> None:
    answer = await web.post("/api/v2/alerts", json=[{}] * 1000)
    assert answer.json().split("\n")[-1] == "and 980 more"
