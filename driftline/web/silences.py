"""The page that a message's *Silence* link opens: a silence with its matchers filled in, to be confirmed."""

import re
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError

from alerts import duration
from alerts.command import AddSilence
from alerts.errors import DurationError
from alerts.silence import MAX_MATCHERS
from driftline.commands import Door, NotTaken, new_id
from driftline.web.context import Context, ContextOf

MAX_BODY_BYTES = 256 * 1024
#: How long a silence may be chosen to last; another can be written.
LENGTHS = ("1h", "4h", "12h", "1d", "3d", "7d")
_FORM = re.compile(r"application/x-www-form-urlencoded\b")


def router(door: Door | None) -> APIRouter:
    """Return the routes; without a ``door`` to the desk the page says what is missing."""
    routes = APIRouter(prefix="/silences", include_in_schema=False)

    @routes.get("/new", response_class=HTMLResponse)
    async def new(
        request: Request,
        context: ContextOf,
        matcher: Annotated[list[str] | None, Query(max_length=MAX_MATCHERS)] = None,
    ) -> HTMLResponse:
        return _form(context, request, {"matchers": "\n".join(one[:2_000] for one in matcher or ())})

    @routes.post("/new", response_class=HTMLResponse)
    async def add(request: Request, context: ContextOf) -> Response:
        if not _is_from_here(request):
            return _form(context, request, {}, "this was sent by another site; write it here", 403)
        fields = await _fields(request)
        if fields is None:
            return _form(context, request, {}, "this is not what the form below sends; write it here", 415)
        try:
            command = _command(fields, context.now_ms())
            if door is None:
                told = "this web face does not know the broker; set DRIFTLINE_KAFKA where it runs"
                return _form(context, request, fields, told, 503)
            answer = await door.ask(command)
        except (DurationError, ValidationError) as error:
            return _form(context, request, fields, _mistakes(error), 400)
        except NotTaken as error:
            return _form(context, request, fields, str(error), 503)
        if answer.code != "done":
            return _form(context, request, fields, answer.sentence, 400)
        return context.page(request, "silence_added.html", {"sentence": answer.sentence})

    return routes


def _form(
    context: Context, request: Request, fields: dict[str, str], mistake: str = "", status: int = 200
) -> HTMLResponse:
    values = {
        "matchers": fields.get("matchers", ""),
        "length": fields.get("length", "1h"),
        "author": fields.get("author", ""),
        "comment": fields.get("comment", ""),
        "lengths": LENGTHS,
        "mistake": mistake,
    }
    return context.page(request, "silence.html", values, status)


def _command(fields: dict[str, str], now_ms: int) -> AddSilence:
    lines = (line.strip() for line in fields.get("matchers", "").splitlines())
    given: dict[str, Any] = {
        "id": new_id(),
        "matchers": [line for line in lines if line],
        "ends_at_ms": now_ms + duration.parse(fields.get("length", "").strip()),
        "created_by": fields.get("author", "").strip(),
        "comment": fields.get("comment", "").strip(),
    }
    return AddSilence.model_validate(given)


def _is_from_here(request: Request) -> bool:
    """Return whether the form is ours: a page elsewhere could have a browser post one unasked."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


async def _fields(request: Request) -> dict[str, str] | None:
    if not _FORM.match(request.headers.get("content-type", "")):
        return None
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            return None
    found = parse_qs(bytes(body).decode("utf-8", "replace"), max_num_fields=20)
    return {name: values[0] for name, values in found.items()}


def _mistakes(error: DurationError | ValidationError) -> str:
    if isinstance(error, DurationError):
        return str(error)
    words = {"matchers": "matchers", "created_by": "your name", "comment": "comment", "ends_at_ms": "length"}
    return "; ".join(
        f"{words.get(str(one['loc'][0]), str(one['loc'][0]))}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors(include_url=False, include_input=False)
    )
