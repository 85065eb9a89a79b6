"""Health for orchestrators, and metrics for Prometheus."""

from collections.abc import Callable, Sequence
from typing import get_args

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from driftline.web.context import ContextOf
from driftline.web.errors import StoreUnavailable
from driftline.web.numerals import integer
from driftline.web.times import duration
from streams.views import WorkerRow

#: A worker that has not reported for this long counts as gone.
FRESH_MS = 30_000
#: Stages that run only where a monitor asks for them; one that stopped is missed for so long.
OPTIONAL = frozenset({"join"})
MISSED_MS = 3_600_000
STAGES: tuple[str, ...] = get_args(WorkerRow.model_fields["stage"].annotation)


def unready(workers: Sequence[WorkerRow], now_ms: int) -> list[str]:
    """Return why the pipeline is not ready, a sentence per stage; empty when it is.

    A stage is ready when one of its workers reported within `FRESH_MS` and has caught up.
    """
    reported = {worker.stage for worker in workers if now_ms - worker.at_ms <= MISSED_MS}
    wanted = [stage for stage in STAGES if stage not in OPTIONAL or stage in reported]
    return [reason for stage in wanted if (reason := _lacking(stage, workers, now_ms))]


def _lacking(stage: str, workers: Sequence[WorkerRow], now_ms: int) -> str | None:
    mine = [worker for worker in workers if worker.stage == stage]
    if not mine:
        return f"{stage}: no worker has reported; start one with: driftline worker --stage {stage}"
    fresh = [worker for worker in mine if now_ms - worker.at_ms <= FRESH_MS]
    if not fresh:
        last = max(mine, key=lambda worker: worker.at_ms)
        return f"{stage}: {last.worker} last reported {duration(now_ms - last.at_ms)} ago"
    if not any(worker.caught_up for worker in fresh):
        least = min(fresh, key=lambda worker: worker.lag)
        return f"{stage}: {least.worker} is {integer(least.lag)} records behind"
    return None


def router(metrics: Callable[[], bytes] | None) -> APIRouter:
    """Return the routes; ``/metrics`` only where there are some."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", response_class=PlainTextResponse, summary="Is the process alive?")
    async def healthz() -> str:
        return "ok\n"

    @routes.get(
        "/readyz",
        summary="Is every stage consuming and caught up?",
        responses={503: {"description": "the reasons, a sentence per stage"}},
    )
    async def readyz(context: ContextOf) -> JSONResponse:
        try:
            reasons = unready(await context.store.workers(), context.now_ms())
        except StoreUnavailable as error:
            reasons = [str(error)]
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    if metrics is not None:

        @routes.get("/metrics", response_class=Response, summary="Prometheus exposition")
        def exposition() -> Response:
            return Response(metrics(), headers={"content-type": CONTENT_TYPE_LATEST})

    return routes
