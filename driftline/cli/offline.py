"""Commands that need no broker: check, schemas, detectors."""

import inspect
import json
from pathlib import Path
from typing import Annotated

import typer

from driftline import settings as configuration
from driftline.cli.tables import AsJson, print_rows
from driftline.errors import ConfigError, Problem

_EXPLAIN = "explain"
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

    What is read, but should be written otherwise, is a warning on stderr.

    Example: driftline check --monitors monitors --alerting alerting.yml
    """
    from driftline.fleet import load_alerting
    from driftline.monitors import load_folder

    chosen = configuration.load()
    folder, file = monitors or chosen.monitors, alerting or chosen.alerting
    problems: list[Problem] = []
    warnings: list[Problem] = []
    watched = {}
    try:
        watched = load_folder(folder)
    except ConfigError as error:
        problems += error.problems
    try:
        load_alerting(file, warnings.append)
    except ConfigError as error:
        problems += error.problems
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    if problems:
        raise ConfigError(problems)
    names = ", ".join(sorted(watched)) or "none yet"
    typer.echo(f"monitors: {names}; alerting: {file or 'none, alerts go to the log'}; no mistake found")


def schemas(
    event: Annotated[str | None, typer.Argument(help="prediction or label; both without.")] = None,
) -> None:
    """Print the JSON Schema of the events producers send.

    Example: driftline schemas prediction
    """
    from streams.events import EVENTS

    if event is not None and event not in EVENTS:
        raise typer.BadParameter(f"{event!r} is no event; there are {', '.join(EVENTS)}")
    found = {name: model.model_json_schema() for name, model in EVENTS.items()}
    typer.echo(json.dumps(found if event is None else found[event], indent=2))


def detectors(
    name: Annotated[
        str | None, typer.Argument(help="Show one detector with its parameters; explain: see --monitor.")
    ] = None,
    monitor: Annotated[
        Path | None, typer.Option(help="A monitor file: its thresholds in force, and why.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the detectors, show one, or explain the thresholds of a monitor.

    Example: driftline detectors psi

    Example: driftline detectors explain --monitor monitors/churn.yaml
    """
    from detectors.registry import DETECTORS

    if name is not None and name not in (*DETECTORS, _EXPLAIN):
        raise typer.BadParameter(f"{name!r} is no detector; there are {', '.join(DETECTORS)}")
    if monitor is not None:
        _explain(monitor, None if name == _EXPLAIN else name, as_json=as_json)
        return
    if name == _EXPLAIN:
        raise typer.BadParameter("say of which monitor: driftline detectors explain --monitor FILE")
    rows = [
        {
            "detector": key,
            "alert kind": cls.kind,
            "default": "on" if cls.default else "off",
            "severity": cls.severity,
            "params": cls.params_class.model_json_schema(),
        }
        for key, cls in DETECTORS.items()
        if name in (None, key)
    ]
    if name is None or as_json:
        print_rows(rows, ("detector", "alert kind", "default", "severity"), as_json=as_json)
        return
    typer.echo(inspect.cleandoc(DETECTORS[name].__doc__ or "") + "\n")
    parameters = [
        {"parameter": field, "default": info.default, "meaning": info.description or ""}
        for field, info in DETECTORS[name].params_class.model_fields.items()
    ]
    print_rows(parameters, ("parameter", "default", "meaning"), as_json=False)


def _explain(monitor: Path, name: str | None, *, as_json: bool) -> None:
    from detectors.sentence import figure
    from driftline.monitors import load_file
    from driftline.thresholds import explain
    from streams.segment_values import remarks

    watched = load_file(monitor)
    rows = [row for row in explain(watched) if name in (None, row["detector"])]
    if not as_json:
        rows = [row | {"threshold": figure(row["threshold"])} for row in rows]
    print_rows(rows, ("detector", "feature", "threshold", "why"), as_json=as_json)
    if name is None and not as_json:
        for sentence in remarks(watched.monitor, watched.layout):
            typer.echo(sentence)
