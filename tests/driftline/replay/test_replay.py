"""Replay gives what the live pipeline gives, whatever the chunks, and never sends anything."""

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables
from rich.console import Console
from tables import START_MS

from alerts.alert import AlertUpsert
from alerts.config import default_config
from driftline.history import files
from driftline.reference_build import build
from driftline.replay import ProgressBar, ReplayError, replay
from driftline.replay.report import ReplayReport
from streams.judge import ModelJudge
from streams.judged import Judged
from streams.profiler import Profiler
from streams.publish import verdict_row
from streams.stages.fleet import Watched
from streams.views import AlertRow, VerdictRow
from streams.window import window_of
from streams.wire import PartKey, decode_heartbeat, decode_part, encode

PANE_MS = 10_000
DAY_MS = 24 * 3600 * 1000


def with_reference(folder: Path, **changes: Any) -> Watched:
    """The small model, held against 3,000 rows of its usual traffic."""
    declared = tables.monitor(reference={"file": "churn.reference.json"}, **changes)
    found = build([tables.parquet(folder / "usual.parquet", tables.columns(3000, seed=7))], declared)
    return Watched(
        declared, found.layout, window_of(found.read(), version="", segment="", start_ms=0, end_ms=1)
    )


def shifted(rows: int, at: int, **options: Any) -> dict[str, Any]:
    """Usual traffic whose ages are thrice too large from row ``at`` on."""
    table = tables.columns(rows, **options)
    table["age"][at:] *= 3
    return table


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def live(watched: Watched, table: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Run the rows over the wire, chunk by chunk, as the stages do; return alerts and verdicts."""
    model = watched.monitor.model
    profiler = Profiler({model: (watched.monitor, watched.layout)})
    judge = ModelJudge(watched.monitor, watched.layout, reference_file=watched.reference)
    values, ts_ms = tables.events(table), np.asarray(table["ts"])
    alerts: list[AlertUpsert] = []
    verdicts: list[VerdictRow] = []

    def flush(now_ms: int) -> None:
        flushed = profiler.flush(0, now_ms, caught_up=True)
        for key, parts in flushed.profiles:
            for index, raw in enumerate(parts):
                judge.inbox.put(PartKey(key, index), decode_part(raw))
        for beat_key, beat in flushed.heartbeats:
            judge.inbox.heard(beat_key.partition, decode_heartbeat(encode(beat)))
        take(judge.close())

    def take(judged: Judged) -> None:
        alerts.extend(judged.alerts)
        verdicts.extend(VerdictRow.model_validate(verdict_row(model, *one)) for one in judged.verdicts)

    for low in range(0, len(values), 77):
        rows = slice(low, low + 77)
        offsets = np.arange(len(values), dtype=np.int64)[rows]
        profiler.fold_records(0, values[rows], offsets, ts_ms[rows])
        flush(int(ts_ms[rows][-1]))
    profiler.close_all()
    flush(int(ts_ms[-1]))
    return (
        [json.loads(AlertRow.of(one).model_dump_json()) for one in alerts],
        [json.loads(one.model_dump_json()) for one in verdicts],
    )


def assert_told_alike(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    """The same lines; moments, and what follows from them, to nine digits (sums depend on the order)."""
    assert len(one) == len(other)
    for mine, theirs in zip(one, other, strict=True):
        assert _rounded(mine) == _rounded(theirs)


def without_ticks(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["detector"] not in ("traffic_silence", "stale_stream")]


def test_replay_says_what_the_live_pipeline_says(tmp_path: Path) -> None:
    watched = with_reference(tmp_path)
    table = shifted(4000, 2500)
    path = tables.parquet(tmp_path / "a.parquet", table)
    out, verdicts_out = tmp_path / "alerts.jsonl", tmp_path / "verdicts.jsonl"
    replay([path], {"churn": watched}, alerts_out=out, verdicts_out=verdicts_out)
    alerts, verdicts = live(watched, table)
    assert_told_alike(without_ticks(lines_of(verdicts_out)), verdicts)
    assert len(verdicts) > 500
    told = lines_of(out)
    first = {json.dumps(row["labels"]): row for row in reversed(alerts)}
    assert_told_alike(told, [first[json.dumps(row["labels"])] for row in told])
    assert {row["labels"]["alertname"] for row in told} == {"FeatureDrift"}


@pytest.mark.parametrize("chunk_rows", [7, 97, 1000])
def test_chunks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_rows: int) -> None:
    path = tables.parquet(tmp_path / "a.parquet", shifted(3000, 2000))

    def outputs() -> list[dict[str, Any]]:
        paths = [tmp_path / "alerts.jsonl", tmp_path / "verdicts.jsonl"]
        replay([path], tables.watched(), alerts_out=paths[0], verdicts_out=paths[1])
        alerts, verdicts = map(lines_of, paths)
        assert alerts
        return alerts + verdicts

    whole = outputs()
    monkeypatch.setattr(files, "CHUNK_ROWS", chunk_rows)
    assert_told_alike(outputs(), whole)


def test_a_file_cut_in_two_is_the_same_history(tmp_path: Path) -> None:
    table = shifted(3000, 2000)
    halves = [
        tables.parquet(tmp_path / f"{half}.parquet", {name: values[rows] for name, values in table.items()})
        for half, rows in enumerate((slice(None, 1234), slice(1234, None)))
    ]
    out = tmp_path / "alerts.jsonl"
    replay(halves, tables.watched(), alerts_out=out)
    cut = lines_of(out)
    replay([tables.parquet(tmp_path / "whole.parquet", table)], tables.watched(), alerts_out=out)
    assert_told_alike(cut, lines_of(out))
    assert cut


def test_an_incident_is_a_line_when_it_begins_and_one_when_it_ends(tmp_path: Path) -> None:
    table = tables.columns(8000)
    table["age"][3000:4500] *= 3
    out = tmp_path / "alerts.jsonl"
    report = replay(
        [tables.parquet(tmp_path / "a.parquet", table)], {"churn": with_reference(tmp_path)}, alerts_out=out
    )
    firing, resolved = (row for row in lines_of(out) if row["labels"].get("feature") == "age"
                        and row["labels"]["alertname"] == "FeatureDrift")  # fmt: skip
    assert (firing["status"], resolved["status"]) == ("firing", "resolved")
    assert firing["startsAt"] == resolved["startsAt"] == firing["at"] < resolved["endsAt"] == resolved["at"]
    assert set(firing) == {"at", "status", "labels", "annotations", "startsAt", "endsAt"}
    assert report.alerts[("churn", "FeatureDrift")] == 1
    assert not report.firing


def test_a_gap_is_a_silence_that_begins_and_ends_in_event_time(tmp_path: Path) -> None:
    table = tables.columns(4000)
    gap_ms = 3 * DAY_MS
    table["ts"][2000:] += gap_ms
    out = tmp_path / "alerts.jsonl"
    replay([tables.parquet(tmp_path / "a.parquet", table)], tables.watched(), alerts_out=out)
    silence = [row for row in lines_of(out) if row["labels"]["alertname"] == "TrafficSilence"]
    assert [row["status"] for row in silence] == ["firing", "resolved"]
    began_s = _seconds(silence[0]["startsAt"]) - (START_MS + 200_000) / 1000
    ended_s = _seconds(silence[1]["endsAt"]) - (START_MS + 200_000 + gap_ms) / 1000
    assert 300 <= began_s <= 320
    assert 0 <= ended_s <= 60


def test_a_quiet_model_is_silent_while_another_goes_on(tmp_path: Path) -> None:
    both = tables.watched(tables.monitor(), tables.monitor("fraud"))
    table = tables.columns(10_000)
    table["model"] = ["churn" if row % 2 or row > 5000 else "fraud" for row in range(10_000)]
    out = tmp_path / "alerts.jsonl"
    replay([tables.parquet(tmp_path / "a.parquet", table)], both, alerts_out=out)
    silence = [row for row in lines_of(out) if row["labels"]["alertname"] == "TrafficSilence"]
    assert [(row["status"], row["labels"]["model"]) for row in silence] == [("firing", "fraud")]


def test_daily_panes_of_1959_are_judged(tmp_path: Path) -> None:
    windows = {"pane": "1d", "current": "30d", "allowed_lateness": "0s", "min_samples": 500}
    daily = with_reference(tmp_path, windows=windows, objectives={})
    start_ms = -11 * 365 * DAY_MS
    table = tables.columns(24 * 365, start_ms=start_ms)
    table["ts"] = start_ms + np.arange(24 * 365) * 3_600_000
    table["age"][24 * 300 :] *= 3
    out = tmp_path / "alerts.jsonl"
    report = replay([tables.parquet(tmp_path / "a.parquet", table)], {"churn": daily}, alerts_out=out)
    assert report.panes["churn"] == 365
    assert {row["labels"]["alertname"] for row in lines_of(out)} == {"FeatureDrift"}
    assert all(row["at"].startswith("1959-") for row in lines_of(out))
    assert "a week" in "\n".join(report.lines())


def test_late_and_invalid_rows_are_counted_and_told(tmp_path: Path) -> None:
    table = tables.columns(3000)
    table["ts"][1500:1600] -= 100_000
    table["age"][10] = np.inf
    report = replay([tables.parquet(tmp_path / "a.parquet", table)], tables.watched())
    assert (report.late["churn"], report.events["churn"], report.invalid["wrong_type"]) == (100, 2899, 1)
    summary = "\n".join(report.lines())
    assert "late: 100 of 2,999 rows of churn, not counted; sort the files by time" in summary
    assert "invalid: 1 wrong_type; e.g. age: not a finite number" in summary


def test_rows_of_models_without_a_monitor_are_passed_over(tmp_path: Path) -> None:
    table = tables.columns(1000)
    table["model"] = ["churn", "fraud"] * 500
    report = replay([tables.parquet(tmp_path / "a.parquet", table)], tables.watched())
    assert (report.events["churn"], report.unmonitored["fraud"]) == (500, 500)
    assert "passed over: 500 rows of 'fraud', which has no monitor" in report.lines()


def test_the_rehearsed_desk_says_what_it_would_have_sent(tmp_path: Path) -> None:
    path = tables.parquet(tmp_path / "a.parquet", shifted(4000, 2500))
    report = replay([path], {"churn": with_reference(tmp_path)}, alerting=default_config())
    assert report.notifications
    assert all("FeatureDrift" in one.title and one.receiver == "log/log/0" for one in report.notifications)
    began_ms = min(upsert.starts_at_ms for upsert in report.firing.values())
    assert report.notifications[0].at_ms >= began_ms + 30_000
    assert f"would have been sent: {len(report.notifications)}" in "\n".join(report.lines())


def test_nothing_to_replay_is_an_error(tmp_path: Path) -> None:
    empty = tmp_path / "a.csv"
    empty.write_text("ts,prediction,age\n")
    with pytest.raises(ReplayError, match="no rows in"):
        replay([empty], tables.watched())
    with pytest.raises(ReplayError, match="no file"):
        replay([], tables.watched())
    with pytest.raises(ReplayError, match="no monitor"):
        replay([empty], {})
    with pytest.raises(ReplayError, match="cannot be written"):
        replay([empty], tables.watched(), alerts_out=tmp_path / "none" / "a.jsonl")


class Interrupt:
    """Presses Ctrl-C after some chunks."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, path: Path, bytes_read: int, rows: int, event_ms: int) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_ctrl_c_leaves_whole_lines_and_a_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK_ROWS", 500)
    path = tables.parquet(tmp_path / "a.parquet", tables.columns(4000))
    out = tmp_path / "verdicts.jsonl"
    report = replay([path], tables.watched(), verdicts_out=out, progress=Interrupt(after=4))
    assert (report.interrupted, report.rows) == (True, 2000)
    assert len(lines_of(out)) == report.verdicts > 0
    assert report.lines()[0].startswith("Interrupted")


def test_progress_is_drawn_on_terminals_only(tmp_path: Path) -> None:
    path = tables.parquet(tmp_path / "a.parquet", tables.columns(2000))
    drawn = {}
    for kind, options in {"terminal": {}, "quiet": {"quiet": True}, "pipe": {}}.items():
        console = Console(file=io.StringIO(), force_terminal=kind != "pipe", width=100)
        with ProgressBar([path], console=console, **options) as bar:
            replay([path], tables.watched(), progress=bar)
        drawn[kind] = console.file.getvalue()  # type: ignore[attr-defined]
    assert "rows/s" in drawn["terminal"]
    assert "100 %" in drawn["terminal"]
    assert not drawn["quiet"]
    assert not drawn["pipe"]


def _seconds(text: str) -> float:
    return float(np.datetime64(text.rstrip("Z"), "ms").astype(np.int64)) / 1000


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        read = {key: json.loads(item) if key == "evidence" and isinstance(item, str) else item
                for key, item in value.items()}  # fmt: skip
        return {key: _rounded(item) for key, item in read.items()}
    return value


@pytest.mark.parametrize(
    ("days", "said"),
    [(1, "24.0 hours"), (21, "3.0 weeks"), (14_508, "39.7 years")],
    ids=lambda each: str(each),
)
def test_the_time_covered_is_said_in_a_unit_a_person_can_picture(days: int, said: str) -> None:
    report = ReplayReport(rows=1, panes=Counter(churn=1), first_ms=0, last_ms=days * 86_400_000)
    lines = report.lines()
    assert lines[0].startswith("1 row in ")
    assert ", 1 pane judged, 0 verdicts" in lines[0]
    assert lines[1].endswith(f"({said})")
