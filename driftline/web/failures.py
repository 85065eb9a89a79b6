"""What is answered when something is missing or down: a kind page for people, JSON for programs."""

from collections.abc import Iterable
from difflib import get_close_matches

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from driftline.web.context import Context
from driftline.web.errors import StoreUnavailable


class UnknownModel(Exception):
    """A model was asked for that no event has named.

    Parameters
    ----------
    model
        The name asked for.
    known
        The names there are.
    """

    def __init__(self, model: str, known: Iterable[str]) -> None:
        super().__init__(model)
        self.model = model
        self.similar = get_close_matches(model, list(known), n=5, cutoff=0.5)


class UnknownAlert(Exception):
    """An alert was asked for that the desk does not know."""

    def __init__(self, fingerprint: str) -> None:
        super().__init__(fingerprint)
        kept = "those that are over are kept for a week, the last 1,000"
        self.sentence = f"the desk knows no alert {fingerprint[:80]!r}; {kept}"


def install(app: FastAPI) -> None:
    """Give the app its answers."""
    app.add_exception_handler(StoreUnavailable, _store_down)
    app.add_exception_handler(UnknownModel, _unknown_model)
    app.add_exception_handler(UnknownAlert, _unknown_alert)
    app.add_exception_handler(HTTPException, _refused)


async def _store_down(request: Request, error: Exception) -> Response:
    headers = {"retry-after": "5"}
    if _for_programs(request):
        return JSONResponse({"detail": str(error)}, 503, headers)
    response = _context(request).page(
        request,
        "message.html",
        {
            "title": "The store is out of reach",
            "text": str(error),
            "more": "Monitoring and alerts go on without it; only these pages wait. This one tries again.",
        },
        503,
    )
    response.headers.update(headers)
    return response


async def _unknown_model(request: Request, error: Exception) -> Response:
    assert isinstance(error, UnknownModel)
    context = _context(request)
    if _for_programs(request):
        root = request.scope.get("root_path", "")
        body = {
            "detail": f"no event of a model {error.model!r} has been seen",
            "similar": error.similar,
            "models": f"{root}/api/v1/models",
        }
        return JSONResponse(body, 404)
    return context.page(request, "unknown_model.html", {"model": error.model, "similar": error.similar}, 404)


async def _unknown_alert(request: Request, error: Exception) -> Response:
    assert isinstance(error, UnknownAlert)
    if _for_programs(request):
        return JSONResponse({"detail": error.sentence}, 404)
    values = {"title": "There is no such alert", "text": f"{error.sentence.capitalize()}.", "more": ""}
    return _context(request).page(request, "message.html", values, 404)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if _for_programs(request):
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
    titles = {404: "There is no such page", 405: "That is not how this page is asked for"}
    values = {
        "title": titles.get(error.status_code, "This did not work"),
        "text": f"{request.url.path} answered {error.status_code}: {error.detail}.",
        "more": "",
    }
    return _context(request).page(request, "message.html", values, error.status_code)


def _for_programs(request: Request) -> bool:
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return bool(path.startswith(("/api/", "/healthz", "/readyz", "/metrics")))


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context
