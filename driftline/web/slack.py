"""Where Slack posts what people press below an alert's message: the press is checked, then asked of the desk."""

import asyncio
import logging
from collections.abc import Callable
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import ValidationError

from alerts.answer import Answer
from alerts.command import Command
from alerts.notification import clip
from alerts.receivers.slack_buttons import Press, command
from alerts.receivers.slack_signature import is_from_slack
from driftline.commands import NotTaken
from driftline.web.api_v2 import Door
from driftline.web.context import ContextOf

_logger = logging.getLogger(__name__)

#: The message stands in it, each character in up to a dozen bytes.
MAX_BODY_BYTES = 1024 * 1024
#: Slack gives up after 3 s.
ANSWER_WITHIN_S = 2.5
_STATUS = {"done": 200, "unknown": 404, "refused": 400}


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.response = PlainTextResponse(f"{text}\n", status)


def router(
    door: Door | None, signing_secret: Callable[[], str | None], answer_within_s: float = ANSWER_WITHIN_S
) -> APIRouter:
    """Return the route.

    Parameters
    ----------
    door
        The way to the desk; None where the broker is not known.
    signing_secret
        Returns the Slack app's signing secret, asked for at each request, so that it can be rotated; None where
        there is none. Raises OSError or ValueError where it cannot be read.
    answer_within_s
        How long Slack is kept waiting for the desk's answer, in seconds. A press that takes longer is taken
        all the same, and what comes of it is logged.
    """
    routes = APIRouter(prefix="/slack", include_in_schema=False)
    under_way: set[asyncio.Task[Answer]] = set()

    @routes.post("/interactive")
    async def interactive(context: ContextOf, request: Request) -> Response:
        try:
            body = await _signed_body(request, signing_secret, context.now_ms())
            asked = _asked(body, context.now_ms())
        except _Refused as refused:
            return refused.response
        if asked is None:
            return Response()
        if door is None:
            return PlainTextResponse("set DRIFTLINE_KAFKA, so that the desk can be asked\n", 503)
        asking = asyncio.create_task(door.ask(asked))
        under_way.add(asking)
        asking.add_done_callback(under_way.discard)
        await asyncio.wait({asking}, timeout=answer_within_s)
        if not asking.done():
            asking.add_done_callback(_log)
            return Response()
        return _told(asking)

    return routes


async def _signed_body(request: Request, signing_secret: Callable[[], str | None], now_ms: int) -> bytes:
    try:
        secret = signing_secret()
    except (OSError, ValueError) as error:
        _logger.error("the signing secret of Slack cannot be read (%s)", type(error).__name__)
        raise _Refused(503, "the signing secret cannot be read; see the log of the web face") from error
    if not secret:
        raise _Refused(
            404, "buttons are off: set DRIFTLINE_SLACK_SIGNING_SECRET_FILE for the web face and the workers"
        )
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise _Refused(413, f"a body has at most {MAX_BODY_BYTES} bytes")
    timestamp = request.headers.get("x-slack-request-timestamp", "")
    signature = request.headers.get("x-slack-signature", "")
    if not is_from_slack(secret, timestamp, signature, bytes(body), now_ms / 1000):
        raise _Refused(
            401, "not signed by Slack within the last 5 minutes; check the signing secret, and the clock"
        )
    return bytes(body)


def _asked(body: bytes, now_ms: int) -> Command | None:
    try:
        found = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10).get("payload", [])
        if len(found) != 1:
            raise ValueError("a form with one field payload is wanted")
        return command(Press.model_validate_json(found[0]), now_ms)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False)
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in mistakes)
        raise _Refused(400, f"not a press of one of our buttons: {said}") from error
    except ValueError as error:
        raise _Refused(400, f"not a press of one of our buttons: {clip(str(error), 200)}") from error


def _told(asking: asyncio.Task[Answer]) -> Response:
    try:
        answer = asking.result()
    except NotTaken as error:
        return PlainTextResponse(f"{error}\n", 503)
    # Slack takes an empty answer for "done", and shows a warning beside the button for anything but 200.
    if answer.code == "done":
        return Response()
    return PlainTextResponse(f"{answer.sentence}\n", _STATUS[answer.code])


def _log(asking: asyncio.Task[Answer]) -> None:
    if asking.cancelled():
        return
    if (error := asking.exception()) is not None:
        _logger.error("what was pressed in Slack is not done: %s", error)
    elif (answer := asking.result()).code != "done":
        _logger.warning("what was pressed in Slack is not done: %s", answer.sentence)
