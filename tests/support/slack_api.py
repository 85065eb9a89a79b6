"""A stand-in for Slack: keeps messages as Slack does, refuses what Slack would refuse, and presses buttons."""

import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import web

from alerts.receivers.slack_signature import sign

HOST = "127.0.0.1"
MESSAGE = {"channel", "text", "blocks", "metadata", "link_names", "parse"}
UNFURLS = {"unfurl_links", "unfurl_media"}


def check_text(text: dict[str, Any], limit: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> None:
    assert text["type"] in kinds
    assert 1 <= len(text["text"]) <= limit
    check_escapes(text["text"])


def check_escapes(text: str) -> None:
    assert not re.search(r"[<>]", text)
    assert not re.search(r"&(?!(amp|lt|gt);)", text)


def check_button(button: dict[str, Any]) -> None:
    assert set(button) <= {"type", "text", "url", "action_id", "value", "style"}
    assert button["type"] == "button"
    check_text(button["text"], 75, ("plain_text",))
    assert 1 <= len(button["action_id"]) <= 255
    assert button.get("style", "primary") in ("primary", "danger")
    assert 0 <= len(button.get("value", "")) <= 2000
    if "url" in button:
        assert len(button["url"]) <= 3000
        assert re.match(r"https?://", button["url"])


def check_blocks(blocks: list[dict[str, Any]]) -> None:
    """Slack's limits, as its reference of Block Kit has them."""
    assert 1 <= len(blocks) <= 50
    for block in blocks:
        match block["type"]:
            case "header":
                check_text(block["text"], 150, ("plain_text",))
            case "section":
                check_text(block["text"], 3000)
            case "context":
                assert 1 <= len(block["elements"]) <= 10
                for element in block["elements"]:
                    check_text(element, 3000)
            case "actions":
                assert 1 <= len(block["elements"]) <= 25
                for button in block["elements"]:
                    check_button(button)
                assert len({button["action_id"] for button in block["elements"]}) == len(block["elements"])
            case other:
                raise AssertionError(f"block {other} is not one we send")
    json.dumps(blocks).encode()


def check_request(path: str, headers: dict[str, str], body: dict[str, Any], token: str) -> None:
    """Refuse a message that Slack would refuse, or that has a field we do not mean to send."""
    assert headers["Authorization"] == f"Bearer {token}"
    assert headers["Content-Type"].startswith("application/json")
    assert token not in json.dumps(body)
    assert 1 <= len(body["text"]) <= 4000
    check_escapes(body["text"])
    assert (body["link_names"], body["parse"]) == (False, "none")
    assert body["metadata"]["event_type"] == "driftline_notification"
    assert set(body["metadata"]["event_payload"]) == {"idempotency_key", "status"}
    assert body["metadata"]["event_payload"]["idempotency_key"]
    if path == "/api/chat.update":
        assert set(body) == MESSAGE | {"ts"}
    elif "thread_ts" in body:
        assert path == "/api/chat.postMessage"
        assert set(body) == MESSAGE - {"blocks"} | UNFURLS | {"thread_ts", "reply_broadcast"}
    else:
        assert path == "/api/chat.postMessage"
        assert set(body) == MESSAGE | UNFURLS
    if "blocks" in body:
        check_blocks(body["blocks"])


@dataclass
class Message:
    """One message, as it stands in the channel now."""

    channel: str
    ts: str
    body: dict[str, Any]
    thread_ts: str = ""
    updates: int = 0

    @property
    def text(self) -> str:
        """All that is read in it."""
        return json.dumps(self.body, ensure_ascii=False)

    @property
    def buttons(self) -> dict[str, dict[str, Any]]:
        """Its buttons by their words."""
        rows = [block for block in self.body.get("blocks", []) if block["type"] == "actions"]
        return {button["text"]["text"]: button for row in rows for button in row["elements"]}


@dataclass
class SlackApi:
    """The API at ``url``; what was wrong with a request is in ``mistakes``."""

    token: str = "xoxb-secret-1"
    signing_secret: str = "8f742231b10e8888abcd99yyyzzz85a5"
    channels: dict[str, str] = field(default_factory=lambda: {"#ml": "C024BE91L"})
    messages: list[Message] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    #: Messages to take, from now on, without ever answering.
    held: int = 0
    #: Messages to lose, from now on, without ever answering.
    dropped: int = 0
    #: Whether the bot may read the channel's history.
    may_look: bool = True
    looks: int = 0
    page: int = 1_000
    url: str = ""
    _presses: int = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/api/chat.postMessage", self._post)
        app.router.add_post("/api/chat.update", self._update)
        app.router.add_get("/api/conversations.history", self._history)
        app.router.add_get("/api/conversations.replies", self._replies)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}/api/"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def tops(self) -> list[Message]:
        """Messages that are no replies."""
        return [message for message in self.messages if not message.thread_ts]

    async def _checked(self, request: web.Request) -> dict[str, Any] | None:
        body: dict[str, Any] = await request.json()
        try:
            check_request(request.path, dict(request.headers), body, self.token)
        except (AssertionError, KeyError) as error:
            self.mistakes.append(f"{request.path}: {error!r}: {json.dumps(body)[:2000]}")
            return None
        return body

    async def _post(self, request: web.Request) -> web.Response:
        body = await self._checked(request)
        if body is None:
            return web.json_response({"ok": False, "error": "invalid_arguments"})
        channel = self.channels.get(body["channel"], body["channel"])
        if channel not in self.channels.values():
            return web.json_response({"ok": False, "error": "channel_not_found"})
        if self.dropped:
            self.dropped -= 1
            await asyncio.Event().wait()
        ts = f"{time.time() + 0.000001 * len(self.messages):.6f}"
        self.messages.append(Message(channel, ts, body, body.get("thread_ts", "")))
        await self._hold()
        return web.json_response(
            {"ok": True, "channel": channel, "ts": ts, "message": {"text": body["text"]}}
        )

    async def _update(self, request: web.Request) -> web.Response:
        body = await self._checked(request)
        if body is None:
            return web.json_response({"ok": False, "error": "invalid_arguments"})
        found = [one for one in self.messages if (one.channel, one.ts) == (body["channel"], body["ts"])]
        if not found:
            return web.json_response({"ok": False, "error": "message_not_found"})
        found[0].body, found[0].updates = body, found[0].updates + 1
        await self._hold()
        return web.json_response({"ok": True, "channel": body["channel"], "ts": body["ts"]})

    async def _hold(self) -> None:
        if self.held:
            self.held -= 1
            await asyncio.Event().wait()

    async def _history(self, request: web.Request) -> web.Response:
        return self._listed(request, [one for one in reversed(self.messages) if not one.thread_ts])

    async def _replies(self, request: web.Request) -> web.Response:
        ts = request.query["ts"]
        if not any(one.ts == ts for one in self.messages):
            return web.json_response({"ok": False, "error": "thread_not_found"})
        return self._listed(request, [one for one in self.messages if ts in (one.ts, one.thread_ts)])

    def _listed(self, request: web.Request, messages: list[Message]) -> web.Response:
        """Answer as Slack does: in pages, with metadata only where it is asked for."""
        self.looks += 1
        query = dict(request.query)
        extra = set(query) - {"channel", "ts", "cursor", "oldest", "limit", "include_all_metadata"}
        if request.headers["Authorization"] != f"Bearer {self.token}" or extra:
            self.mistakes.append(f"{request.path}: {query}")
        if not self.may_look:
            return web.json_response({"ok": False, "error": "missing_scope", "needed": "channels:history"})
        # Slack takes an id alone.
        if query["channel"] not in self.channels.values():
            return web.json_response({"ok": False, "error": "channel_not_found"})
        assert 1 <= int(query["limit"]) <= 999
        start = int(query.get("cursor", 0))
        end = start + min(self.page, int(query["limit"]))
        kept = [
            one for one in messages
            if one.channel == query["channel"] and float(one.ts) >= float(query.get("oldest", 0))
        ]  # fmt: skip
        hidden = set() if query.get("include_all_metadata") == "1" else {"metadata"}
        shown = [
            {"type": "message", "ts": one.ts, **({"thread_ts": one.thread_ts} if one.thread_ts else {})}
            | {name: value for name, value in one.body.items() if name in ("text", "blocks", "metadata")}
            for one in kept[start:end]
        ]
        listed = [{name: value for name, value in one.items() if name not in hidden} for one in shown]
        more = {"response_metadata": {"next_cursor": str(end)}} if end < len(kept) else {}
        return web.json_response({"ok": True, "messages": listed, "has_more": bool(more), **more})

    def press(self, message: Message, words: str, user: str = "ana") -> tuple[bytes, dict[str, str]]:
        """Return body and headers of what Slack posts when somebody presses a button."""
        button = message.buttons[words]
        self._presses += 1
        payload = {
            "type": "block_actions",
            "user": {"id": "U061F7AUR", "username": user, "name": user, "team_id": "T061EG9R6"},
            "api_app_id": "A0123456789",
            "token": "deprecated",
            "container": {
                "type": "message", "message_ts": message.ts, "channel_id": message.channel, "is_ephemeral": False
            },
            "trigger_id": f"12321423423.333649436676.{self._presses}",
            "team": {"id": "T061EG9R6", "domain": "example"},
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": {"id": message.channel, "name": "ml"},
            "message": {"type": "message", "ts": message.ts, **message.body},
            "state": {"values": {}},
            "response_url": "https://hooks.slack.com/actions/T061EG9R6/1/x",
            "actions": [
                {"type": "button", "block_id": "aB3d", "action_ts": f"{time.time():.6f}", **button}
            ],
        }  # fmt: skip
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return body, self.signed(body)

    def signed(self, body: bytes, at_s: int | None = None) -> dict[str, str]:
        """Return the headers with which Slack posts a body."""
        timestamp = str(int(time.time()) if at_s is None else at_s)
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": sign(self.signing_secret, timestamp, body),
        }

    async def until(self, condition: Any, says: str, within_s: float = 60) -> Any:
        """Wait until a condition about the messages is true, and return what it gives."""
        try:
            async with asyncio.timeout(within_s):
                while not (found := condition()):
                    assert not self.mistakes, self.mistakes
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not within {within_s:g} s: {says}; there are {self.messages}") from None
        assert not self.mistakes, self.mistakes
        return found
