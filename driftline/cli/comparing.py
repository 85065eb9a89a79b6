"""`driftline replay --compare`: the tables, or JSON."""

import json
from pathlib import Path

import typer
from rich import box
from rich.table import Table

from alerts import duration
from driftline.cli.tables import console, printable
from driftline.replay import ProgressBar
from driftline.replay.comparison import Comparison, check_within, compare, parse_budgets
from driftline.replay.incident_file import load_incidents
from driftline.replay.matching import Detection
from driftline.replay.trial import Trial
from streams.stages.fleet import Watched

_NONE = "-"


def run(
    files: list[Path],
    watched: dict[str, Watched],
    budgets: str,
    *,
    incidents: Path | None,
    grace_ms: int,
    mapping: dict[str, str],
    quiet: bool,
    as_json: bool,
) -> None:
    """Compare budgets and print what they came to; what was asked wrongly is said before any row is read."""
    wanted = parse_budgets(budgets)
    marked = None if incidents is None else load_incidents(incidents, watched)
    with ProgressBar(files, quiet=quiet) as progress:
        found = compare(
            files, watched, wanted, incidents=marked, grace_ms=grace_ms, mapping=mapping, progress=progress
        )
    if as_json:
        typer.echo(json.dumps(found.as_data(), indent=2, ensure_ascii=False))
    elif not quiet:
        _print(found)
    if incidents is not None:
        check_within(found, incidents)
    if found.report.interrupted:
        raise typer.Exit(130)


def _print(found: Comparison) -> None:
    out, trials = console(), found.trials
    for line in found.report.of_the_data():
        out.print(line)
    out.print("")
    out.print(_overview(found))
    kinds = sorted({kind for one in trials for kind in one.kinds})
    if kinds:
        out.print("\nAlerts a week, by kind" if trials[0].weeks else "\nAlerts, by kind")
        rows = [[kind, *(_rate(one, one.kinds[kind]) for one in trials)] for kind in kinds]
        out.print(_table(["kind", *_headings(trials)], rows))
    if found.incidents:
        out.print("\nTime to detect, from an incident's start until the alert is told")
        out.print(_table(["incident", *_headings(trials)], _incidents(found)))
    out.print("")
    for line in _meanings(found):
        out.print(line)


def _overview(found: Comparison) -> Table:
    columns = ["budget a week", "alerts", "a week", "resolved", "within 5m"]
    rows = [
        [f"{one.budget:g}", f"{len(one.episodes):,}", _number(one.per_week(len(one.episodes))),
         _share(one.resolved_share), _share(one.brief_share)]
        for one in found.trials
    ]  # fmt: skip
    if found.incidents:
        columns += ["false alarms", "false a week", "detected", "median time"]
        for row, one in zip(rows, found.trials, strict=True):
            detected = sum(each.first is not None for each in one.detections)
            row += [
                f"{one.false_alarms:,}", _number(one.per_week(one.false_alarms)),
                f"{detected} of {len(found.incidents)}", _time(one.median_delay_ms),
            ]  # fmt: skip
    return _table(columns, rows)


def _incidents(found: Comparison) -> list[list[str]]:
    outside = set(found.outside)
    by_trial = [one.detections for one in found.trials]
    return [
        [printable(incident.name), *(
            "not in the data" if incident in outside else _outcome(detections[position])
            for detections in by_trial
        )]
        for position, incident in enumerate(found.incidents)
    ]  # fmt: skip


def _outcome(one: Detection) -> str:
    if one.first is None:
        return "missed, fired before" if one.fired_before else "missed"
    return _time(one.delay_ms)


def _meanings(found: Comparison) -> list[str]:
    """Return what the columns mean, so that nobody has to guess."""
    lines = [
        "resolved: share of alerts that ended before the data did; within 5m: ended at most 5 minutes after "
        "they began."
    ]
    if not found.trials[0].weeks:
        lines.append("a week: left out, less than a day of data says nothing of a week.")
    if found.incidents:
        grace = duration.format(found.grace_ms)
        lines.append(
            f"detected: an alert began between an incident's start and its end plus {grace} (--grace); "
            "false alarms: alerts of a model within none of its incidents."
        )
    if found.incidents and found.report.interrupted:
        lines.append("missed: also what the replay had not come to when it was interrupted.")
    if any(each.fired_before for one in found.trials for each in one.detections):
        lines.append(
            "fired before: an alert about it began before the incident, and fired still at its start."
        )
    return lines


def _table(columns: list[str], rows: list[list[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for position, name in enumerate(columns):
        table.add_column(name, justify="right" if position else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _headings(trials: tuple[Trial, ...]) -> list[str]:
    return [f"budget {one.budget:g}" for one in trials]


def _rate(trial: Trial, count: int) -> str:
    return _number(trial.per_week(count)) if trial.weeks else f"{count:,}"


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:,.1f}"


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{value:.0%}"


def _time(delay_ms: float | None) -> str:
    return _NONE if delay_ms is None else duration.format(round(delay_ms / 1000) * 1000)
