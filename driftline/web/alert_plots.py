"""Pictures of alerts' evidence, for messages: shown by Slack and PagerDuty, and by the page of an alert."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from fastapi.responses import Response

from alerts.alert import fingerprint as fingerprint_of
from alerts.notification import NotifiedAlert
from alerts.plot import png
from driftline.web.context import Context, ContextOf
from driftline.web.failures import UnknownAlert

router = APIRouter(prefix="/api/v1", tags=["v1"])


@router.get(
    "/alerts/{fingerprint}/plot.png",
    summary="An alert's current distribution in front of its reference",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}},
        404: {"description": "the desk holds no such alert, or its evidence has no distributions"},
    },
)
async def plot(
    context: ContextOf,
    fingerprint: Annotated[str, Path(description="id of the alert, its fingerprint as in /api/v2/alerts")],
) -> Response:
    """Return a picture of the newest evidence; it is there for a while after the alert is over, too."""
    alert = await held(context, fingerprint)
    if alert is None:
        raise UnknownAlert(fingerprint)
    drawn = await asyncio.to_thread(png, alert)
    if drawn is None:
        raise HTTPException(404, f"the evidence of alert {fingerprint} has no distributions to draw")
    # It is meant for others' pages, such as PagerDuty's; which alert it shows is in its address alone.
    headers = {"cross-origin-resource-policy": "cross-origin", "cache-control": "max-age=60"}
    return Response(drawn, media_type="image/png", headers=headers)


async def held(context: Context, fingerprint: str) -> NotifiedAlert | None:
    """Return an alert with its newest evidence: as the desk holds it, or, once it is over, as its model has it."""
    row = await context.store.desk_alert(fingerprint)
    if row is not None:
        return NotifiedAlert(
            fingerprint, row.status, row.labels, row.annotations, row.starts_at_ms, row.ends_at_ms
        )
    receipt = await context.store.receipt(fingerprint)
    if receipt is None or not (model := receipt.labels.get("model")):
        return None
    for over in (await context.store.alerts([model]))[model]:
        if fingerprint_of(over.labels) == fingerprint:
            times = receipt.starts_at_ms, receipt.ends_at_ms
            return NotifiedAlert(fingerprint, over.status, over.labels, over.annotations, *times)
    return None
