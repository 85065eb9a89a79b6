"""``driftline alerts report``: how much alerts ask of people."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from driftline import settings as configuration
from driftline.cli.tables import AsJson, print_rows, printable

if TYPE_CHECKING:
    from driftline.fatigue import TeamReport
    from streams.connections import StoreAddress

_COLUMNS = (
    "team", "pages", "00-08", "08-16", "16-24", "repeats", "alerts", "acted on", "self-resolved", "silenced hours",
)  # fmt: skip


def report(
    days: Annotated[int, typer.Option(min=1, max=7, help="How far back; the record keeps a week.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Report how much alerts ask of each team, and whether they are acted on.

    Pages are notifications that a receiver took, by shifts of eight hours (UTC). Acted on: acknowledged or silenced
    by a person. Self-resolved: over within five minutes, with nobody acting. As complete as the receipts are.

    Example: driftline alerts report --days 7
    """
    from driftline import access

    now_ms = time.time_ns() // 1_000_000
    found = asyncio.run(_read(access.store(configuration.load()), days, now_ms))
    if as_json:
        print_rows([one.model_dump() for one in found], (), as_json=True)
    elif found:
        print_rows([_row(one) for one in found], _COLUMNS, as_json=False)
    else:
        typer.echo("no alert in that time")


async def _read(address: "StoreAddress", days: int, now_ms: int) -> "list[TeamReport]":
    from driftline import fatigue
    from driftline.web.store import Store

    store = Store(address)
    try:
        receipts, silences = await store.receipts(), await store.silences()
    finally:
        await store.close()
    return fatigue.report(receipts, silences, now_ms - days * fatigue.DAY_MS, now_ms)


def _row(one: "TeamReport") -> dict[str, Any]:
    return {
        "team": printable(one.team) or "(none)", "pages": sum(one.pages.values()), **one.pages, "repeats": one.repeats,
        "alerts": one.alerts, "acted on": one.acted_on, "self-resolved": one.self_resolved,
        "silenced hours": one.silenced_hours,
    }  # fmt: skip
