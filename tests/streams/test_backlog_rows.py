"""The fleet's alert on its backlog, written by judges that crash and move: told once, and its end too."""

from collections.abc import Iterator
from itertools import chain, groupby

import pytest
from prediction_events import T0, event, monitor
from profile_rows import fold

from alerts.alert import AlertUpsert
from streams.backlog import BacklogState, Limits
from streams.layout import compile_layout
from streams.profiler import Profiler
from streams.stages import judge_rows, profile_rows
from streams.stages.fleet import Fleet, Watched
from streams.stages.judges import BACKLOG_PARTITION, Judges
from streams.writes import Step

MONITOR = monitor()
LAYOUT = compile_layout(MONITOR)
FLEET = Fleet(
    "", "", {"churn": Watched(MONITOR, LAYOUT)}, source_partitions=2, profile_partitions=2,
    backlog=Limits(behind_ms=60_000, for_ms=20_000),
)  # fmt: skip
TICK_MS = 5_000
#: The tick at which a backlog that began with the first has lasted long enough.
FIRES_AT = FLEET.backlog.for_ms // TICK_MS


class Receipt:
    def ack(self) -> None:
        """Nothing is read again here."""


class World:
    """Rows and alerts as a broker keeps them, and the judges of all partitions, which may crash between writes."""

    def __init__(self, fleet: Fleet = FLEET) -> None:
        self.fleet = fleet
        self.now_ms = T0
        self.rows: dict[int, dict[bytes, bytes]] = {index: {} for index in range(fleet.profile_partitions)}
        self.told: list[AlertUpsert] = []
        self.restart()

    def restart(self) -> None:
        self.judges = Judges(self.fleet)
        self.judges.await_all(self.now_ms)
        for partition, rows in self.rows.items():
            self.judges.restore(partition, rows, self.now_ms)

    def say(self, partition: int, behind_ms: int | None) -> None:
        """Have stage 1 tell how a source partition stands."""
        until_ms = None if behind_ms is None else self.now_ms - behind_ms
        step = profile_rows.standing_step(
            self.fleet, partition, self.now_ms, caught_up=not behind_ms, counted_until_ms=until_ms, waiting=7
        )
        for record in step.records:
            assert record.partition is not None
            self.judges.take(record.partition, [record.key], [record.value], Receipt(), self.now_ms)
        for writing in self.judges.close(self.rows.__getitem__, self.now_ms):
            for one in writing.steps:
                self._write(writing.partition, one)

    def tick(self, *, writes: int | None = None) -> None:
        """Tick; crash after so many writes."""
        self.now_ms += TICK_MS
        for done, (partition, step) in enumerate(self._steps()):
            if done == writes:
                self.restart()
                return
            self._write(partition, step)

    def _steps(self) -> Iterator[tuple[int, Step]]:
        for writing in self.judges.tick(self.rows.__getitem__, self.now_ms):
            yield from ((writing.partition, step) for step in writing.steps)

    def _write(self, partition: int, step: Step) -> None:
        for record in step.records:
            if record.topic == self.fleet.topics.alerts.name:
                self.told.append(AlertUpsert.model_validate_json(record.value or b""))
        for key, value in step.rows.items():
            if value is None:
                self.rows[partition].pop(key, None)
            else:
                self.rows[partition][key] = value

    def heard(self) -> list[AlertUpsert]:
        """Return what the desk makes of it: it ignores what is not newer."""
        newest, heard = (0, 0), []
        for one in self.told:
            if (one.pane_end_ms, one.sequence) > newest:
                newest = (one.pane_end_ms, one.sequence)
                heard.append(one)
        return heard


@pytest.mark.parametrize("writes", [0, 1, 2])
@pytest.mark.parametrize("crash_at", range(24))
def test_a_crash_between_any_writes_leaves_one_alert_per_backlog_and_its_end(
    crash_at: int, writes: int
) -> None:
    # The backlog goes on for a while after the crash, or is over with it.
    for ends_at in (12, crash_at + 1):
        world = World()
        for step in range(48):
            world.say(0, 0)
            world.say(1, 90_000 if step < ends_at else 0)
            world.tick(writes=writes if step == crash_at else None)
        heard = world.heard()
        assert len({one.starts_at_ms for one in heard}) <= 1
        # A crash may have the end told twice, which ends nothing a second time.
        told = [status for status, _ in groupby(one.status for one in heard)]
        # Of one that is over in the moment it would fire, a crash may keep the news back for good.
        whole = ["firing", "resolved"]
        assert told == (whole if ends_at > FIRES_AT + 1 else []) or (
            told == whole and ends_at == FIRES_AT + 1
        )


def test_only_the_judges_of_one_partition_tell_of_it() -> None:
    world = World()
    world.rows = {index: rows for index, rows in world.rows.items() if index != BACKLOG_PARTITION}
    world.restart()
    for _ in range(20):
        world.tick()
    assert world.told == []
    assert world.judges.backlog is None


def test_it_is_over_after_a_restart_on_a_broker_that_begins_anew() -> None:
    world = World()
    for _ in range(10):
        world.say(1, 90_000)
        world.tick()
    world.rows = {index: judge_rows.begun_anew(rows) for index, rows in world.rows.items()}
    world.restart()
    for _ in range(10):
        world.say(1, 0)
        world.tick()
    assert [one.status for one in world.heard()] == ["firing", "firing", "resolved"]
    assert len({one.starts_at_ms for one in world.told}) == 1


def test_a_state_that_has_told_less_does_not_win_at_recovery() -> None:
    rows = {
        told: dict(chain(*(step.rows.items() for step in judge_rows.backlog_steps(FLEET.topics, state, []))))
        for told, state in ((1, BacklogState(sequence=1)), (2, BacklogState(sequence=2)))
    }
    (key,) = rows[1]
    assert not judge_rows.newer(key, rows[2][key] or b"", rows[1][key] or b"")
    assert judge_rows.newer(key, rows[1][key] or b"", rows[2][key] or b"")


@pytest.mark.parametrize(("behind_ms", "claimed"), [(600_000, False), (0, True), (None, True)])
def test_no_model_is_called_silent_while_its_events_may_wait(behind_ms: int | None, claimed: bool) -> None:
    world, profiler = World(), Profiler({"churn": (MONITOR, LAYOUT)})
    log = [(event(n, T0 + n * 1000), T0 + n * 1000) for n in range(120)]
    fold(profiler, log, 0, 120)
    flush = profiler.flush(0, 0, caught_up=False, said_ms=T0)
    for record in chain(*(step.records for step in profile_rows.flush_steps(FLEET, flush))):
        partition = FLEET.profile_partition("churn")
        world.judges.take(partition, [record.key], [record.value], Receipt(), T0)
    world.say(1, 0)
    world.now_ms = T0 + 120_000
    for _ in range(130):
        world.say(0, behind_ms)
        world.say(1, 0)
        world.tick()
    fired = {one.labels["alertname"] for one in world.told}
    assert ("TrafficSilence" in fired) is claimed
    assert ("Backlog" in fired) is (behind_ms == 600_000)
