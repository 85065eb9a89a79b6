"""Judges restored from rows: beside a broker that begins anew, and beside layouts the rows do not know."""

import logging
from collections.abc import Iterable

import pytest
from prediction_events import T0, event, monitor
from profile_rows import fold

from streams.layout import Layout, compile_layout
from streams.profiler import Profiler
from streams.stages import judge_rows, profile_rows
from streams.stages.fleet import Fleet, Watched
from streams.stages.judges import Judges

MONITOR = monitor()
LAYOUT = compile_layout(MONITOR)
CUT = compile_layout(MONITOR, values={"city": ("Bern", "Graz")}, frozen=True)
FLEET = Fleet("", "", {"churn": Watched(MONITOR, LAYOUT)}, source_partitions=2)


class Receipt:
    def ack(self) -> None:
        """Nothing is read again here."""


class Worker:
    """Stage 1 of two source partitions, and the judges of the model, over rows that outlive them."""

    def __init__(self, rows: dict[bytes, bytes], published: Iterable[Layout] = ()) -> None:
        self.rows = rows
        self.now_ms = 0
        self.profiler = Profiler({"churn": (MONITOR, LAYOUT)})
        self.judges = Judges(FLEET)
        for layout in published:
            self.profiler.relayout(layout, T0)
            self.judges.learn(layout, T0)
        self.judges.await_all(0)
        self.judges.restore(0, rows, 0)
        self._offsets = [0, 0]
        for partition in range(2):
            self._send(profile_rows.standing_step(FLEET, partition, 0, caught_up=True))

    def serve(
        self, from_ms: int, seconds: int, *, partitions: tuple[int, ...] = (0, 1), rate: int = 4
    ) -> int:
        """Count events of some seconds as they come, and return how many panes the judge closes of them."""
        closed = 0
        for at_ms in range(from_ms, from_ms + seconds * 1000, 1000):
            self.now_ms += 1000
            for partition in partitions:
                self.count(partition, [at_ms] * rate)
            closed += self.close()
        return closed

    def count(self, partition: int, times_ms: list[int]) -> None:
        """Count events of these times in one source partition, and send what came of them."""
        first = self._offsets[partition]
        log = [(event(first + n, at_ms), at_ms) for n, at_ms in enumerate(times_ms)]
        fold(self.profiler, [(event(0), T0)] * first + log, first, first + len(log), partition)
        self._offsets[partition] += len(log)
        flush = self.profiler.flush(partition, self.now_ms, caught_up=True, said_ms=times_ms[-1])
        for step in profile_rows.flush_steps(FLEET, flush):
            self._send(step)

    def close(self) -> int:
        """Close what is ready, write it down, and return how many panes that were."""
        closed = 0
        for writing in self.judges.close(lambda _: self.rows, self.now_ms):
            for step in writing.steps:
                for key, value in step.rows.items():
                    if value is None:
                        self.rows.pop(key, None)
                    else:
                        self.rows[key] = value
            closed += len(writing.judged.panes)
        return closed

    def _send(self, step: profile_rows.Step) -> None:
        sent = [record for record in step.records if record.topic == FLEET.topics.profiles.name]
        keys, values = [one.key for one in sent], [one.value for one in sent]
        self.judges.take(0, keys, values, Receipt(), self.now_ms)


def test_a_partition_that_does_not_speak_on_the_fresh_broker_holds_no_pane_back() -> None:
    rows: dict[bytes, bytes] = {}
    assert Worker(rows).serve(T0, 60) > 2
    later_ms = T0 + 300_000
    assert Worker(dict(rows)).serve(later_ms, 60, partitions=(1,)) == 0
    assert Worker(judge_rows.begun_anew(rows)).serve(later_ms, 60, partitions=(1,)) > 2


def test_the_first_panes_on_the_fresh_broker_wait_for_both_partitions() -> None:
    rows: dict[bytes, bytes] = {}
    Worker(rows).serve(T0, 60)
    again = Worker(judge_rows.begun_anew(rows))
    later_ms = T0 + 300_000
    backlog = list(range(later_ms, later_ms + 60_000, 1000))
    again.count(0, backlog)
    assert again.close() == 0
    again.count(1, backlog)
    assert again.close() == 4
    (history,) = again.judges.models["churn"].histories.values()
    assert [pane.profile.events for pane in history.panes if pane.start_ms >= later_ms] == [20, 20, 20, 20]


def test_what_is_kept_of_the_former_source_is_when_its_last_events_came() -> None:
    rows: dict[bytes, bytes] = {}
    Worker(rows).serve(T0, 60)
    judges = Worker(judge_rows.begun_anew(rows)).judges
    inbox = judges.models["churn"].inbox
    assert max(one.last_record_ms for one in inbox.progress.values()) == T0 + 59_000
    assert inbox.spoken == set()


def test_what_is_counted_in_a_published_layout_is_judged_by_rows_that_do_not_know_it() -> None:
    # A kill between the two writes leaves the layout without the row; so does a monitor changed there and back.
    rows: dict[bytes, bytes] = {}
    Worker(rows).serve(T0, 30)
    for known in (rows, {}):
        again = Worker(judge_rows.begun_anew(known), published=[CUT])
        assert again.serve(T0 + 300_000, 60) > 2
        assert again.judges.models["churn"].layout == CUT


def test_a_layout_published_while_a_judge_runs_is_taken_up_once() -> None:
    worker = Worker({}, published=[CUT])
    worker.serve(T0, 30)
    newer = compile_layout(MONITOR, values={"city": ("Graz",)}, frozen=True)
    worker.judges.learn(newer, T0 + 60_000)
    worker.judges.learn(CUT, T0)
    assert worker.judges.models["churn"].layout == newer


def test_profiles_of_a_layout_nobody_published_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker({})
    worker.profiler.relayout(CUT, T0)
    with caplog.at_level(logging.WARNING):
        assert worker.serve(T0, 60) == 0
    assert "profiles of 'churn' are left out" in caplog.text
