"""The pages of alerts: all that fire, the silences, and what the desk decided about one of them, in order."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

import runbooks
from alerts.links import silence_path
from alerts.pictures import plot_path
from driftline.web import shown_alerts
from driftline.web.alert_plots import held
from driftline.web.alertmanager import in_order
from driftline.web.context import ContextOf
from driftline.web.failures import UnknownAlert
from driftline.web.inspection import alerts_in_order

#: Alerts, and silences, that a page shows.
SHOWN = 500
router = APIRouter(include_in_schema=False)


@router.get("/alerts", response_class=HTMLResponse)
async def alerts(request: Request, context: ContextOf) -> HTMLResponse:
    """List what fires, with what keeps it from being told and who looks after it, and the silences."""
    desk, now_ms = await shown_alerts.held(context.store), context.now_ms()
    found = alerts_in_order(await shown_alerts.firing(context.store, desk, now_ms), "firing")
    silences = [one for one in in_order(desk.silences.values(), now_ms) if one.state(now_ms) != "expired"]
    values = {
        "alerts": found[:SHOWN],
        "total": len(found),
        "untold": sum(1 for alert in found if alert.untold),
        "silences": [(one, one.state(now_ms), desk.held_by(one, now_ms)) for one in silences[:SHOWN]],
        "all_silences": len(silences),
        "kinds": set(runbooks.kinds()),
    }
    return context.page(request, "alerts.html", values)


@router.get("/alerts/{fingerprint}", response_class=HTMLResponse)
async def receipt(request: Request, context: ContextOf, fingerprint: str) -> HTMLResponse:
    """Show an alert's delivery receipt."""
    found = await context.store.receipt(fingerprint)
    if found is None:
        raise UnknownAlert(fingerprint)
    alert = await held(context, fingerprint)
    values = {
        "receipt": found,
        "kinds": set(runbooks.kinds()),
        "plot": plot_path(fingerprint) if alert is not None and alert.evidence.labels else "",
        "silence": silence_path(found.labels) if found.status == "firing" else "",
    }
    return context.page(request, "receipt.html", values)
