"""Rules taken away on purpose: a simulator that cannot see them missing proves nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from virtual_workers import ProfileWorker

from alerts import book
from streams.batch import Batch
from streams.inbox import Inbox, Progress
from streams.pace import Pace
from streams.partition import Flush, PartitionState
from streams.profile import Profile
from streams.stages import desk_log, judges, profile_rows
from streams.watermark import NEVER_MS, Clock
from streams.wire import Heartbeat, Part, PartKey, ProfileKey
from streams.writes import Step

Break = Callable[[pytest.MonkeyPatch], None]


def _steps(patch: pytest.MonkeyPatch, order: Callable[[list[Step]], list[Step]]) -> None:
    right = profile_rows.flush_steps
    patch.setattr(profile_rows, "flush_steps", lambda *args: order(right(*args)))


def _whole(order: Callable[[list[Step]], list[Step]]) -> Callable[[list[Step]], list[Step]]:
    """Leave alone what is sent of closed panes between checkpoints."""
    return lambda steps: order(steps) if len(steps) == 5 else steps


def checkpoint_before_profiles(patch: pytest.MonkeyPatch) -> None:
    _steps(patch, _whole(lambda steps: [steps[2], *steps[:2], *steps[3:]]))


def heartbeats_before_profiles(patch: pytest.MonkeyPatch) -> None:
    _steps(patch, lambda steps: [steps[-1], *steps[:-1]])


def open_profiles_let_go_before_the_checkpoint(patch: pytest.MonkeyPatch) -> None:
    right = PartitionState.flush_closed

    def flush_closed(self: PartitionState, *args: Any, **options: Any) -> Flush:
        found = right(self, *args, **options)
        self.dirty.clear()
        return found

    patch.setattr(PartitionState, "flush_closed", flush_closed)


def acknowledged_before_the_checkpoint(patch: pytest.MonkeyPatch) -> None:
    right = ProfileWorker._flush

    def flush(self: ProfileWorker, partition: int, *rest: Any) -> Iterator[None]:
        for receipt in self._receipts[partition]:
            receipt.ack()
        return right(self, partition, *rest)

    patch.setattr(ProfileWorker, "_flush", flush)


def fences_ignored_when_counting(patch: pytest.MonkeyPatch) -> None:
    right = PartitionState.fold

    def fold(self: PartitionState, key: ProfileKey, batch: Batch) -> None:
        self._profile(key).fence = -1
        right(self, key, batch)

    patch.setattr(PartitionState, "fold", fold)


def late_rows_win_at_stage_1(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ProfileWorker, "newer", staticmethod(lambda *_: True))


def lower_fences_accepted(patch: pytest.MonkeyPatch) -> None:
    right = Inbox.put

    def put(self: Inbox, key: PartKey, part: Part) -> bool:
        held = self._open.get(key.profile)
        if isinstance(held, dict):
            held.pop(key.part, None)
        return right(self, key, part)

    patch.setattr(Inbox, "put", put)


def input_acknowledged_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judges.Judges, "_is_closed", lambda *_: True)


def clocks_trusted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pace, "is_steady", lambda *_: True)


def quiet_counted_from_the_newest_event(patch: pytest.MonkeyPatch) -> None:
    def extrapolate(self: Clock, quiet_ms: int, lateness_ms: int) -> None:
        self.watermark_ms = max(self.watermark_ms, self.newest_ms + quiet_ms - lateness_ms)

    patch.setattr(Clock, "extrapolate", extrapolate)


def invalid_events_counted_again(patch: pytest.MonkeyPatch) -> None:
    def uncounted(self: PartitionState, key: ProfileKey, offset: int) -> Profile:
        self.dirty.add(key)
        return self._profile(key)

    patch.setattr(PartitionState, "uncounted", uncounted)


def published_layouts_not_learned(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judges.Judges, "learn", lambda *_: None)


def old_heartbeats_believed(patch: pytest.MonkeyPatch) -> None:
    right = Inbox.heard

    def heard(self: Inbox, partition: int, heartbeat: Heartbeat) -> None:
        self.progress.setdefault(partition, Progress()).watermark_ms = NEVER_MS
        right(self, partition, heartbeat)

    patch.setattr(Inbox, "heard", heard)


def stalled_desks_not_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(desk_log.epochs, "epoch_of", lambda *_: 0)


def stalled_judges_heard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(book.Book, "hear_owner", lambda *_: None)


MUTATIONS: tuple[Break, ...] = (
    checkpoint_before_profiles, open_profiles_let_go_before_the_checkpoint, heartbeats_before_profiles,
    acknowledged_before_the_checkpoint,
    fences_ignored_when_counting, late_rows_win_at_stage_1, lower_fences_accepted, input_acknowledged_at_once,
    clocks_trusted, quiet_counted_from_the_newest_event, invalid_events_counted_again,
    published_layouts_not_learned, old_heartbeats_believed, stalled_desks_not_refused,
    stalled_judges_heard,
)  # fmt: skip
