"""Runbooks as pages."""

import re

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from markdown_it import MarkdownIt
from markupsafe import Markup

import runbooks
from driftline.web.context import ContextOf

router = APIRouter(include_in_schema=False)
_HEADING = re.compile(r"^#\s+(.+)$", re.MULTILINE)


def rendered(text: str) -> Markup:
    """Return Markdown as HTML; HTML in it is shown as text, and links that could run code are not made."""
    return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))


@router.get("/runbooks", response_class=HTMLResponse)
def index(request: Request, context: ContextOf) -> HTMLResponse:
    """List every alert kind with its runbook's title."""
    return context.page(request, "runbooks.html", {"kinds": _titles(), "missing": None})


@router.get("/runbooks/{kind}", response_class=HTMLResponse)
def runbook(request: Request, context: ContextOf, kind: str) -> HTMLResponse:
    """Show one runbook, or what there is instead."""
    # Runbooks link each other as files, so that the links work in a repository's browser too.
    kind = kind.removesuffix(".md")
    text = runbooks.text(kind) if kind in runbooks.kinds() else None
    if text is None:
        return context.page(request, "runbooks.html", {"kinds": _titles(), "missing": kind}, 404)
    return context.page(request, "runbook.html", {"kind": kind, "body": rendered(text)})


def _titles() -> list[tuple[str, str]]:
    titles = []
    for kind in sorted(runbooks.kinds()):
        heading = _HEADING.search(runbooks.text(kind) or "")
        titles.append((kind, heading[1].strip() if heading else kind))
    return titles
