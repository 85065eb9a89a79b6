"""What Slack posts to the web face: who is let in, what becomes of a press, and what is refused."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from slack_api import Message, SlackApi

from alerts.answer import Answer, Code
from alerts.command import Acknowledge, Command
from alerts.decision import Reason
from alerts.notification import Notification, NotifiedAlert
from alerts.receivers.slack_blocks import blocks
from alerts.receivers.slack_buttons import buttons
from driftline.commands import NotTaken
from driftline.web import create_app, slack

NINE = 1_795_424_400_000
ALERT = NotifiedAlert(
    "f1", "firing", {"alertname": "Drift", "severity": "critical"}, {}, NINE, None, "joined"
)
TOLD = Notification("{}:{}", "ops", {"alertname": "Drift"}, (ALERT,), Reason.FIRST, "k-1")
POSTED = Message("C1", "1.5", {"text": "…", "blocks": blocks(TOLD, buttons(TOLD, "UTC"))})


class Desk:
    """Takes each command once, as the desk does."""

    def __init__(self) -> None:
        self.code: Code = "done"
        self.away = False
        self.slow: asyncio.Event | None = None
        self.asked: list[Command] = []

    async def ask(self, command: Command) -> Answer:
        if self.slow is not None:
            await self.slow.wait()
        if self.away:
            raise NotTaken("no desk has taken the command")
        self.asked.append(command)
        return Answer(command_id=command.id, code=self.code, sentence=f"it is {self.code}", at_ms=0)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def api() -> SlackApi:
    return SlackApi()


@pytest.fixture
async def web(redis_url: str, visit: Callable[..., Any], desk: Desk, api: SlackApi) -> AsyncIterator[Any]:
    app = create_app(
        redis_url=redis_url, routers=[slack.router(desk, lambda: api.signing_secret, answer_within_s=0.2)]
    )
    async with visit(app) as client:
        yield client


async def post(web: Any, body: bytes, headers: dict[str, str]) -> httpx.Response:
    answer: httpx.Response = await web.post("/slack/interactive", content=body, headers=headers)
    return answer


async def test_a_press_is_asked_of_the_desk_in_the_name_of_who_pressed(
    web: Any, desk: Desk, api: SlackApi
) -> None:
    answer = await post(web, *api.press(POSTED, "Acknowledge", "ben"))
    assert (answer.status_code, answer.content) == (200, b"")
    (asked,) = desk.asked
    assert isinstance(asked, Acknowledge)
    assert asked.by == "ben (Slack)"


async def test_what_slack_posts_again_has_the_same_id(web: Any, desk: Desk, api: SlackApi) -> None:
    body, headers = api.press(POSTED, "Silence 1h")
    for again in ({}, {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}):
        assert (await post(web, body, headers | again)).status_code == 200
    first, second = desk.asked
    assert first.id == second.id


async def test_a_desk_that_does_not_do_it_is_no_success(web: Any, desk: Desk, api: SlackApi) -> None:
    desk.code = "unknown"
    answer = await post(web, *api.press(POSTED, "Acknowledge"))
    assert (answer.status_code, answer.text) == (404, "it is unknown\n")
    desk.code = "refused"
    assert (await post(web, *api.press(POSTED, "Acknowledge"))).status_code == 400
    desk.away = True
    answer = await post(web, *api.press(POSTED, "Acknowledge"))
    assert (answer.status_code, answer.text) == (503, "no desk has taken the command\n")


@pytest.mark.parametrize("away", [False, True])
async def test_slack_is_not_kept_waiting_and_the_press_is_taken_all_the_same(
    web: Any, desk: Desk, api: SlackApi, away: bool, caplog: pytest.LogCaptureFixture
) -> None:
    desk.slow, desk.away = asyncio.Event(), away
    answer = await post(web, *api.press(POSTED, "Acknowledge"))
    assert answer.status_code == 200
    assert desk.asked == []
    desk.slow.set()
    async with asyncio.timeout(10):
        while not (caplog.records if away else desk.asked):
            await asyncio.sleep(0)
    assert ("no desk has taken the command" in caplog.text) is away


async def test_only_slack_is_heard(web: Any, desk: Desk, api: SlackApi) -> None:
    body, headers = api.press(POSTED, "Acknowledge")
    now_s = int(time.time())
    signature = headers["X-Slack-Signature"]
    forged = [
        {},
        {**headers, "X-Slack-Signature": ""},
        {**headers, "X-Slack-Signature": signature.upper()},
        {**headers, "X-Slack-Signature": signature[:-1] + ("0" if signature[-1] != "0" else "1")},
        {**headers, "X-Slack-Request-Timestamp": str(now_s + 1_000)},
        {**headers, "X-Slack-Request-Timestamp": "-1"},
        {**headers, "X-Slack-Request-Timestamp": "9" * 400},
        api.signed(body, now_s - 310),
        api.signed(body, now_s + 310),
        api.signed(body + b"x"),
        SlackApi(signing_secret="another").signed(body),
    ]
    answers = [await post(web, body, one) for one in forged]
    assert [answer.status_code for answer in answers] == [401] * len(forged)
    assert desk.asked == []
    assert api.signing_secret not in "".join(answer.text for answer in answers)
    assert (await post(web, body, api.signed(body, now_s - 290))).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload",
        b"payload=1&payload=2",
        b"other=1",
        b"payload=%7B",
        b"payload=[]",
        b"\xff\xfe",
        b"&" * 1_000,
        urlencode({"payload": json.dumps({"type": "view_submission"})}).encode(),
        b"payload=" + b"[" * 100_000,
    ],
)
async def test_what_slack_would_not_post_is_refused_plainly(
    web: Any, desk: Desk, api: SlackApi, body: bytes
) -> None:
    answer = await post(web, body, api.signed(body))
    assert answer.status_code == 400
    assert answer.text.startswith("not a press of one of our buttons: ")
    assert len(answer.text) < 1_000
    assert desk.asked == []


async def test_a_body_has_its_limit_and_the_path_its_method(web: Any, desk: Desk, api: SlackApi) -> None:
    body = b"payload=" + b"x" * slack.MAX_BODY_BYTES
    assert (await post(web, body, api.signed(body))).status_code == 413
    assert (await web.get("/slack/interactive")).status_code == 405
    assert desk.asked == []


async def test_without_a_secret_or_a_desk_it_says_what_to_set(
    redis_url: str, visit: Callable[..., Any], api: SlackApi
) -> None:
    def unreadable() -> str:
        raise OSError("no such file")

    pressed = api.press(POSTED, "Acknowledge")
    cases: list[tuple[Any, int, str]] = [
        (lambda: None, 404, "DRIFTLINE_SLACK_SIGNING_SECRET_FILE"),
        (unreadable, 503, "cannot be read"),
        (lambda: api.signing_secret, 503, "DRIFTLINE_KAFKA"),
    ]
    for secret, status, words in cases:
        async with visit(create_app(redis_url=redis_url, routers=[slack.router(None, secret)])) as client:
            answer = await post(client, *pressed)
        assert (answer.status_code, words in answer.text) == (status, True)
