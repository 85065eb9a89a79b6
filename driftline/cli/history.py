"""Commands over files of history: replay, and the reference built from one."""

import os
from pathlib import Path
from typing import Annotated

import typer

from driftline import settings as configuration
from driftline.cli.tables import console
from driftline.errors import DriftlineError

Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE…", help="Parquet, CSV or JSON lines, in the order of time.", exists=False),
]
Map = Annotated[
    str,
    typer.Option(
        "--map", help="Which column holds what, field=column: ts=timestamp,prediction=y_pred_proba."
    ),
]

reference = typer.Typer(help="What the current window is held against.", no_args_is_help=True)


class OutputError(DriftlineError):
    """A file that would be written cannot be, or must not."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(replay)
    app.add_typer(reference, name="reference")


def replay(
    files: Files,
    monitors: Annotated[Path | None, typer.Option(help="Folder of monitor files.")] = None,
    alerting: Annotated[
        Path | None, typer.Option(help="Rehearse this alerting file: say what would have been sent.")
    ] = None,
    alerts_out: Annotated[
        Path | None, typer.Option(help="Write each alert's begin and end, JSON lines.")
    ] = None,
    verdicts_out: Annotated[Path | None, typer.Option(help="Write every verdict, JSON lines.")] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Labels: JSON lines, or a table with a column label; may be FILE itself."),
    ] = None,
    mapping: Map = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no summary.")] = False,
    comparing: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="budget=N,N…",
            help="Replay under each of these false alarms per week, in place of the monitors' own, and print a table.",
        ),
    ] = None,
    incidents: Annotated[
        Path | None,
        typer.Option(
            help="With --compare: incidents marked in YAML or CSV (name, model, start, end, features), to "
            "tell time to detect and false alarms."
        ),
    ] = None,
    grace: Annotated[
        str,
        typer.Option(
            help="With --incidents: so long after its end an alert may begin and belong to an incident."
        ),
    ] = "10m",
    as_json: Annotated[bool, typer.Option("--json", help="With --compare: print JSON, an object.")] = False,
) -> None:
    """Run files of predictions through the same pipeline, in event time, and send nothing.

    A table has one row per prediction and each feature a column of its own; JSON lines hold events as on
    the wire. Exit 0 also when alerts fired: they are the result. Exit 130 when stopped early by Ctrl-C.

    With --compare the files are read once and judged under each budget. It prints tables (or JSON) and
    writes nothing else; exit 1 after them when an incident lies outside of the data.

    Example: driftline replay november.parquet --monitors monitors --alerts-out alerts.jsonl

    Example: driftline replay november.parquet --compare budget=0.5,1,2 --incidents incidents.yaml
    """
    from alerts import duration
    from driftline.fleet import load_alerting
    from driftline.history.files import parse_mapping
    from driftline.monitors import load_folder
    from driftline.replay import ProgressBar
    from driftline.replay import replay as run
    from streams.alerting import Links
    from streams.collector import collect_seldom

    collect_seldom()
    chosen = configuration.load()
    _check_outputs(
        [path for path in (alerts_out, verdicts_out) if path is not None], [*files, *(labels or ())]
    )
    if comparing is None and (incidents is not None or as_json):
        raise typer.BadParameter(
            "it tells budgets apart; add --compare budget=0.5,1,2",
            param_hint=("--json" if incidents is None else "--incidents"),
        )
    if comparing is not None and (alerting or alerts_out or verdicts_out or labels):
        raise typer.BadParameter(
            "it prints tables alone, of what depends on the budget; leave --alerting, --labels, --alerts-out and "
            "--verdicts-out out, or replay one budget without it",
            param_hint="--compare",
        )
    watched = load_folder(monitors or chosen.monitors)
    if comparing is not None:
        from driftline.cli import comparing as tables

        tables.run(
            files, watched, comparing, incidents=incidents, grace_ms=duration.parse(grace),
            mapping=parse_mapping(mapping), quiet=quiet, as_json=as_json,
        )  # fmt: skip
        return
    with ProgressBar(files, quiet=quiet) as progress:
        report = run(
            files,
            watched,
            labels=labels or (),
            mapping=parse_mapping(mapping),
            alerting=None if alerting is None else load_alerting(alerting),
            links=Links(chosen.public_url),
            alerts_out=alerts_out,
            verdicts_out=verdicts_out,
            progress=progress,
        )
    if not quiet:
        for line in report.lines():
            console().print(line)
    if report.interrupted:
        raise typer.Exit(130)


@reference.command()
def build(
    files: Files,
    monitor: Annotated[Path, typer.Option(help="The model's monitor file.")],
    out: Annotated[Path, typer.Option(help="Where the reference goes; name it in the monitor file.")],
    mapping: Map = "",
) -> None:
    """Build a model's reference from data that is normal: held-out data, or production without incidents.

    Example: driftline reference build held_out.parquet --monitor monitors/churn.yaml --out monitors/churn.json
    """
    from detectors.sentence import quantity
    from driftline.configfile import yaml_text
    from driftline.history.files import parse_mapping
    from driftline.monitors import load_monitor
    from driftline.reference_build import build as run
    from streams.reference import dump

    _check_outputs([out], [*files, monitor])
    _, watched = load_monitor(monitor)
    built = run(
        files,
        watched,
        mapping=parse_mapping(mapping),
        note=lambda sentence: typer.secho(f"note: {sentence}", fg="yellow", err=True),
    )
    _replace(out, dump(built))
    typer.echo(f"{out}: reference of {built.model} from {quantity(built.rows, 'row')}")
    named = watched.reference_path(monitor.parent)
    if named is None or named.resolve() != out.resolve():
        # `check` takes it from the monitor's folder, wherever this command is run.
        path = os.path.relpath(out.resolve(), monitor.parent.resolve())
        typer.echo(f"to use it, write into {monitor}: reference: {{file: {yaml_text(path)}}}")


def _check_outputs(outputs: list[Path], inputs: list[Path]) -> None:
    """Refuse to write over what is read, or twice to one file."""
    known = {path.resolve(): path for path in inputs}
    for path in outputs:
        if path.resolve() in known:
            raise OutputError(f"{path} is read or written already by this command; name another file")
        known[path.resolve()] = path


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OutputError(
            f"{path}: cannot be written: {error.strerror}; name another file, or free some space"
        ) from error
