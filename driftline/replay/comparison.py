"""The same history under several budgets of false alarms: read, decoded and counted once, judged once each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from driftline.errors import DriftlineError
from driftline.replay.matching import Episodes, Incident
from driftline.replay.progress import Watcher
from driftline.replay.report import ReplayReport
from driftline.replay.run import replay
from driftline.replay.trial import Trial
from driftline.replay.virtual_time import Emit, Panel
from streams.judged import Judged
from streams.monitor import FalseAlarms
from streams.stages.fleet import Watched
from streams.views import rfc3339

#: Each budget costs a judge for every model.
MOST_BUDGETS = 20
#: Less event time than this says nothing of a week.
_SHORTEST_WEEKS = 1 / 7


class ComparisonError(DriftlineError):
    """A comparison that cannot be made, or whose incidents do not fit the data."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of each budget; ``report`` tells of the data, and of the run under the first budget."""

    report: ReplayReport
    trials: tuple[Trial, ...]
    incidents: Mapping[Incident, int]
    grace_ms: int

    @property
    def outside(self) -> list[Incident]:
        """Incidents that lie wholly before or after the data."""
        first_ms, last_ms = self.report.first_ms, self.report.last_ms
        if first_ms is None or last_ms is None:
            return list(self.incidents)
        return [one for one in self.incidents if one.end_ms < first_ms or one.start_ms > last_ms]

    def as_data(self) -> dict[str, Any]:
        """Return all of it as JSON-able data."""
        report = self.report
        return {
            "from": None if report.first_ms is None else rfc3339(report.first_ms),
            "to": None if report.last_ms is None else rfc3339(report.last_ms),
            "weeks": report.weeks,
            "rows": report.rows,
            "late": sum(report.late.values()),
            "invalid": sum(report.invalid.values()),
            "interrupted": report.interrupted,
            "notes": report.notes,
            "grace_s": self.grace_ms / 1000,
            "trials": [one.as_data() for one in self.trials],
        }


def parse_budgets(text: str) -> tuple[float, ...]:
    """Return the budgets of ``budget=0.5,1,2``, least first.

    Raises
    ------
    ComparisonError
        If it is anything else.

    Examples
    --------
    >>> parse_budgets("budget=2,0.5")
    (0.5, 2.0)
    """
    name, equals, listed = text.partition("=")
    if name.strip() != "budget" or not equals:
        raise ComparisonError(f"{text[:60]!r} is nothing to compare; write budget=0.5,1,2")
    budgets = [_budget(one.strip()) for one in listed.split(",") if one.strip()]
    if not budgets:
        raise ComparisonError("budget= names no budget; write some, e.g. budget=0.5,1,2")
    if len(budgets) > MOST_BUDGETS:
        raise ComparisonError(
            f"{len(budgets)} budgets are too many; compare {MOST_BUDGETS} or fewer at a time"
        )
    twice = sorted({one for one in budgets if budgets.count(one) > 1})
    if twice:
        raise ComparisonError(f"budget {twice[0]:g} stands there twice; keep one")
    return tuple(sorted(budgets))


def compare(
    files: Sequence[Path],
    watched: Mapping[str, Watched],
    budgets: Sequence[float],
    *,
    incidents: Mapping[Incident, int] | None = None,
    grace_ms: int = 0,
    mapping: Mapping[str, str] | None = None,
    progress: Watcher | None = None,
) -> Comparison:
    """Replay files under each budget at once, and hold the alerts against incidents.

    Parameters
    ----------
    budgets
        False alarms per week, in place of the monitors' own; at least one.
    incidents
        With the line of their file each, see `driftline.replay.incident_file`.
    grace_ms
        How long after an incident's end an alert may begin and still belong to it.

    Raises
    ------
    DriftlineError
        As `replay` does.

    Notes
    -----
    Profiles do not depend on the budget, so the files are read, decoded and counted once; a budget more
    costs its judges. Ctrl-C ends all of them at the same row, so that they stay comparable.
    """
    fleets = [_under(budget, watched) for budget in budgets]
    heard = [Episodes() for _ in budgets]
    report = replay(
        files,
        fleets[0],
        mapping=mapping,
        progress=progress,
        heard=_noting(heard[0]),
        also=[Panel(fleet, _noting(one)) for fleet, one in zip(fleets[1:], heard[1:], strict=True)],
    )
    weeks = report.weeks if report.weeks >= _SHORTEST_WEEKS else None
    marked = dict(incidents or {})
    trials = tuple(
        Trial(budget, one.all, list(marked), grace_ms, weeks)
        for budget, one in zip(budgets, heard, strict=True)
    )
    return Comparison(report, trials, marked, grace_ms)


def check_within(comparison: Comparison, path: Path) -> None:
    """Refuse incidents the data has nothing of: they were missed for want of data.

    Raises
    ------
    ComparisonError
        Naming the file and line of each.
    """
    report = comparison.report
    if report.interrupted or not comparison.outside:
        return
    span = (
        "none of its rows has a time"
        if report.first_ms is None or report.last_ms is None
        else f"{rfc3339(report.first_ms)} to {rfc3339(report.last_ms)}"
    )
    raise ComparisonError(
        "\n".join(
            f"{path}:{comparison.incidents[one]}: {one.name!r} lies outside of the data ({span}); "
            "mend its start and end, or replay the files of its time"
            for one in comparison.outside
        )
    )


def _budget(text: str) -> float:
    bound = "write a number of false alarms per week above 0, 1000 at most"
    try:
        return FalseAlarms(per_week=float(text)).per_week
    except ValueError as error:
        raise ComparisonError(f"{text[:40]!r} is no budget; {bound}") from error


def _under(budget: float, watched: Mapping[str, Watched]) -> dict[str, Watched]:
    """Return the monitors with another budget; layouts and references stay, they do not depend on it."""
    allowed = FalseAlarms(per_week=budget)
    return {
        name: replace(one, monitor=one.monitor.model_copy(update={"false_alarms": allowed}))
        for name, one in watched.items()
    }


def _noting(episodes: Episodes) -> Emit:
    def note(model: str, judged: Judged, at_ms: int) -> None:
        for upsert in judged.alerts:
            episodes.take(upsert, at_ms)

    return note
