"""``driftline alerts``: what fires now; ``show``: its receipt; ``ack`` and ``unack``: who looks after it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from driftline import settings as configuration
from driftline.cli import fatigue, receipt
from driftline.cli.asking import By, asker, do
from driftline.cli.tables import AsJson, print_rows, printable
from driftline.errors import DriftlineError

if TYPE_CHECKING:
    from streams.connections import StoreAddress
    from streams.views import AlertRow

_COLUMNS = (
    "severity", "kind", "model", "version", "feature", "since", "id", "ack", "state", "untold", "summary", "cause",
)  # fmt: skip
_ORDER = ("critical", "warning", "info")


class UnknownModelError(DriftlineError):
    """No model of that name was seen."""


app = typer.Typer(invoke_without_command=True)
app.command()(receipt.show)
app.command()(fatigue.report)

Target = Annotated[
    list[str],
    typer.Argument(
        help="Ids of alerts, as `driftline alerts` shows them; or the key of a group, for all of it.",
        metavar="ID|GROUP...",
    ),
]


@app.callback()
def alerts(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="Only the alerts of this model.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those lately resolved.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the alerts that fire now, the worst first: Driftline's own, and those that others push.

    Those without a model are on Driftline itself, or pushed.

    What to do about one stands in its runbook: <web>/runbooks/<kind>. `untold` says what keeps one from being
    told: an alert that inhibits it, a silence, a time interval of its route; `state` that it flaps, and so is
    held as firing, or that there is no data, and so it stands as it was.

    Example: driftline alerts --model churn --all
    """
    if context.invoked_subcommand is not None:
        return
    from driftline import access

    found, held = asyncio.run(_read(access.store(configuration.load()), model))
    rows = sorted(
        (
            row
            for name, alert in found
            if (row := _row(name, alert, held))["state"] or all_ or alert.status == "firing"
        ),
        key=lambda row: (row["until"] is not None, _rank(row["severity"]), row["since"], row["model"]),
    )
    if rows or as_json:
        print_rows(rows, (*_COLUMNS[:6], "until", *_COLUMNS[6:]) if all_ else _COLUMNS, as_json=as_json)
    else:
        typer.echo("no alert" + (" in the store" if all_ else " is firing"))


@app.command()
def ack(
    targets: Target,
    by: By = None,
    comment: Annotated[
        str, typer.Option("--comment", "-c", help="What you found, or do, for those who look next.")
    ] = "",
) -> None:
    """Say that you look after alerts: they are repeated to nobody while all of their group are acknowledged.

    News is told all the same: a rise of severity (which takes the ack away), alerts that join, and ends.
    To have an alert told to nobody at all, silence it.

    Example: driftline alerts ack 0a1b2c3d4e5f6071 -c "rolling back 1.4.2"
    """
    from alerts.command import Acknowledge

    do([{"target": target, "by": asker(by), "comment": comment} for target in targets], Acknowledge)


@app.command()
def unack(targets: Target, by: By = None) -> None:
    """Take an ack back: what fires is repeated again.

    Example: driftline alerts unack 0a1b2c3d4e5f6071
    """
    from alerts.command import Unacknowledge

    do([{"target": target, "by": asker(by)} for target in targets], Unacknowledge)


async def _read(
    address: "StoreAddress", model: str | None
) -> "tuple[list[tuple[str, AlertRow]], dict[str, _Held]]":
    """Return the alerts with their fingerprints, and what the desk holds of each."""
    from alerts.alert import fingerprint
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
        rows, silences, now_ms = (
            await store.desk_alerts(),
            await store.silences(),
            time.time_ns() // 1_000_000,
        )
    finally:
        await store.close()
    held = {
        row.fingerprint: _Held(
            row.ack.by if row.ack else "", row.untold(silences, now_ms), row.state, row.generator_url
        )
        for row in rows
    }
    own = itself + [row for rows in answers.values() for row in rows]
    pushed = [row for row in rows if row.pushed and model in (None, row.labels.get("model", ""))]
    return [(fingerprint(row.labels), row) for row in own] + [
        (row.fingerprint, row.shown()) for row in pushed
    ], held


class _Held(NamedTuple):
    """Who looks after an alert, what keeps it from being told, how else it stands, where a pushed one comes from."""

    ack: str = ""
    untold: Sequence[str] = ()
    state: str = ""
    generator_url: str = ""


def _row(name: str, alert: "AlertRow", held: Mapping[str, _Held]) -> dict[str, Any]:
    known = held.get(name, _Held())
    labels = {name: printable(value) for name, value in alert.labels.items()}
    return {
        "id": name,
        "ack": printable(known.ack),
        "state": printable(known.state),
        "untold": printable("; ".join(known.untold)),
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
        "generator": printable(known.generator_url),
    }


def _rank(severity: str) -> int:
    return _ORDER.index(severity) if severity in _ORDER else len(_ORDER)
