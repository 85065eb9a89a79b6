"""``driftline alerts show``: the way of an alert through the desk, decision by decision."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from driftline import settings as configuration
from driftline.cli.tables import print_rows, printable
from driftline.errors import DriftlineError

if TYPE_CHECKING:
    from streams.connections import StoreAddress
    from streams.receipt_views import ReceiptRow, Step

_COLUMNS = ("at", "decision", "where", "detail")


class UnknownAlertError(DriftlineError):
    """The desk knows no alert of that id."""


def show(
    fingerprint: Annotated[
        str, typer.Argument(help="Id of the alert, as `driftline alerts` shows it.", metavar="ID")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, an object, for scripts.")] = False,
) -> None:
    """Show what the desk decided about an alert, in order: its delivery receipt.

    Since when it was pending, into which group it went, what kept it from being told, to whom it was sent
    when and under which id, what was tried again and why, who looks after it, and when it was over. It stays for a
    week after that.

    Example: driftline alerts show 0a1b2c3d4e5f6071
    """
    from driftline import access

    found = asyncio.run(_read(access.store(configuration.load()), fingerprint))
    if found is None:
        raise UnknownAlertError(
            f"the desk knows no alert {printable(fingerprint)!r}; `driftline alerts --all` lists ids. Those over are "
            "kept for a week, the last 1,000"
        )
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    for line in _heading(found):
        typer.echo(line)
    typer.echo("")
    print_rows([_row(step) for step in found.steps], _COLUMNS, as_json=False)
    if found.left_out:
        typer.echo(f"{found.left_out:,} decisions after the first dozen are left out")


async def _read(address: "StoreAddress", fingerprint: str) -> "ReceiptRow | None":
    from driftline.web.store import Store

    store = Store(address)
    try:
        return await store.receipt(fingerprint)
    finally:
        await store.close()


def _heading(row: "ReceiptRow") -> list[str]:
    from streams.views import rfc3339

    named = (
        row.labels.get(name, "")
        for name in ("severity", "alertname", "model", "version", "feature", "segment")
    )
    lines = [f"{row.status}: {' '.join(text for text in named if text)}", row.annotations.get("summary", "")]
    if row.pending_since_ms is not None:
        lines.append(f"pending since {rfc3339(row.pending_since_ms)}")
    over = "" if row.ends_at_ms is None else f", over since {rfc3339(row.ends_at_ms)}"
    lines.append(f"fires since {rfc3339(row.starts_at_ms)}{over}")
    lines += [f"group {key}" for key in row.groups]
    if row.ack is not None:
        comment = f": {row.ack.comment}" if row.ack.comment else ""
        lines.append(f"acknowledged by {row.ack.by} at {rfc3339(row.ack.at_ms)}{comment}")
    return [printable(line) for line in lines if line]


def _row(step: "Step") -> dict[str, Any]:
    from streams.views import rfc3339

    again = "" if step.since_ms is None else f"{step.times} times since {rfc3339(step.since_ms)}"
    message = f"notification {step.message}" if step.message else ""
    return {
        "at": rfc3339(step.at_ms),
        "decision": printable(step.text),
        "where": printable(step.where),
        "detail": printable("; ".join(part for part in (step.detail, again, message) if part)),
    }
