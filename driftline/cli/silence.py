"""``driftline silence``: keep alerts quiet for a while, with a reason and an end."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from driftline import settings as configuration
from driftline.cli.asking import AskedWrongly, By, asker, do
from driftline.cli.tables import AsJson, print_rows, printable

if TYPE_CHECKING:
    from alerts.silence import Silence
    from streams.connections import StoreAddress

app = typer.Typer(
    help="Keep alerts quiet for a while: during a deployment, or while somebody mends what they tell of.",
    no_args_is_help=True,
)


@app.command()
def add(
    matchers: Annotated[
        list[str],
        typer.Argument(
            help="Conditions on labels, with =, !=, =~ or !~ (regular expressions match whole values); an alert "
            "is silenced when all hold.",
            metavar="LABEL=VALUE...",
        ),
    ],
    comment: Annotated[str, typer.Option("--comment", "-c", help="Why, for those who wonder at the quiet.")],
    for_: Annotated[
        str, typer.Option("--for", "-d", help="How long, such as 30m, 4h, 1d12h; counted from its start.")
    ] = "1h",
    starts: Annotated[
        str, typer.Option(help="When it begins: after a duration (30m), or at a time (RFC 3339).")
    ] = "0s",
    by: By = None,
) -> None:
    """Add a silence: alerts that match are told to nobody until it ends, and stay visible.

    It ends early for an alert whose severity rises above what it was when silenced. What still fires at the end
    is told then. Labels: alertname (the kind of alert), model, version, feature, segment,
    severity, team.

    Example: driftline silence add model=churn 'alertname=~FeatureDrift|NewCategories' --for 4h -c "new CRM export"
    """
    from alerts.command import AddSilence

    now_ms = time.time_ns() // 1_000_000
    starts_at_ms = _start(starts, now_ms)
    asked = {
        "matchers": matchers, "starts_at_ms": starts_at_ms, "created_by": asker(by), "comment": comment,
        "ends_at_ms": (now_ms if starts_at_ms is None else starts_at_ms) + _duration(for_, "--for"),
    }  # fmt: skip
    do([asked], AddSilence)


@app.command("list")
def list_(
    all_: Annotated[
        bool, typer.Option("--all", help="Also those that were over in the last five days.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List silences, those that end first on top.

    Example: driftline silence list
    """
    from driftline import access
    from streams.views import rfc3339

    now_ms = time.time_ns() // 1_000_000
    found = asyncio.run(_read(access.store(configuration.load())))
    rows = [
        {
            "id": silence.id,
            "state": silence.state(now_ms),
            "matchers": printable(" ".join(silence.matchers)) if not as_json else list(silence.matchers),
            "starts": rfc3339(silence.starts_at_ms),
            "ends": rfc3339(silence.ends_at_ms),
            "by": printable(silence.created_by),
            "comment": printable(silence.comment),
        }
        for silence in sorted(found, key=lambda one: (one.ends_at_ms, one.id))
        if all_ or silence.state(now_ms) != "expired"
    ]
    if rows or as_json:
        print_rows(rows, ("id", "state", "ends", "by", "matchers", "comment"), as_json=as_json)
    else:
        typer.echo("no silence" + (" in the store" if all_ else " holds or waits"))


@app.command()
def extend(
    name: Annotated[str, typer.Argument(help="Id, as `driftline silence list` shows it.", metavar="ID")],
    for_: Annotated[
        str, typer.Option("--for", "-d", help="How much longer, from now on, such as 30m or 4h.")
    ] = "1h",
    comment: Annotated[
        str | None, typer.Option("--comment", "-c", help="Why it lasts longer; unless given, as before.")
    ] = None,
    by: By = None,
) -> None:
    """Have a silence end later (or earlier): so long from now on. It keeps its id, matchers and beginning.

    A silence warns 15 minutes before it ends where alerts that it holds still fire.

    Example: driftline silence extend 3f0c9c1e-6d0a-4b7e-9f43-0a5a4f5f9b11 --for 4h
    """
    from alerts.command import AddSilence
    from driftline import access

    now_ms = time.time_ns() // 1_000_000
    held = {one.id: one for one in asyncio.run(_read(access.store(configuration.load())))}.get(name)
    if held is None or held.state(now_ms) == "expired":
        raise AskedWrongly(
            f"no silence {printable(name)!r} holds or waits; `driftline silence list` shows those that do"
        )
    asked = {
        "silence_id": held.id, "matchers": held.matchers, "created_by": asker(by),
        "comment": held.comment if comment is None else comment,
        "starts_at_ms": held.starts_at_ms if held.starts_at_ms > now_ms else None,
        "ends_at_ms": now_ms + _duration(for_, "--for"),
    }  # fmt: skip
    do([asked], AddSilence)


@app.command()
def expire(
    silences: Annotated[list[str], typer.Argument(help="Ids, as `driftline silence list` shows them.")],
) -> None:
    """End silences now: what still fires is told at its group's next turn.

    Example: driftline silence expire 3f0c9c1e-6d0a-4b7e-9f43-0a5a4f5f9b11
    """
    from alerts.command import ExpireSilence

    do([{"silence_id": silence} for silence in silences], ExpireSilence)


async def _read(address: "StoreAddress") -> "list[Silence]":
    from driftline.web.store import Store

    store = Store(address)
    try:
        return list((await store.silences()).values())
    finally:
        await store.close()


def _start(text: str, now_ms: int) -> int | None:
    """Return when it begins; None is at once, by the desk's clock."""
    from driftline.web.times import epoch_ms

    if "T" in text:
        try:
            return epoch_ms(text)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--starts") from error
    wait_ms = _duration(text, "--starts")
    return now_ms + wait_ms if wait_ms else None


def _duration(text: str, option: str) -> int:
    from alerts import duration
    from alerts.errors import DurationError

    try:
        return duration.parse(text)
    except DurationError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
