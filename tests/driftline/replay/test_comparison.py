"""Several budgets over one reading say what each says alone; a larger budget never detects later."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tables
from command_line import Run
from tables import START_MS

from driftline.history import files
from driftline.reference_build import build
from driftline.replay import replay
from driftline.replay.comparison import Comparison, ComparisonError, compare, parse_budgets
from driftline.replay.matching import Episode, Incident
from driftline.replay.report import ReplayReport
from driftline.replay.trial import Trial
from streams.monitor import FalseAlarms, Monitor
from streams.stages.fleet import Watched
from streams.views import rfc3339
from streams.window import window_of

BUDGETS = (0.01, 1.0, 100.0)
FROM_ROW, TO_ROW, ROWS = 3_000, 4_500, 6_000
INCIDENT_MS = (START_MS + FROM_ROW * 100, START_MS + TO_ROW * 100)


def declared(**changes: Any) -> Monitor:
    """Judged by what follows from the budget alone: thresholds that are given would hide it."""
    others = {"psi": False, "jensen_shannon": False}
    return tables.monitor(**({"detectors": others, "objectives": {}} | changes))


def with_reference(folder: Path) -> dict[str, Watched]:
    monitor = declared(reference={"file": "churn.reference.json"})
    found = build([tables.parquet(folder / "usual.parquet", tables.columns(3000, seed=7))], monitor)
    window = window_of(found.read(), version="", segment="", start_ms=0, end_ms=1, spans=found.read_spans())
    return {"churn": Watched(monitor, found.layout, window)}


def trouble(rows: int = ROWS, by: float = 2.5) -> dict[str, Any]:
    """Usual traffic, but for an incident in which people are a little older."""
    table = tables.columns(rows)
    table["age"][FROM_ROW:TO_ROW] += by
    return table


def alone(path: Path, watched: dict[str, Watched], budget: float, out: Path) -> list[tuple[Any, ...]]:
    """Begins and ends of a replay of one budget, as it writes them."""
    allowed = FalseAlarms(per_week=budget)
    fleet = {
        name: replace(one, monitor=one.monitor.model_copy(update={"false_alarms": allowed}))
        for name, one in watched.items()
    }
    replay([path], fleet, alerts_out=out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return sorted(
        (row["startsAt"], row["labels"]["alertname"], row["labels"].get("feature", "")) for row in rows
        if row["status"] == "firing"
    )  # fmt: skip


def begins(trial: Trial) -> list[tuple[Any, ...]]:
    return sorted((rfc3339(one.began_ms), one.kind, one.feature) for one in trial.episodes)


def test_budgets_read_at_once_say_what_each_says_alone(tmp_path: Path) -> None:
    path, watched = tables.parquet(tmp_path / "a.parquet", trouble()), with_reference(tmp_path)
    found = compare([path], watched, BUDGETS)
    for trial in found.trials:
        assert begins(trial) == alone(path, watched, trial.budget, tmp_path / "alerts.jsonl")
    assert len({tuple(begins(trial)) for trial in found.trials}) > 1
    assert found.report.rows == ROWS


def test_bins_cut_during_the_replay_are_the_same_for_every_budget(tmp_path: Path) -> None:
    path, watched = tables.parquet(tmp_path / "a.parquet", trouble(by=20)), tables.watched(declared())
    found = compare([path], watched, BUDGETS)
    for trial in found.trials:
        assert begins(trial) == alone(path, watched, trial.budget, tmp_path / "alerts.jsonl")
    assert found.trials[-1].episodes


def test_a_larger_budget_never_detects_later(tmp_path: Path) -> None:
    path = tables.parquet(tmp_path / "a.parquet", trouble())
    incident = Incident("older people", "churn", *INCIDENT_MS, frozenset({"age"}))
    found = compare([path], with_reference(tmp_path), BUDGETS, incidents={incident: 1}, grace_ms=60_000)
    delays = [trial.detections[0].delay_ms for trial in found.trials]
    told = [float("inf") if delay is None else delay for delay in delays]
    assert told == sorted(told, reverse=True)
    assert told[0] > told[-1]
    assert 0 < told[-1] < INCIDENT_MS[1] - INCIDENT_MS[0]


class Interrupt:
    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, path: Path, bytes_read: int, rows: int, event_ms: int) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_ctrl_c_ends_all_budgets_at_the_same_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK_ROWS", 500)
    path, watched = tables.parquet(tmp_path / "a.parquet", trouble(by=40)), with_reference(tmp_path)
    found = compare([path], watched, BUDGETS, progress=Interrupt(after=8))
    assert (found.report.interrupted, found.report.rows) == (True, 4_000)
    assert all(trial.episodes for trial in found.trials)
    assert found.as_data()["interrupted"] is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budget=", "names no budget; write some"),
        ("0.5,1", "is nothing to compare; write budget="),
        ("threshold=1", "is nothing to compare; write budget="),
        ("budget=1,much", "'much' is no budget; write a number"),
        ("budget=0", "above 0, 1000 at most"),
        ("budget=nan", "above 0, 1000 at most"),
        ("budget=1001", "above 0, 1000 at most"),
        ("budget=1,1.0", "budget 1 stands there twice; keep one"),
        ("budget=" + ",".join(map(str, range(1, 22))), "21 budgets are too many"),
    ],
)
def test_a_bad_budget_is_told_with_its_remedy(text: str, said: str) -> None:
    with pytest.raises(ComparisonError, match=said):
        parse_budgets(text)


def test_a_rate_is_left_out_for_less_than_a_day_and_told_of_a_week() -> None:
    week = ReplayReport(rows=1, first_ms=0, last_ms=7 * 86_400_000)
    episodes = [Episode("churn", "FeatureDrift", "age", 0, 0)] * 3
    trial = Trial(1.0, episodes, [], 0, week.weeks)
    assert Comparison(week, (trial,), {}, 0).as_data()["trials"][0]["alerts_per_week"] == 3.0


# The command line.

MONITOR = """\
model: churn
features: {age: {type: number, min: 0}, plan: {type: category}, member: {type: boolean}}
windows: {pane: 10s, current: 1m, allowed_lateness: 10s, min_samples: 200}
detectors: {psi: false, jensen_shannon: false}
reference: {file: churn.json}
"""


@pytest.fixture
def history(tmp_path: Path, driftline: Run) -> Path:
    """A monitor with its reference, a history with an incident, and the incident marked in YAML."""
    monitor = tmp_path / "monitors" / "churn.yaml"
    monitor.parent.mkdir()
    monitor.write_text(MONITOR)
    usual = tables.parquet(tmp_path / "usual.parquet", tables.columns(3000, seed=7))
    out = monitor.with_name("churn.json")
    assert driftline("reference", "build", usual, "--monitor", monitor, "--out", out).status == 0
    tables.parquet(tmp_path / "november.parquet", trouble())
    start, end = map(rfc3339, INCIDENT_MS)
    (tmp_path / "incidents.yaml").write_text(
        f"incidents:\n  - {{name: older people, model: churn, start: {start}, end: {end}, features: [age]}}\n"
    )
    return tmp_path


def ask(history: Path, *arguments: object) -> list[object]:
    return ["replay", history / "november.parquet", "--monitors", history / "monitors", *arguments]


COMPARE = ("--compare", "budget=0.01,1,100")


def test_the_tables_tell_alerts_false_alarms_and_time_to_detect(history: Path, driftline: Run) -> None:
    ran = driftline(*ask(history, *COMPARE, "--incidents", history / "incidents.yaml", "--grace", "2m"))
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("6,000 rows in ")
    heading = next(line for line in ran.out.splitlines() if line.startswith("budget a week"))
    assert heading.split("  ")[-1].strip() == "median time"
    overview = [line.split() for line in ran.out.splitlines() if line.startswith(("0.01 ", "1 ", "100 "))]
    assert [row[0] for row in overview] == ["0.01", "1", "100"]
    assert any(line.startswith("older people ") for line in ran.out.splitlines())
    assert "plus 2m (--grace)" in ran.out


def test_json_holds_what_the_tables_say_and_nothing_else_is_printed(history: Path, driftline: Run) -> None:
    ran = driftline(*ask(history, *COMPARE, "--incidents", history / "incidents.yaml", "--json"))
    assert (ran.status, ran.err) == (0, "")
    data = json.loads(ran.out)
    assert [trial["budget_per_week"] for trial in data["trials"]] == [0.01, 1, 100]
    last = data["trials"][-1]
    assert last["alerts"] == sum(kind["alerts"] for kind in last["kinds"]) > 0
    assert last["incidents"][0]["name"] == "older people"
    assert last["incidents"][0]["detected"] is True
    assert 0 <= last["false_alarms"] < last["alerts"]
    assert (data["rows"], data["grace_s"], last["alerts_per_week"]) == (6_000, 600, None)


def test_an_incident_outside_of_the_data_is_told_after_the_tables(history: Path, driftline: Run) -> None:
    marked = history / "incidents.csv"
    marked.write_text("name,model,start,end\nold,churn,2020-01-01T00:00:00Z,2020-01-02T00:00:00Z\n")
    ran = driftline(*ask(history, *COMPARE, "--incidents", marked))
    assert ran.status == 1
    assert "not in the data" in ran.out
    assert f"{marked}:2: 'old' lies outside of the data (" in ran.err
    assert "replay the files of its time" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--json"], "add --compare"),
        (["--incidents", "a.yaml"], "add --compare"),
        ([*COMPARE, "--alerts-out", "a.jsonl"], "leave --alerting, --labels, --alerts-out"),
        ([*COMPARE, "--labels", "a.jsonl"], "leave --alerting, --labels, --alerts-out"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(
    arguments: list[str], said: str, history: Path, driftline: Run
) -> None:
    ran = driftline(*ask(history, *arguments))
    assert ran.status == 2
    assert said in " ".join(ran.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--compare", "budget=none"], "'none' is no budget"),
        ([*COMPARE, "--grace", "soon"], "'soon' is not a duration"),
        ([*COMPARE, "--incidents", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    arguments: list[str], said: str, history: Path, driftline: Run
) -> None:
    ran = driftline(*ask(history, *arguments))
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
