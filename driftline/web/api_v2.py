"""The HTTP API of Alertmanager, version 2, over what the desk holds: for amtool, Grafana and Prometheus.

Reads come from the projection; what changes something is asked of the desk, and answered when it has taken it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError

from alerts.answer import Answer
from alerts.command import Command, ExpireSilence
from alerts.errors import MatcherError
from alerts.notification import rfc3339
from alerts.pattern import whole
from alerts.silence import Silence
from driftline.commands import NotTaken, new_id
from driftline.web import alertmanager, pushing
from driftline.web.context import Context, ContextOf
from streams.desk_views import DeskAlertRow, DeskGroupRow, DeskStatus

MAX_BODY_BYTES = 8 * 1024 * 1024
_JSON = re.compile(r"application/(?:[\w.-]+\+)?json\b")

Filter = Annotated[list[str] | None, Query(alias="filter")]


class Door(Protocol):
    """The way to the desk, such as `driftline.commands.Door`."""

    async def ask(self, command: Command) -> Answer:
        """Return the desk's answer to a command; raises `NotTaken`."""

    async def ask_all(self, commands: Sequence[Command]) -> list[Answer]:
        """Return the desk's answers to commands, in their order; raises `NotTaken`."""


class Refused(Exception):
    """A request that is not done; told as Alertmanager does, as JSON text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.response = JSONResponse(text, status)


def router(door: Door | None) -> APIRouter:
    """Return the routes; without a ``door`` to the desk, only those that read."""
    routes = APIRouter(prefix="/api/v2", include_in_schema=False)

    @routes.get("/status")
    async def status(context: ContextOf) -> Response:
        found = await _status(context)
        return JSONResponse(
            {
                "cluster": {"status": "disabled", "peers": []},
                "versionInfo": {
                    "version": version("driftline"), "revision": "", "branch": "", "buildUser": "",
                    "buildDate": "", "goVersion": "",
                },
                "config": {"original": found.config},
                "uptime": rfc3339(found.since_ms),
            }
        )  # fmt: skip

    @routes.get("/receivers")
    async def receivers(context: ContextOf) -> Response:
        return JSONResponse([{"name": name} for name in (await _status(context)).receivers])

    @routes.get("/alerts")
    async def alerts(
        context: ContextOf, filter_: Filter = None, active: bool = True, silenced: bool = True,
        inhibited: bool = True, unprocessed: bool = True, receiver: str = "",
    ) -> Response:  # fmt: skip
        try:
            wanted = _wanted(filter_, receiver, active, silenced, inhibited)
        except Refused as refused:
            return refused.response
        held = await _held(context)
        found = (_alert(held, row, context.now_ms()) for row in held.firing)
        return JSONResponse(sorted(filter(wanted, found), key=lambda alert: alert["fingerprint"]))

    @routes.post("/alerts")
    async def push(request: Request) -> Response:
        try:
            return await _push(door, await _body(request))
        except Refused as refused:
            return refused.response

    @routes.get("/alerts/groups")
    async def groups(
        context: ContextOf, filter_: Filter = None, active: bool = True, silenced: bool = True,
        inhibited: bool = True, muted: bool = True, receiver: str = "",
    ) -> Response:  # fmt: skip
        try:
            wanted = _wanted(filter_, receiver, active, silenced, inhibited, muted)
        except Refused as refused:
            return refused.response
        held = await _held(context)
        found: list[dict[str, Any]] = []
        for name, group in held.groups.items():
            members = (_alert(held, row, context.now_ms()) for row in held.firing if name in row.groups)
            shown = sorted(filter(wanted, members), key=lambda alert: alert["fingerprint"])
            if shown:
                found.append({"alerts": shown, "labels": group.labels, "receiver": {"name": group.receiver}})
        order = sorted(found, key=lambda one: (sorted(one["labels"].items()), one["receiver"]["name"]))
        return JSONResponse(order)

    @routes.get("/silences")
    async def silences(context: ContextOf, filter_: Filter = None) -> Response:
        try:
            holding = _filters(filter_)
        except Refused as refused:
            return refused.response
        now_ms, found = context.now_ms(), (await context.store.silences()).values()
        shown = [one for one in found if alertmanager.silence_fits(one, holding)]
        return JSONResponse(
            [alertmanager.silence_json(one, now_ms) for one in alertmanager.in_order(shown, now_ms)]
        )

    @routes.get("/silence/{name}")
    async def silence(context: ContextOf, name: str) -> Response:
        found = (await context.store.silences()).get(name)
        if found is None:
            return JSONResponse(f"there is no silence {name!r}", 404)
        return JSONResponse(alertmanager.silence_json(found, context.now_ms()))

    @routes.post("/silences")
    async def post_silence(context: ContextOf, request: Request) -> Response:
        try:
            posted = alertmanager.PostedSilence.model_validate_json(await _body(request))
            command = posted.command(new_id(), context.now_ms())
            return JSONResponse({"silenceID": await _ask(door, command)})
        except ValidationError as error:
            return JSONResponse(_mistakes(error), 400)
        except Refused as refused:
            return refused.response

    @routes.delete("/silence/{name}")
    async def expire(name: str) -> Response:
        try:
            await _ask(door, ExpireSilence(id=new_id(), silence_id=name))
        except ValidationError as error:
            return JSONResponse(_mistakes(error), 400)
        except Refused as refused:
            return refused.response
        return Response()

    return routes


class _Held:
    """What the desk holds, read once for an answer."""

    def __init__(
        self,
        rows: Iterable[DeskAlertRow],
        groups: Mapping[str, DeskGroupRow],
        silences: Mapping[str, Silence],
    ) -> None:
        self.firing = [row for row in rows if row.status == "firing"]
        self.groups = groups
        self.silences = silences


async def _held(context: Context) -> _Held:
    store = context.store
    return _Held(await store.desk_alerts(), await store.desk_groups(), await store.silences())


def _alert(held: _Held, row: DeskAlertRow, now_ms: int) -> dict[str, Any]:
    receivers = dict.fromkeys(held.groups[name].receiver for name in row.groups if name in held.groups)
    return alertmanager.alert_json(row, held.silences, list(receivers), now_ms)


async def _status(context: Context) -> DeskStatus:
    found = await context.store.desk_status()
    if found is None:
        raise HTTPException(503, "no desk has reported yet; start one with: driftline worker --stage desk")
    return found


def _filters(texts: list[str] | None) -> alertmanager.Holding:
    try:
        return alertmanager.filters(texts or ())
    except MatcherError as error:
        raise Refused(400, str(error)) from error


def _wanted(
    texts: list[str] | None, receiver: str, active: bool, silenced: bool, inhibited: bool, muted: bool = True
) -> Callable[[dict[str, Any]], bool]:
    """Return what tells whether an alert is asked for."""
    holding = _filters(texts)
    try:
        is_receiver = whole(receiver) if receiver else None
    except MatcherError as error:
        raise Refused(400, str(error)) from error

    def wanted(alert: dict[str, Any]) -> bool:
        status = alert["status"]
        return (
            alertmanager.fits(alert["labels"], holding)
            and (active or status["state"] != "active")
            and (silenced or not status["silencedBy"])
            and (inhibited or not status["inhibitedBy"])
            and (muted or not status["mutedBy"])
            and (is_receiver is None or any(is_receiver(one["name"]) for one in alert["receivers"]))
        )

    return wanted


async def _body(request: Request) -> bytes:
    # A page somewhere else may have a browser send anything but JSON here unasked.
    if not _JSON.match(request.headers.get("content-type", "")):
        raise Refused(415, "send application/json")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise Refused(413, f"a body has at most {MAX_BODY_BYTES} bytes; send less at once")
    return bytes(body)


async def _push(door: Door | None, body: bytes) -> Response:
    """Have the desk take the good ones of posted alerts, and tell of the others."""
    try:
        post = pushing.read(body)
    except ValueError as error:
        raise Refused(400, str(error)) from error
    asked = list(pushing.commands(post.alerts))
    if asked:
        door = _known(door)
        try:
            answers = await door.ask_all(asked)
        except NotTaken as error:
            raise Refused(503, str(error)) from error
        if refused := [answer.sentence for answer in answers if answer.code != "done"]:
            raise Refused(503, "\n".join([*refused[: pushing.TOLD], *post.mistakes[: pushing.TOLD]]))
    if post.mistakes:
        raise Refused(400, post.told)
    return Response()


def _known(door: Door | None) -> Door:
    if door is None:
        raise Refused(503, "this web face does not know the broker; set DRIFTLINE_KAFKA where it runs")
    return door


async def _ask(door: Door | None, command: Command) -> str:
    """Have the desk carry out a command, and return what it was about."""
    door = _known(door)
    try:
        answer = await door.ask(command)
    except NotTaken as error:
        raise Refused(503, str(error)) from error
    if answer.code != "done":
        raise Refused(404 if answer.code == "unknown" else 400, answer.sentence)
    return answer.subject


def _mistakes(error: ValidationError) -> str:
    return "; ".join(
        ".".join(map(str, one["loc"])) + ": " + one["msg"].removeprefix("Value error, ")
        for one in error.errors(include_url=False, include_input=False)
    )
