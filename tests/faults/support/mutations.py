"""Rules taken away on purpose: a simulator that cannot see them missing proves nothing."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from virtual_desk import DeskWorker
from virtual_workers import JudgeWorker, ProfileWorker

from streams import profiler
from streams.inbox import Inbox
from streams.pace import Pace
from streams.profile import Profile
from streams.profiler import Profiler
from streams.stages import judge_rows, judges, profile_rows
from streams.watermark import Clock
from streams.wire import Part, PartKey
from streams.writes import Step

Break = Callable[[pytest.MonkeyPatch], None]


def _steps(patch: pytest.MonkeyPatch, order: Callable[[list[Step]], list[Step]]) -> None:
    right = profile_rows.flush_steps
    patch.setattr(profile_rows, "flush_steps", lambda *args: order(right(*args)))


def checkpoint_before_profiles(patch: pytest.MonkeyPatch) -> None:
    _steps(patch, lambda steps: [steps[1], steps[0], *steps[2:]])


def heartbeats_before_profiles(patch: pytest.MonkeyPatch) -> None:
    _steps(patch, lambda steps: [steps[3], *steps[:3]])


def closed_rows_deleted_before_the_checkpoint(patch: pytest.MonkeyPatch) -> None:
    _steps(patch, lambda steps: [steps[0], steps[2], steps[1], steps[3]])


def acknowledged_before_the_checkpoint(patch: pytest.MonkeyPatch) -> None:
    right = ProfileWorker._flush

    def flush(self: ProfileWorker, partition: int, *rest: Any) -> Iterator[None]:
        for receipt in self._receipts[partition]:
            receipt.ack()
        return right(self, partition, *rest)

    patch.setattr(ProfileWorker, "_flush", flush)


def fences_ignored_when_counting(patch: pytest.MonkeyPatch) -> None:
    right = Profiler._fold_into

    def fold_into(self: Profiler, state: Any, key: Any, batch: Any) -> None:
        self._profile(state, key).fence = -1
        right(self, state, key, batch)

    patch.setattr(Profiler, "_fold_into", fold_into)


def late_rows_win_at_stage_1(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ProfileWorker, "newer", staticmethod(lambda *_: True))


def late_states_win_at_stage_2(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(JudgeWorker, "newer", staticmethod(lambda *_: True))


def lower_fences_accepted(patch: pytest.MonkeyPatch) -> None:
    right = Inbox.put

    def put(self: Inbox, key: PartKey, part: Part) -> bool:
        held = self._open.get(key.profile)
        if isinstance(held, dict):
            held.pop(key.part, None)
        return right(self, key, part)

    patch.setattr(Inbox, "put", put)


def unsent_profiles_forgotten(patch: pytest.MonkeyPatch) -> None:
    right = Profiler.restore

    def restore(self: Profiler, partition: int, *rest: Any) -> None:
        right(self, partition, *rest)
        self.partitions[partition].dirty.clear()

    patch.setattr(Profiler, "restore", restore)


def dead_letters_after_the_checkpoint(patch: pytest.MonkeyPatch) -> None:
    right = profile_rows.flush_steps

    def steps(fleet: Any, flush: Any, letters: Any = ()) -> list[Step]:
        return [*right(fleet, flush), Step(list(letters))]

    patch.setattr(profile_rows, "flush_steps", steps)


def state_before_outputs(patch: pytest.MonkeyPatch) -> None:
    right = judge_rows.close_steps
    patch.setattr(judge_rows, "close_steps", lambda *args: right(*args)[::-1])


def state_cut_after_outputs(patch: pytest.MonkeyPatch) -> None:
    """The rows of a close as they are when its outputs are confirmed."""
    right = judge_rows.close_steps

    class Late(list[Step]):
        def __init__(self, topics: Any, judge: Any, judged: Any, held: Mapping[bytes, bytes]) -> None:
            super().__init__(right(topics, judge, judged, held)[:1])
            self.cut = lambda: Step(rows=judge_rows.changes(judge, held))

        def __iter__(self) -> Iterator[Step]:
            yield self[0]
            yield self.cut()

    patch.setattr(judge_rows, "close_steps", Late)


def input_acknowledged_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judges.Judges, "_is_closed", lambda *_: True)


def heartbeats_not_remembered(patch: pytest.MonkeyPatch) -> None:
    right = judges.Judges.close

    def close(self: judges.Judges, *args: Any) -> Iterator[Any]:
        self._heard.clear()
        return right(self, *args)

    patch.setattr(judges.Judges, "close", close)


def clocks_trusted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pace, "is_steady", lambda *_: True)


def quiet_counted_from_the_newest_event(patch: pytest.MonkeyPatch) -> None:
    def extrapolate(self: Clock, quiet_ms: int, lateness_ms: int) -> None:
        self.watermark_ms = max(self.watermark_ms, self.newest_ms + quiet_ms - lateness_ms)

    patch.setattr(Clock, "extrapolate", extrapolate)


def invalid_events_counted_again(patch: pytest.MonkeyPatch) -> None:
    def uncounted(self: Profiler, state: Any, key: Any, offset: int) -> Profile:
        state.dirty.add(key)
        return self._profile(state, key)

    patch.setattr(profiler.Profiler, "_uncounted", uncounted)


def sent_before_the_ledger(patch: pytest.MonkeyPatch) -> None:
    def write(self: DeskWorker) -> Iterator[None]:
        if self.desk is None:
            return
        for delivery in self.desk.tick(self.clock()):
            outcome = self._deliver(delivery)
            yield
            self.desk.settled(delivery.id, outcome, self.clock())
        receipts, self._receipts = self._receipts, []
        yield from self._write(self.desk)
        for receipt in receipts:
            receipt.ack()

    patch.setattr(DeskWorker, "write", write)


def alerts_acknowledged_before_the_ledger(patch: pytest.MonkeyPatch) -> None:
    right = DeskWorker.write

    def write(self: DeskWorker) -> Iterator[None]:
        for receipt in self._receipts:
            receipt.ack()
        self._receipts.clear()
        return right(self)

    patch.setattr(DeskWorker, "write", write)


MUTATIONS: tuple[Break, ...] = (
    checkpoint_before_profiles, heartbeats_before_profiles, closed_rows_deleted_before_the_checkpoint,
    acknowledged_before_the_checkpoint, fences_ignored_when_counting, late_rows_win_at_stage_1,
    late_states_win_at_stage_2, lower_fences_accepted, unsent_profiles_forgotten,
    dead_letters_after_the_checkpoint, state_before_outputs, state_cut_after_outputs,
    input_acknowledged_at_once, heartbeats_not_remembered, clocks_trusted,
    quiet_counted_from_the_newest_event, invalid_events_counted_again, sent_before_the_ledger,
    alerts_acknowledged_before_the_ledger,
)  # fmt: skip
