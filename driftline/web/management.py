"""What Alertmanager is managed by, at its addresses: reload the alerting file, is it alive, is it ready."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from alerts.command import Reload
from driftline.commands import Door, NotTaken, new_id
from driftline.web.context import ContextOf
from driftline.web.errors import StoreUnavailable


def router(door: Door | None) -> APIRouter:
    """Return the routes; without a ``door`` to the desk nothing can be reloaded."""
    routes = APIRouter(prefix="/-", include_in_schema=False)

    @routes.post("/reload")
    async def reload() -> Response:
        if door is None:
            return PlainTextResponse("set DRIFTLINE_KAFKA, so that the desk can be asked\n", 503)
        try:
            answer = await door.ask(Reload(id=new_id()))
        except NotTaken as error:
            return PlainTextResponse(f"{error}\n", 503)
        return PlainTextResponse(f"{answer.sentence}\n", 200 if answer.code == "done" else 400)

    @routes.get("/healthy")
    async def healthy() -> Response:
        return PlainTextResponse("OK\n")

    @routes.get("/ready")
    async def ready(context: ContextOf) -> Response:
        try:
            desk = await context.store.desk_status()
        except StoreUnavailable as error:
            return PlainTextResponse(f"{error}\n", 503)
        if desk is None:
            return PlainTextResponse("no desk has reported yet; see /readyz\n", 503)
        return PlainTextResponse("OK\n")

    return routes
