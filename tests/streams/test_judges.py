"""The judges of a worker: what they write, and what a crash leaves them with."""

from dataclasses import dataclass

from prediction_events import T0, event, monitor
from profile_rows import fold

from streams.history import Pane
from streams.layout import compile_layout
from streams.profile import Profile
from streams.profiler import Profiler
from streams.stages import judge_rows, profile_rows
from streams.stages.fleet import Fleet, Watched
from streams.stages.judges import Judges
from streams.writes import Record

MONITOR = monitor()
FLEET = Fleet("", "", {"churn": Watched(MONITOR, compile_layout(MONITOR))})


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
