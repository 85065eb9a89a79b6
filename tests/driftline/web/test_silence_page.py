"""The page behind a message's *Silence* link."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import pytest

from alerts.answer import Answer, Code
from alerts.command import AddSilence, Command
from alerts.links import silence_link
from driftline.commands import NotTaken
from driftline.web import create_app, silences

NOW_MS = 1_795_424_400_000
FORM = {
    "matchers": 'model="churn"\nfeature="a b"\n',
    "length": "4h",
    "author": "ana",
    "comment": "new CRM export",
}


@dataclass
class Desk:
    """A desk that notes what it is asked."""

    code: Code | None = "done"
    asked: list[Command] = field(default_factory=list)

    async def ask(self, command: Command) -> Answer:
        self.asked.append(command)
        if self.code is None:
            raise NotTaken("no desk has taken the command")
        return Answer(command_id=command.id, code=self.code, sentence=f"silence x {self.code}", at_ms=0)


@pytest.fixture
def page(redis_url: str, visit: Callable[..., Any]) -> Callable[..., Any]:
    def opened(desk: Any) -> Any:
        return visit(create_app(redis_url=redis_url, routers=[silences.router(desk)], now_ms=lambda: NOW_MS))

    return opened


async def test_the_link_of_a_message_opens_the_form_with_its_matchers(page: Callable[..., Any]) -> None:
    labels = {"model": 'ch"urn', "feature": "</textarea><b>&", "severity": "critical"}
    link = silence_link("http://test", labels)
    async with page(Desk()) as web:
        answer = await web.get(link.removeprefix("http://test"))
    assert answer.status_code == 200
    written = answer.text.split('spellcheck="false">')[1].split("</textarea>")[0]
    assert unescape(written) == 'feature="</textarea><b>&"\nmodel="ch\\"urn"'


async def test_a_silence_is_asked_of_the_desk_and_confirmed(page: Callable[..., Any]) -> None:
    desk = Desk()
    async with page(desk) as web:
        answer = await web.post("/silences/new", data=FORM, headers={"sec-fetch-site": "same-origin"})
    (asked,) = desk.asked
    assert isinstance(asked, AddSilence)
    assert (asked.matchers, asked.starts_at_ms) == (('model="churn"', 'feature="a b"'), None)
    assert (asked.ends_at_ms, asked.created_by) == (NOW_MS + 4 * 3_600_000, "ana")
    assert (answer.status_code, "silence x done" in answer.text) == (200, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"matchers": "model"}, "matchers: "),
        ({"matchers": ""}, "a silence needs at least 1 matcher"),
        ({"matchers": 'model=~".*"'}, "nearly all"),
        ({"length": "soon"}, "not a duration"),
        ({"author": ""}, "your name: "),
        ({"comment": " "}, "comment: "),
    ],
)
async def test_a_mistake_is_told_and_what_was_written_stays(
    page: Callable[..., Any], change: dict[str, str], said: str
) -> None:
    desk = Desk()
    async with page(desk) as web:
        answer = await web.post("/silences/new", data=FORM | {"comment": "keep me"} | change)
    assert (answer.status_code, desk.asked) == (400, [])
    text = unescape(answer.text)
    assert said in text
    assert ("keep me" in text) == ("comment" not in change)


async def test_without_a_desk_it_says_what_is_missing(page: Callable[..., Any]) -> None:
    for desk, status, said in (
        (Desk(None), 503, "no desk"),
        (None, 503, "DRIFTLINE_KAFKA"),
        (Desk("refused"), 400, "refused"),
    ):
        async with page(desk) as web:
            answer = await web.post("/silences/new", data=FORM)
        assert (answer.status_code, said in answer.text, "new CRM export" in answer.text) == (
            status,
            True,
            True,
        )


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
async def test_another_site_cannot_have_a_browser_silence_anything(
    page: Callable[..., Any], headers: dict[str, str]
) -> None:
    desk = Desk()
    async with page(desk) as web:
        answer = await web.post("/silences/new", data=FORM, headers=headers)
    assert (answer.status_code, desk.asked) == (403, [])


async def test_anything_but_the_form_is_refused(page: Callable[..., Any]) -> None:
    desk = Desk()
    async with page(desk) as web:
        assert (await web.post("/silences/new", json=FORM)).status_code == 415
        large = await web.post("/silences/new", data=FORM | {"comment": "x" * 300_000})
        assert large.status_code == 415
    assert desk.asked == []
