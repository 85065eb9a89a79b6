"""The page of an alert: what the desk decided about it, in order."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

import runbooks
from driftline.web.context import ContextOf
from driftline.web.failures import UnknownAlert

router = APIRouter(include_in_schema=False)


@router.get("/alerts/{fingerprint}", response_class=HTMLResponse)
async def receipt(request: Request, context: ContextOf, fingerprint: str) -> HTMLResponse:
    """Show an alert's delivery receipt."""
    found = await context.store.receipt(fingerprint)
    if found is None:
        raise UnknownAlert(fingerprint)
    return context.page(request, "receipt.html", {"receipt": found, "kinds": set(runbooks.kinds())})
