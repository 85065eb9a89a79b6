"""The judges of a worker: what they write, and what a crash leaves them with."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from prediction_events import T0, event, monitor
from profile_rows import fold

from detectors.registry import DETECTORS
from streams.history import Pane
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.profile import Profile
from streams.profiler import Profiler
from streams.stages import judge_rows, profile_rows, turns
from streams.stages.fleet import Fleet, Watched
from streams.stages.judges import Judges, Writing
from streams.wire import Heartbeat, HeartbeatKey, encode
from streams.writes import Record

MONITOR = monitor()
FLEET = Fleet("", "", {"churn": Watched(MONITOR, compile_layout(MONITOR))})
#: One that tells of silence, the moment there is some and the moment it is over.
SILENT = monitor(
    detectors=dict.fromkeys(DETECTORS, False)
    | {"stale_stream": {"for": "0s", "clear_for": "0s", "after_seconds": 3, "recent_seconds": 1e9}}
)
STALE = Fleet("", "", {"churn": Watched(SILENT, compile_layout(SILENT))})


@dataclass
class Receipt:
    acked: bool = False

    def ack(self) -> None:
        self.acked = True


def _upserts(profiler: Profiler) -> list[Record]:
    flush = profiler.flush(0, 0, caught_up=False)
    steps = profile_rows.flush_steps(FLEET, flush)
    return [record for step in steps for record in step.records]


def _take(judges: Judges, records: list[Record]) -> Receipt:
    receipt = Receipt()
    judges.take(0, [one.key for one in records], [one.value for one in records], receipt, 0)
    return receipt


def _carry_out(writings: Iterable[Writing], rows: dict[bytes, bytes]) -> list[str]:
    """Write steps, and return the status of each alert that was told."""
    told = []
    for writing in writings:
        for step in writing.steps:
            told += [
                msgspec.json.decode(one.value or b"")["status"]
                for one in step.records
                if one.topic == FLEET.topics.alerts.name
            ]
            for key, value in step.rows.items():
                if value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = value
    return told


def test_what_is_taken_while_outputs_are_sent_is_not_in_the_state_that_is_written_after_them() -> None:
    # Restored with it, a judge would close a pane by a watermark whose profiles it has yet to read again.
    profiler = Profiler({"churn": (MONITOR, FLEET.models["churn"].layout)})
    fold(profiler, [(event(0, T0), T0), (event(1, T0 + 10_000), T0 + 10_000)], 0, 2)
    first = _upserts(profiler)
    log = [(event(2, T0 + 20_000 + i), T0 + 20_000 + i) for i in range(3)]
    fold(profiler, [(event(0), T0)] * 2 + log, 2, 5)
    second = _upserts(profiler)
    fold(profiler, [(event(0), T0)] * 5 + [(event(5, T0 + 90_000), T0 + 90_000)], 5, 6)
    third = _upserts(profiler)

    judges, rows = Judges(FLEET), dict[bytes, bytes]()

    def rows_of(_: int) -> dict[bytes, bytes]:
        return rows

    _take(judges, first)
    receipt = _take(judges, second)
    for writing in judges.close(rows_of, 0):
        _take(judges, third)
        for step in writing.steps:
            rows.update((key, value) for key, value in step.rows.items() if value is not None)
    assert not receipt.acked

    again = Judges(FLEET)
    again.restore(0, rows, 0)
    _take(again, first)
    assert [writing.judged.panes for writing in again.close(rows_of, 0) if writing.judge] == []


def test_a_pane_that_was_rolled_up_and_written_again_late_is_in_the_history_once() -> None:
    # Simulator, seed 581.
    empty = Profile(FLEET.models["churn"].layout)
    spans = [(0, 10), (0, 30), (10, 20), (30, 40), (20, 30)]
    found = judge_rows.apart([Pane(start, end, empty) for start, end in spans])
    assert [(pane.start_ms, pane.end_ms) for pane in found] == [(0, 30), (30, 40)]


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_whatever_step_of_a_tick_a_crash_comes_after_what_fires_is_known_and_its_end_is_told(
    status: str,
) -> None:
    # Simulator, seeds 554 and 950.
    judges, rows = Judges(STALE), dict[bytes, bytes]()
    profiler = Profiler({"churn": (SILENT, STALE.models["churn"].layout)})
    fold(profiler, [(event(n, T0 + 10_000 * n), T0 + 10_000 * n) for n in range(4)], 0, 4)
    _take(judges, _upserts(profiler))
    _carry_out(judges.close(lambda _: rows, 20_000), rows)
    quiet_ms = T0 + 100_000
    if status == "resolved":
        assert _carry_out(judges.tick(lambda _: rows, quiet_ms), rows) == ["firing"]
        fold(profiler, [(event(0), T0)] * 4 + [(event(4, quiet_ms), quiet_ms)], 4, 5)
        _take(judges, _upserts(profiler))
    (writing,) = judges.tick(lambda _: rows, quiet_ms)
    assert [one.status for one in writing.judged.alerts] == [status]
    for done in range(len(writing.steps) + 1):
        left = dict(rows)
        told = _carry_out([Writing(0, writing.steps[:done])], left)
        again = Judges(STALE)
        again.restore(0, left, 20_000)
        knows = any(True for _ in again.models["churn"].book.current())
        fires = status == "resolved" if not told else told == ["firing"]
        assert knows or not fires, f"{done} steps done: it fires, and nobody will tell its end"


def test_an_old_heartbeat_that_comes_again_does_not_take_the_place_of_the_newest() -> None:
    # Simulator, seed 157: it would be acknowledged, and never be told again.
    judges, rows = Judges(FLEET), dict[bytes, bytes]()
    beats = [Heartbeat(T0 + 1000 * n, n == 2, T0, T0, T0) for n in (1, 2, 1)]
    _take(judges, [Record("", 0, encode(HeartbeatKey(0, "churn")), encode(beat)) for beat in beats])
    _carry_out(judges.close(lambda _: rows, 0), rows)
    again = Judges(FLEET)
    again.restore(0, rows, 0)
    assert again.models["churn"].inbox.progress[0].watermark_ms == T0 + 2000
    assert again.models["churn"].inbox.progress[0].idle


def test_a_heartbeat_a_stalled_judge_wrote_late_does_not_win() -> None:
    # Simulator, seed 184.
    newer, older = (encode(Heartbeat(T0 + n, False, T0, T0, T0)) for n in (1, 0))
    key = encode(HeartbeatKey(0, "churn"))
    assert judge_rows.newer(key, older, newer)
    assert not judge_rows.newer(key, newer, older)


def test_a_state_a_stalled_judge_wrote_late_does_not_win_over_one_that_knows_a_later_alert() -> None:
    # Simulator, seed 1550: no pane had closed between the two.
    judges, rows = Judges(STALE), dict[bytes, bytes]()
    profiler = Profiler({"churn": (SILENT, STALE.models["churn"].layout)})
    fold(profiler, [(event(n, T0 + 10_000 * n), T0 + 10_000 * n) for n in range(4)], 0, 4)
    _take(judges, _upserts(profiler))
    _carry_out(judges.close(lambda _: rows, 20_000), rows)
    key = encode(judge_rows.StateKey("churn"))
    older = rows[key]
    _carry_out(judges.tick(lambda _: rows, T0 + 100_000), rows)
    assert not judge_rows.newer(key, rows[key], older)
    assert judge_rows.newer(key, older, rows[key])


def _verdicts_of_panes(
    own: Monitor, watched: Fleet, panes: int
) -> tuple[list[list[dict[str, Any]]], list[Any]]:
    """Return what is written of the verdicts of each pane, and all alerts: errors come in from the sixth on."""
    judges, rows = Judges(watched), dict[bytes, bytes]()
    profiler = Profiler({"churn": (own, watched.models["churn"].layout)})
    events: list[tuple[dict[str, Any], int]] = []
    told: list[list[dict[str, Any]]] = []
    alerts: list[Any] = []
    for pane in range(panes):
        at_ms = T0 + 10_000 * pane
        error = {"error": "timeout"} if pane >= 6 else {}
        new = [(event(100 * pane + n, at_ms + n, **error), at_ms + n) for n in range(100)]
        fold(profiler, events + new, len(events), len(events) + len(new))
        events += new
        _take(judges, _upserts(profiler))
        for writing in judges.close(lambda _: rows, 20_000):
            records = [record for step in writing.steps for record in step.records]
            found = [one for one in records if one.topic == FLEET.topics.verdicts.name]
            if writing.judged.panes:
                told.append([msgspec.json.decode(one.value or b"") for one in found])
            alerts += writing.judged.alerts
            _carry_out([writing], rows)
    return told, alerts


def test_in_a_large_fleet_verdicts_that_say_the_same_wait_for_their_models_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = monitor(windows={"pane": "10s", "current": "30s", "allowed_lateness": "0s", "min_samples": 100})
    watched = Fleet("", "", {"churn": Watched(own, compile_layout(own))})
    all_told, alerts = _verdicts_of_panes(own, watched, 16)
    monkeypatch.setattr(turns, "MS_PER_MODEL", 40_000)  # every fourth pane
    told, same_alerts = _verdicts_of_panes(own, watched, 16)
    assert same_alerts == alerts != []
    assert [len(rows) for rows in told].count(len(all_told[-1])) in range(3, 6)
    before: dict[tuple[str, str], str] = {}
    for kept, rows in zip(told, all_told, strict=True):
        if len(kept) == len(rows):
            assert kept == rows
        news = [
            row
            for row in rows
            if row["firing"] or before.get((row["detector"], row["feature"])) != row["status"]
        ]
        assert [row for row in news if row not in kept] == []
        assert len(kept) in (len(news), len(rows))
        before |= {(row["detector"], row["feature"]): row["status"] for row in rows}
    assert any(0 < len(kept) < len(rows) for kept, rows in zip(told, all_told, strict=True))
