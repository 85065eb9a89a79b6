"""A judge stopped between two writes, whose partitions went to another, and that goes on: nothing comes of it."""

from collections.abc import Iterator
from itertools import count

import pytest

from alerts.config import default_config
from alerts.desk import Desk
from alerts.tenure import Tenure, Written
from streams.backlog import KIND, Limits
from streams.stages import judge_rows, profile_rows, tenures
from streams.stages.fleet import Fleet
from streams.stages.judges import Judges
from streams.topics import Topics
from streams.writes import Record, Step

T0 = 1_780_000_000_000
FLEET = Fleet("", "", {}, backlog=Limits(behind_ms=60_000, for_ms=0))
ALERTS = Topics().alerts.name


class Receipt:
    def ack(self) -> None:
        """Nothing is read again here."""


class World:
    """The rows of partition 0, and a desk that hears the alerts topic."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.desk = Desk(default_config())
        self._offsets = count()

    def judge(self, now_ms: int) -> "Judge":
        """Have a judge take the partition over."""
        tenure = Tenure(0, self.append(tenures.opening_record(ALERTS, 0)))
        for record in tenures.first_statements(ALERTS, tenure):
            self.append(record)
        judge = Judge(self, now_ms)
        judge.judges.take_over({0: tenure})
        judge.close(now_ms)
        return judge

    def append(self, record: Record) -> int:
        offset = next(self._offsets)
        if record.topic == ALERTS:
            self.desk.take(record.key, record.value, 0, Written(0, offset))
        return offset

    @property
    def firing(self) -> list[str]:
        held = self.desk.alerts
        return [held[name].upsert.labels["alertname"] for name in self.desk.firing]


class Judge:
    def __init__(self, world: World, now_ms: int) -> None:
        self._world = world
        self._rows = dict(world.rows)
        self.judges = Judges(FLEET)
        self.judges.await_all(now_ms)
        self.judges.restore(0, self._rows, now_ms)

    def hear(self, now_ms: int, behind_ms: int) -> None:
        """Have stage 1 tell how it stands."""
        step = profile_rows.standing_step(
            FLEET, 0, now_ms, caught_up=not behind_ms, counted_until_ms=now_ms - behind_ms, waiting=7
        )
        keys, values = [one.key for one in step.records], [one.value for one in step.records]
        self.judges.take(0, keys, values, Receipt(), now_ms)

    def close(self, now_ms: int) -> None:
        for writing in self.judges.close(lambda _: self._rows, now_ms):
            for step in writing.steps:
                self.write(step)

    def tick(self, now_ms: int) -> Iterator[Step]:
        """Yield what a tick writes."""
        for writing in self.judges.tick(lambda _: self._rows, now_ms):
            yield from writing.steps

    def write(self, step: Step) -> None:
        for record in step.records:
            self._world.append(record)
        changes = {key: value for key, value in step.rows.items() if value is not None}
        self._rows |= changes
        self._world.rows |= changes


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_an_alert_told_after_its_judge_was_followed_does_not_fire(writes: int) -> None:
    world = World()
    stalled = world.judge(T0)
    stalled.hear(T0, behind_ms=90_000)
    steps = stalled.tick(T0)
    for _ in range(writes):
        stalled.write(next(steps))

    successor = world.judge(T0 + 30_000)
    successor.hear(T0 + 30_000, behind_ms=0)
    for step in successor.tick(T0 + 30_000):
        successor.write(step)
    for step in steps:
        stalled.write(step)
    assert world.firing == []


def test_what_an_owner_told_while_it_was_not_believed_is_told_again() -> None:
    world = World()
    owner = world.judge(T0)
    late = Tenure(0, world.append(tenures.opening_record(ALERTS, 0)))
    world.append(tenures.statement(ALERTS, late))
    heard = []
    for now_ms in range(T0, T0 + 3 * tenures.STATED_EVERY_MS + 1, 5_000):
        owner.hear(now_ms, behind_ms=90_000)
        for step in owner.tick(now_ms):
            owner.write(step)
        heard.append(world.firing)
        if now_ms == T0:
            # Its word came just before the other's.
            world.append(tenures.statement(ALERTS, late))
    assert heard[-1] == [KIND]


def test_an_end_that_was_refused_is_told_by_the_next_owner() -> None:
    world = World()
    stalled = world.judge(T0)
    for now_ms, behind_ms in ((T0, 90_000), (T0 + 5_000, 90_000), (T0 + 10_000, 0)):
        stalled.hear(now_ms, behind_ms)
        steps = list(stalled.tick(now_ms))
        if behind_ms:
            for step in steps:
                stalled.write(step)
    assert world.firing == [KIND]
    # One takes over, reads the rows and dies, before the stalled one writes that it is over.
    world.judge(T0 + 40_000)
    for step in steps:
        stalled.write(step)
    assert world.firing == [KIND]
    world.judge(T0 + 80_000)
    assert world.firing == []


def test_a_row_that_a_followed_judge_writes_late_is_not_taken_up() -> None:
    world = World()
    stalled = world.judge(T0)
    stalled.hear(T0, behind_ms=90_000)
    steps = list(stalled.tick(T0))
    world.judge(T0 + 30_000)
    late = {key: value for step in steps for key, value in step.rows.items() if value is not None}
    assert late
    for key, value in late.items():
        assert not judge_rows.newer(key, world.rows[key], value)


def test_the_row_that_was_read_is_written_before_whatever_comes_of_it() -> None:
    owner = Judge(World(), T0)
    owner.judges.take_over({0: Tenure(0, 1)})
    owner.hear(T0, behind_ms=90_000)
    states = [judge_rows.backlog_of(step.rows) for step in owner.tick(T0) if step.rows]  # type: ignore[arg-type]
    assert [state.alert is not None for state in states] == [False, True]
