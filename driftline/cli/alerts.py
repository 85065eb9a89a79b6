"""``driftline alerts``: what fires now."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from driftline import settings as configuration
from driftline.cli.tables import AsJson, print_rows, printable
from driftline.errors import DriftlineError

if TYPE_CHECKING:
    from streams.connections import StoreAddress
    from streams.views import AlertRow

_COLUMNS = ("severity", "kind", "model", "version", "feature", "since", "summary", "cause")
_ORDER = ("critical", "warning", "info")


class UnknownModelError(DriftlineError):
    """No model of that name was seen."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(alerts)


def alerts(
    model: Annotated[str | None, typer.Option(help="Only the alerts of this model.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those lately resolved.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the alerts that fire now, the worst first; those without a model are Driftline's on itself.

    What to do about one stands in its runbook: <web>/runbooks/<kind>.

    Example: driftline alerts --model churn --all
    """
    from driftline import access

    found = asyncio.run(_read(access.store(configuration.load()), model))
    rows = sorted(
        (_row(alert) for alert in found if all_ or alert.status == "firing"),
        key=lambda row: (row["until"] is not None, _rank(row["severity"]), row["since"], row["model"]),
    )
    if rows or as_json:
        print_rows(rows, (*_COLUMNS[:6], "until", *_COLUMNS[6:]) if all_ else _COLUMNS, as_json=as_json)
    else:
        typer.echo("no alert" + (" in the store" if all_ else " is firing"))


async def _read(address: "StoreAddress", model: str | None) -> "list[AlertRow]":
    from driftline.web.store import Store

    store = Store(address)
    try:
        known = sorted(summary.model for summary in await store.summaries())
        if model is not None and model not in known:
            raise UnknownModelError(
                f"no model {model!r} was seen; there are: {', '.join(map(printable, known)) or 'none yet'}"
            )
        answers = await store.alerts(known if model is None else [model])
        itself = await store.fleet_alerts() if model is None else []
    finally:
        await store.close()
    return itself + [row for rows in answers.values() for row in rows]


def _row(alert: "AlertRow") -> dict[str, Any]:
    labels = {name: printable(value) for name, value in alert.labels.items()}
    return {
        "severity": labels.get("severity", ""),
        "kind": labels.get("alertname", ""),
        "model": labels.get("model", ""),
        "version": labels.get("version", ""),
        "feature": labels.get("feature", ""),
        "segment": labels.get("segment", ""),
        "status": alert.status,
        "since": alert.startsAt,
        "until": alert.endsAt if alert.status == "resolved" else None,
        "summary": printable(alert.annotations.get("summary", "")),
        "cause": printable(alert.annotations.get("cause", "")),
        "runbook": alert.annotations.get("runbook_url", ""),
    }


def _rank(severity: str) -> int:
    return _ORDER.index(severity) if severity in _ORDER else len(_ORDER)
