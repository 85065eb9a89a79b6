"""The pages: the fleet, one model, the API's description, and the files they load."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response

import runbooks
from driftline.web import fleet, inspection, plots, shown_alerts
from driftline.web.api_v1 import unknown
from driftline.web.context import STATIC_TYPES, Context, ContextOf, ModelName
from driftline.web.health import unready
from driftline.web.numerals import milliseconds, percent
from driftline.web.store import pane_lines
from driftline.web.timeline import Slot, timeline, totals
from streams.views import AlertRow, ModelSummary, rfc3339

#: Columns of a chart: more cannot be told apart.
COLUMNS = 120
router = APIRouter(include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
async def overview(
    request: Request,
    context: ContextOf,
    q: Annotated[str, Query(max_length=200)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> HTMLResponse:
    """Show the fleet, what is wrong first."""
    models, workers, itself, desk = await asyncio.gather(
        context.store.summaries(),
        context.store.workers(),
        context.store.fleet_alerts(),
        shown_alerts.held(context.store),
    )
    chosen = fleet.choose(models, q=q, state=state, page=page)
    pulses, reasons = await asyncio.gather(context.pulse.of(chosen.rows), _reasons(context, chosen.rows))
    values = {
        "fleet": chosen,
        "q": q,
        "state": state,
        "pulses": pulses,
        "reasons": reasons,
        "workers": workers,
        "unready": unready(workers, context.now_ms()),
        "itself": [desk.show(one, context.now_ms()) for one in inspection.alerts_in_order(itself, "firing")],
        "kinds": set(runbooks.kinds()),
        "topic": context.topic,
        "brokers": context.brokers,
        "sample_ts": rfc3339(context.now_ms()),
    }
    return context.page(request, "fleet.html", values)


@router.get("/models/{m:path}", response_class=HTMLResponse)
async def model(
    request: Request,
    context: ContextOf,
    model: ModelName,
    version: Annotated[str, Query(max_length=500)] = "",
    segment: Annotated[str, Query(max_length=500)] = "",
    span: Annotated[str, Query(max_length=10)] = "30m",
) -> HTMLResponse:
    """Show one model: its alerts, its course, its features against their reference."""
    found = await context.store.model(model)
    if found is None:
        raise await unknown(context, model)
    summary, view = found
    window = inspection.window_of(view, version, segment) if view else None
    version, segment = (window.version, window.segment) if window else ("", "")
    span = span if span in inspection.SPANS else "30m"
    slots, verdicts, alerts, desk = await asyncio.gather(
        _slots(context, model, version, segment, inspection.SPANS[span]),
        context.store.verdicts(model),
        context.store.alerts([model]),
        shown_alerts.held(context.store),
    )
    shown = [desk.show(alert, context.now_ms()) for alert in alerts[model]]
    judged = inspection.worst_first(verdicts, version, segment)
    values = {
        "summary": summary,
        "view": view,
        "window": window,
        "version": version,
        "segment": segment,
        "span": span,
        "spans": list(inspection.SPANS),
        "charts": _charts(slots, version),
        "verdicts": judged,
        "prediction": inspection.tiles(window.prediction, judged) if window else [],
        "features": inspection.tiles(window.features, judged) if window else [],
        "firing": inspection.alerts_in_order(shown, "firing"),
        "resolved": inspection.alerts_in_order(shown, "resolved"),
        "kinds": set(runbooks.kinds()),
    }
    return context.page(request, "model.html", values)


@router.get("/api", response_class=HTMLResponse)
async def api(request: Request, context: ContextOf) -> HTMLResponse:
    """Describe the API, from its own OpenAPI document."""
    return context.page(request, "api.html", {"document": request.app.openapi()})


@router.get("/static/{name}")
async def static(context: ContextOf, name: str) -> Response:
    """Serve a file of ours; its URL changes with its content, so that it may be kept for ever."""
    if name not in context.static:
        raise HTTPException(404)
    kind = STATIC_TYPES[name[name.rindex(".") :]]
    return Response(
        context.static[name],
        headers={"content-type": kind, "cache-control": "public, max-age=31536000, immutable"},
    )


async def _reasons(context: Context, rows: list[ModelSummary]) -> dict[str, AlertRow]:
    """Return the first thing to know of each model that fires."""
    names = [row.model for row in rows if row.firing]
    alerts = await context.store.alerts(names) if names else {}
    ordered = {name: inspection.alerts_in_order(found, "firing") for name, found in alerts.items()}
    return {name: found[0] for name, found in ordered.items() if found}


async def _slots(context: Context, model: str, version: str, segment: str, span_ms: int) -> list[Slot]:
    newest_ms = await context.store.newest_pane_ms(model)
    if newest_ms is None:
        return []
    rows = await context.store.panes(model, newest_ms - span_ms, None)
    return timeline(totals(pane_lines(rows), version, segment), COLUMNS)


def _charts(slots: list[Slot], version: str) -> list[dict[str, Any]]:
    shared = version and any(slot.invalid for slot in slots)
    unit = "share of events; invalid ones that name no version count in each" if shared else "share of events"
    shares = [
        plots.Line(kind, kind, [slot.share(getattr(slot, kind)) for slot in slots])
        for kind in ("errors", "invalid", "late")
    ]
    latency = [
        plots.Line(name, name, [getattr(slot, f"{name}_ms") for slot in slots])
        for name in ("p50", "p95", "p99")
    ]
    charts = [
        ("Volume", "events per second", plots.volume(slots)),
        ("Errors, invalid, late", unit, plots.lines("Share of events", slots, shares, percent)),
        ("Latency", "p95 and p99 of the worst pane", plots.lines("Latency", slots, latency, milliseconds)),
    ]
    return [{"title": title, "unit": unit, "svg": svg} for title, unit, svg in charts]
