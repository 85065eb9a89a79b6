"""Reload, alive, ready: asked as Alertmanager is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alerts.answer import Answer, Code
from alerts.command import Command
from driftline.commands import NotTaken
from driftline.web import create_app, management


@dataclass
class Answering:
    """A desk that answers always the same, or is not there."""

    code: Code | None

    async def ask(self, command: Command) -> Answer:
        if self.code is None:
            raise NotTaken("no desk has taken the command")
        return Answer(
            command_id=command.id, code=self.code, sentence=f"{command.action} {self.code}", at_ms=0
        )


async def reloaded(redis_url: str, visit: Callable[..., Any], door: Any) -> tuple[int, str]:
    app = create_app(redis_url=redis_url, routers=[management.router(door)])
    async with visit(app) as web:
        answer = await web.post("/-/reload")
        assert (await web.get("/-/healthy")).text == "OK\n"
        assert (await web.get("/-/ready")).status_code == 503
        assert (await web.get("/-/reload")).status_code == 405
    return answer.status_code, answer.text


async def test_a_reload_says_what_the_desk_says(redis_url: str, visit: Callable[..., Any]) -> None:
    assert await reloaded(redis_url, visit, Answering("done")) == (200, "reload done\n")
    assert await reloaded(redis_url, visit, Answering("refused")) == (400, "reload refused\n")
    assert (await reloaded(redis_url, visit, Answering(None)))[0] == 503
    status, text = await reloaded(redis_url, visit, None)
    assert (status, "DRIFTLINE_KAFKA" in text) == (503, True)
