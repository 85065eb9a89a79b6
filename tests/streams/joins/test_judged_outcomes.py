"""Outcomes at the judges: kept in rows, restored from them, acknowledged, and let go with their version."""

from typing import Any

import numpy as np
from prediction_events import T0, event

from detectors.outcomes.task import Task
from streams.joins.outcomes import LABELS, PREDICTIONS, Outcomes
from streams.joins.wire import outcome_row
from streams.judge import ModelJudge
from streams.judged import Judged
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.profiler import Profiler
from streams.stages import judge_rows
from streams.stages.fleet import Fleet, Watched
from streams.stages.judges import OUTCOMES_EVERY_MS, Judges
from streams.wire import Heartbeat, HeartbeatKey, OutcomeKey, encode

HOUR_MS = 3_600_000
MONITOR = Monitor.model_validate(
    {
        "model": "churn",
        "windows": {"allowed_lateness": "0s"},
        "labels": {"horizon": "1d", "objectives": {"accuracy": 0.9}},
        "detectors": {"traffic_silence": False, "stale_stream": False},
    }
)
LAYOUT = compile_layout(MONITOR)
FLEET = Fleet("", "", {"churn": Watched(MONITOR, LAYOUT)})


class Receipt:
    acked = False

    def ack(self) -> None:
        self.acked = True


class World:
    """One judge worker over rows that outlive it."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.now_ms = 0
        self.judges = self.restart()

    def restart(self) -> Judges:
        self.judges = Judges(FLEET)
        self.judges.restore(0, self.rows, self.now_ms)
        beat = encode(Heartbeat(0, True, 0, 0, 0))
        self.judges.take(0, [encode(HeartbeatKey(0, "churn"))], [beat], Receipt(), self.now_ms)
        return self.judges

    def send(self, *outcomes: tuple[OutcomeKey, bytes]) -> Receipt:
        receipt = Receipt()
        self.judges.take(
            0, [encode(key) for key, _ in outcomes], [row for _, row in outcomes], receipt, self.now_ms
        )
        return receipt

    def close(self) -> list[Judged]:
        found = []
        for writing in self.judges.close(lambda _: self.rows, self.now_ms):
            for step in writing.steps:
                for key, value in step.rows.items():
                    if value is None:
                        self.rows.pop(key, None)
                    else:
                        self.rows[key] = value
            found.append(writing.judged)
        self.now_ms += 100
        return found

    @property
    def held(self) -> dict[Any, list[Outcomes]]:
        book = self.judges.models["churn"].outcomes
        assert book is not None
        return book.panes()


def outcomes(
    hour: int, *, fence: int = 1, right: bool = True, version: str = "1"
) -> tuple[OutcomeKey, bytes]:
    tally: dict[tuple[str, ...], int] = {PREDICTIONS: 400, LABELS: 400}
    for key, count in Task("score").outcome(0.9, right).items():
        tally[key] = 400 * count
    one = Outcomes(hour * HOUR_MS, (hour + 1) * HOUR_MS, tally, 1.0, False)
    return OutcomeKey(0, "churn", version, "", hour * HOUR_MS), encode(outcome_row(fence, one))


def statuses(judged: list[Judged], metric: str = "accuracy") -> list[str]:
    return [v.status for one in judged for _, _, v in one.verdicts if v.column == metric]


def test_outcomes_are_judged_kept_and_acknowledged_and_a_restart_knows_them() -> None:
    world = World()
    world.now_ms = 60_000
    receipt = world.send(outcomes(0), outcomes(1, right=False))
    assert statuses(world.close()) == ["firing"]
    assert receipt.acked
    before = world.held
    assert len(before[("1", "")]) == 2
    world.restart()
    assert world.held == before
    world.send(outcomes(1, fence=0))
    world.close()
    assert world.held == before, "old news changes nothing after a restart either"
    alerts = world.judges.models["churn"].book.alerts
    assert [key.kind for key in alerts] == ["PerformanceDrop"] * len(alerts) != []


def test_outcomes_that_keep_coming_are_judged_now_and_then() -> None:
    world = World()
    judged = 0
    for fence in range(50):
        world.send(outcomes(0, fence=fence))
        judged += bool(statuses(world.close()))
    assert 2 <= judged <= 5 * 1000 // OUTCOMES_EVERY_MS + 1
    world.now_ms += 10_000
    assert statuses(world.close()) == ["ok"], "the last of them are judged, too"


def test_what_lies_too_far_back_leaves_the_rows() -> None:
    world = World()
    world.send(*(outcomes(hour) for hour in range(10)))
    world.close()
    held = [key for key, _ in judge_rows.outcomes(world.rows)]
    assert len(held) == 10
    world.send(outcomes(100))
    world.close()
    assert [key.start_ms for key, _ in judge_rows.outcomes(world.rows)] == [100 * HOUR_MS]


def test_a_late_writers_row_does_not_win() -> None:
    key, old = outcomes(0, fence=3)
    _, new = outcomes(0, fence=4)
    assert judge_rows.newer(encode(key), old, new)
    assert not judge_rows.newer(encode(key), new, old)


def test_a_version_that_others_have_replaced_is_judged_no_more() -> None:
    judge, profiler = ModelJudge(MONITOR, LAYOUT), Profiler({"churn": (MONITOR, LAYOUT)})
    assert judge.outcomes is not None
    for version in ("1", "2"):
        key, row = outcomes(0, right=False, version=version)
        judge.outcomes.put(key, row)
    for minute in range(30):
        at_ms = T0 + 60_000 * minute
        raw = event(minute, at_ms, version="1" if minute < 5 else "2")
        profiler.fold_records(0, [raw], np.array([minute]), np.array([at_ms]))
        closed, beats = profiler.take_closed(0, at_ms)
        for place, profile in closed:
            judge.inbox.put_whole(place, profile)
        for _, beat in beats:
            judge.inbox.heard(0, beat)
        resolved = [one.labels["version"] for one in judge.close().alerts if one.status == "resolved"]
        judged = {group for group, _, _ in judge.judge_outcomes().verdicts}
        if minute == 2:
            assert judged == {("1", "")}, "one that has no traffic yet is not judged either"
        if resolved:
            assert resolved == ["1"] * len(resolved)
            assert minute > 15
    assert judged == {("2", "")}
    assert {key.version for key in judge.book.alerts} == {"2"}
