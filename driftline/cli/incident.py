"""``driftline incident``: what fired together, from the desk's record, and a post-mortem draft of it."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from driftline import settings as configuration
from driftline.cli.tables import AsJson, print_rows, printable
from driftline.errors import DriftlineError

if TYPE_CHECKING:
    from driftline.incidents import Incident
    from streams.connections import StoreAddress
    from streams.receipt_views import ReceiptRow

_COLUMNS = ("id", "began", "ended", "alerts", "group")


class UnknownGroupError(DriftlineError):
    """The desk's record has no group of that name."""


class NotWritten(DriftlineError):
    """The draft could not be written where it was wanted."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(incident)


def incident(
    group: Annotated[
        str, typer.Argument(help="A group's id or key; or the word list: all groups there are.")
    ] = "list",
    draft: Annotated[
        bool,
        typer.Option("--post-mortem", help="Write a post-mortem draft of its last incident, in Markdown."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Where the draft goes; unless given, to standard output.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List incidents: alerts of a group that fired together, or soon after each other; or draft a post-mortem of one.

    The record goes back a week, to the last 1,000 alerts that are over.

    Example: driftline incident 9a3f0c2d7be41658 --post-mortem --out post-mortem.md
    """
    from driftline import access
    from driftline.incidents import incidents, latest
    from driftline.post_mortem import post_mortem

    receipts = asyncio.run(_read(access.store(configuration.load())))
    found = latest(receipts) if group == "list" else incidents(receipts, group)
    if group != "list" and not found:
        raise UnknownGroupError(
            f"no group {printable(group)!r} in the record; `driftline incident list` shows all"
        )
    if not draft or group == "list":
        _print(found, as_json=as_json)
        return
    text = post_mortem(found[-1], time.time_ns() // 1_000_000)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise NotWritten(f"cannot write {out}: {error.strerror}; choose another place with --out") from error
    typer.echo(f"wrote {out}")


async def _read(address: "StoreAddress") -> "list[ReceiptRow]":
    from driftline.web.store import Store

    store = Store(address)
    try:
        return await store.receipts()
    finally:
        await store.close()


def _print(found: "list[Incident]", *, as_json: bool) -> None:
    if found or as_json:
        print_rows([_row(one) for one in found], _COLUMNS, as_json=as_json)
    else:
        typer.echo("no incident in the record")


def _row(one: "Incident") -> dict[str, Any]:
    from alerts.book import identify
    from streams.views import rfc3339

    return {
        "id": identify(one.group),
        "group": printable(one.group),
        "began": rfc3339(one.began_ms),
        "ended": None if one.ended_ms is None else rfc3339(one.ended_ms),
        "alerts": len({episode.alert.fingerprint for episode in one.episodes}),
    }
