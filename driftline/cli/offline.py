"""Commands that need no broker: check, schemas, detectors; replay and reference over files."""

import json
import textwrap
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from detectors.registry import DETECTORS
from driftline import settings as configuration
from driftline.errors import ConfigError, Problem
from driftline.fleet import load_alerting
from driftline.monitors import load_folder
from streams.events import EVENTS

Folder = Annotated[Path | None, typer.Option(help="Folder of monitor files.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(check)
    app.command()(schemas)
    app.command()(detectors)


def check(
    monitors: Folder = None,
    alerting: Annotated[Path | None, typer.Option(help="Alertmanager-style file.")] = None,
) -> None:
    """Find every mistake in the config files at once: file, line, remedy. Exit 1 if there are any.

    Example: driftline check --monitors monitors --alerting alerting.yml
    """
    chosen = configuration.load()
    folder, file = monitors or chosen.monitors, alerting or chosen.alerting
    problems: list[Problem] = []
    watched = {}
    try:
        watched = load_folder(folder)
    except ConfigError as error:
        problems += error.problems
    try:
        load_alerting(file)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    names = ", ".join(sorted(watched)) or "none yet"
    Console().print(
        f"{len(watched)} monitors are fine ({names}); alerting: {file or 'the default, to the log'}"
    )


def schemas(
    event: Annotated[str | None, typer.Argument(help="prediction or label; both without.")] = None,
) -> None:
    """Print the JSON Schema of the events producers send.

    Example: driftline schemas prediction
    """
    if event is not None and event not in EVENTS:
        raise typer.BadParameter(f"{event!r} is no event; there are {', '.join(EVENTS)}")
    found = {name: model.model_json_schema() for name, model in EVENTS.items()}
    typer.echo(json.dumps(found if event is None else found[event], indent=2))


def detectors(
    name: Annotated[str | None, typer.Argument(help="Show one detector with its parameters.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the detectors, or explain one.

    Example: driftline detectors psi
    """
    if name is not None and name not in DETECTORS:
        raise typer.BadParameter(f"{name!r} is no detector; there are {', '.join(DETECTORS)}")
    chosen = {name: DETECTORS[name]} if name else dict(DETECTORS)
    if as_json:
        rows = [
            {
                "name": key,
                "kind": cls.kind,
                "default": cls.default,
                "params": cls.params_class.model_json_schema(),
            }
            for key, cls in chosen.items()
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    console = Console()
    if name:
        console.print(textwrap.dedent(DETECTORS[name].__doc__ or "").strip(), markup=False, highlight=False)
    table = (
        Table("parameter", "default", "meaning")
        if name
        else Table("detector", "alert kind", "default", "severity")
    )
    if name:
        for field, info in DETECTORS[name].params_class.model_fields.items():
            table.add_row(field, str(info.default), info.description or "")
    else:
        for key, cls in chosen.items():
            table.add_row(key, cls.kind, "on" if cls.default else "off", cls.severity)
    console.print(table)
