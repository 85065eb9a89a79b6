"""The JSON API, version 1: people script against it, so that fields are only ever added."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import BeforeValidator, WithJsonSchema

from driftline import fatigue
from driftline.web.context import Context, ContextOf, ModelName
from driftline.web.failures import UnknownAlert, UnknownModel
from driftline.web.inspection import alerts_in_order
from driftline.web.shown_alerts import ShownAlert, firing, held
from driftline.web.store import pane_lines
from driftline.web.times import epoch_ms
from streams.receipt_views import ReceiptRow
from streams.views import ModelSummary, ModelView, PaneRow, VerdictRow

DESCRIPTION = (
    "Current state and the recent past of every model. Times are UTC. Fields are only ever added, so ignore "
    "those you do not know. Status 503 means that the store is out of reach; try again after Retry-After "
    "seconds."
)

Instant = Annotated[
    int,
    BeforeValidator(epoch_ms),
    WithJsonSchema({"type": "string", "examples": ["2026-11-23T09:00:00Z", "1795424400000"]}),
]
_SUMMARY_EXAMPLE = {
    "model": "churn",
    "team": "growth",
    "state": "ok",
    "versions": ["1.4.2"],
    "events_per_second": 120.4,
    "error_rate": 0.002,
    "invalid_rate": 0.0,
    "latency_p99_ms": 213.0,
    "firing": 0,
    "updated_ms": 1795424410000,
}
_PANE_EXAMPLE = {
    "start": "2026-11-23T09:00:00.000Z",
    "end": "2026-11-23T09:00:10.000Z",
    "version": "1.4.2",
    "segment": "",
    "events": 1204,
    "invalid": 1,
    "late": 0,
    "errors": 2,
    "features": {"age": {"count": 1204, "missing": 0, "mean": 41.2}},
}
_VERDICT_EXAMPLE = {
    "at": "2026-11-23T09:00:10.000Z",
    "model": "churn",
    "version": "1.4.2",
    "detector": "psi",
    "kind": "FeatureDrift",
    "feature": "age",
    "segment": "",
    "status": "firing",
    "score": 0.31,
    "threshold": 0.2,
    "firing": True,
    "samples": 14_203,
    "sentence": "age has moved: PSI 0.31 > 0.2",
    "evidence": {},
}
router = APIRouter(prefix="/api/v1", tags=["v1"])


def _example(value: Any) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"content": {"application/json": {"example": value}}},
        503: {"description": "the store is out of reach"},
    }


_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "no event of that model has been seen"}}


@router.get("/models", summary="All models with their state", responses=_example([_SUMMARY_EXAMPLE]))
async def models(context: ContextOf) -> list[ModelSummary]:
    """Return a line per model, by name."""
    return sorted(await context.store.summaries(), key=lambda summary: summary.model)


@router.get("/alerts", summary="Active alerts of all models, and of Driftline itself")
async def alerts(
    context: ContextOf, model: Annotated[str | None, Query(description="only this model's")] = None
) -> list[ShownAlert]:
    """Return the alerts that fire now: the most severe, then the newest first.

    `untold` says what keeps one from being told, `ack` who looks after it.
    """
    if model is not None:
        await _must_know(context, model)
    desk = await held(context.store)
    return alerts_in_order(await firing(context.store, desk, context.now_ms(), model), "firing")


@router.get("/report", summary="How much alerts ask of each team")
async def fatigue_report(
    context: ContextOf,
    days: Annotated[int, Query(ge=1, le=7, description="how far back; the record keeps a week")] = 7,
) -> list[fatigue.TeamReport]:
    """Return a row per team: pages by shift, repeats, what was acted on, what was over by itself, silenced hours."""
    receipts, silences, now_ms = (
        await context.store.receipts(),
        await context.store.silences(),
        context.now_ms(),
    )
    return fatigue.report(receipts, silences, now_ms - days * fatigue.DAY_MS, now_ms)


@router.get("/alerts/{fingerprint}", summary="What the desk decided about an alert, in order",
            responses={404: {"description": "the desk knows no such alert"}})  # fmt: skip
async def receipt(
    context: ContextOf,
    fingerprint: Annotated[str, Path(description="id of the alert, its fingerprint as in /api/v2/alerts")],
) -> ReceiptRow:
    """Return the delivery receipt of an alert; it stays for a week after the alert is over."""
    found = await context.store.receipt(fingerprint)
    if found is None:
        raise UnknownAlert(fingerprint)
    return found


@router.get("/models/{m:path}/panes", summary="Closed panes, oldest first", response_model=list[PaneRow],
            responses=_example([_PANE_EXAMPLE]) | _UNKNOWN)  # fmt: skip
async def panes(
    context: ContextOf,
    model: ModelName,
    from_: Annotated[Instant | None, Query(alias="from", description="panes that end after this")] = None,
    to: Annotated[Instant | None, Query(description="panes that end at this or before")] = None,
    version: Annotated[str | None, Query(description="only this version's")] = None,
    segment: Annotated[str | None, Query(description="only this segment's; empty for the whole")] = None,
) -> Response:
    """Return closed panes that end in (from, to]: consecutive questions neither repeat nor miss one."""
    await _must_know(context, model)
    rows = await context.store.panes(model, from_, to)
    if version is not None or segment is not None:
        rows = [
            row
            for row in rows
            for line in pane_lines([row])
            if version in (None, line.version) and segment in (None, line.segment)
        ]
    # Stored rows are the answer's shape already: reading and writing thousands anew would only cost.
    return Response(b"[" + b",".join(rows) + b"]", media_type="application/json")


@router.get("/models/{m:path}/verdicts", summary="Latest verdict of each detector and feature",
            responses=_example([_VERDICT_EXAMPLE]) | _UNKNOWN)  # fmt: skip
async def verdicts(context: ContextOf, model: ModelName) -> list[VerdictRow]:
    """Return verdicts by detector, feature, version and segment. Higher scores are worse."""
    await _must_know(context, model)
    rows = await context.store.verdicts(model)
    return sorted(rows, key=lambda row: (row.detector, row.feature, row.version, row.segment))


@router.get("/models/{m:path}/alerts", summary="A model's alerts", responses=_UNKNOWN)
async def model_alerts(
    context: ContextOf,
    model: ModelName,
    status: Annotated[
        Literal["firing", "resolved"] | None, Query(description="only these; both without it")
    ] = None,
) -> list[ShownAlert]:
    """Return alerts that fire, then those lately resolved."""
    await _must_know(context, model)
    desk, now_ms = await held(context.store), context.now_ms()
    rows = [desk.show(row, now_ms) for row in (await context.store.alerts([model]))[model]]
    wanted = ("firing", "resolved") if status is None else (status,)
    return [row for each in wanted for row in alerts_in_order(rows, each)]


@router.get(
    "/models/{m:path}", summary="A model's current windows, reference beside them", responses=_UNKNOWN
)
async def model(context: ContextOf, model: ModelName) -> ModelView:
    """Return the summary and one window per version and segment; no window before the first pane closed."""
    found = await context.store.model(model)
    if found is None:
        raise await unknown(context, model)
    summary, view = found
    return view or ModelView(summary=summary, windows=[])


async def unknown(context: Context, model: str) -> UnknownModel:
    """Return the error that names what there is instead of `model`."""
    return UnknownModel(model, [summary.model for summary in await context.store.summaries()])


async def _must_know(context: Context, model: str) -> None:
    if not await context.store.knows(model):
        raise await unknown(context, model)
