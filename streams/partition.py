"""What stage 1 holds of one source partition: clocks, open profiles, and what of them changed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np

from streams.batch import Batch
from streams.models import Models
from streams.monitor import DAY_MS
from streams.profile import Profile
from streams.watermark import Clock
from streams.wire import Heartbeat, HeartbeatKey, ProfileKey, parts_of

IDLE_AFTER_MS = 10_000
FORGET_AFTER_MS = 7 * DAY_MS


class Checkpoint(msgspec.Struct):
    """Where a source partition stands: the next offset to read, and the clocks that held there."""

    next_offset: int
    clocks: dict[str, Clock]
    segments: dict[str, list[str]] = {}


def is_newer_checkpoint(held: bytes, found: bytes) -> bool:
    """Return whether a checkpoint is no older than the one held.

    While nothing comes, offsets stand and watermarks go on: a late writer's must not take them back.
    """
    before, after = (msgspec.msgpack.decode(raw, type=Checkpoint) for raw in (held, found))
    if before.next_offset != after.next_offset:
        return after.next_offset > before.next_offset
    # Forgotten models are in one of them only.
    gone_on_ms = sum(
        clock.watermark_ms - before.clocks[model].watermark_ms
        for model, clock in after.clocks.items()
        if model in before.clocks
    )
    return gone_on_ms >= 0


@dataclass(frozen=True, slots=True)
class Flush:
    """What a flush writes, in this order: profiles, checkpoint, heartbeats; then it may be acknowledged.

    Without a ``checkpoint`` it vouches for nothing and acknowledges nothing: it only spares the judge the
    wait. ``closed`` profiles need their state no longer once the checkpoint is written: records have passed them,
    so whoever takes up this or any later checkpoint finds them closed.
    """

    partition: int
    profiles: list[tuple[ProfileKey, list[bytes]]]
    checkpoint: bytes | None
    heartbeats: list[tuple[HeartbeatKey, Heartbeat]]
    closed: list[ProfileKey]


@dataclass(slots=True)
class PartitionState:
    """Clocks and open profiles of one source partition.

    ``passed`` profiles are closed and sent, but only time that went by has closed them: their rows are kept for
    one that takes the partition up from before that, counts an event in them after all, and needs the rest.
    ``dirty`` profiles changed since the last flush, ``moved`` models have a heartbeat to send; ``idle``
    ones were quiet for a while, by ``seen_ms``, the wall clock when their events came.
    """

    partition: int
    models: Models
    next_offset: int = 0
    clocks: dict[str, Clock] = field(default_factory=dict)
    segments: dict[str, list[str]] = field(default_factory=dict)
    open: dict[ProfileKey, Profile] = field(default_factory=dict)
    passed: set[ProfileKey] = field(default_factory=set)
    dirty: set[ProfileKey] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    seen_ms: dict[str, int] = field(default_factory=dict)
    idle: set[str] = field(default_factory=set)

    @classmethod
    def restored(
        cls,
        partition: int,
        models: Models,
        checkpoint: bytes | None,
        profiles: Iterable[tuple[ProfileKey, Profile]],
    ) -> "PartitionState":
        """Return the state a checkpoint left; profiles may be ahead of it, by their fences."""
        state = cls(partition, models, open=dict(profiles))
        if checkpoint is not None:
            held = msgspec.msgpack.decode(checkpoint, type=Checkpoint)
            state.next_offset, state.clocks, state.segments = held.next_offset, held.clocks, held.segments
        # Rows are written beside the upserts: of one ahead of its checkpoint, the judge may know nothing yet.
        state.dirty = {key for key, one in state.open.items() if one.fence >= state.next_offset}
        state.moved = set(state.clocks)
        return state

    # Counting.

    def clock(self, model: str) -> Clock:
        """Return a model's clock; a new one has not begun."""
        return self.clocks.setdefault(model, Clock(versions={}))

    def fold(self, key: ProfileKey, batch: Batch) -> None:
        """Count rows in a profile, save those it holds already."""
        profile = self._profile(key)
        if batch.offsets[0] <= profile.fence:
            # After a crash the profile was written, the checkpoint not: these rows are counted already.
            batch = batch.take(np.flatnonzero(batch.offsets > profile.fence))
        if len(batch):
            profile.fold(batch)
            self.dirty.add(key)

    def uncounted(self, key: ProfileKey, offset: int) -> Profile | None:
        """Return the profile to count a row in, or None if it holds that offset already."""
        profile = self._profile(key)
        if offset <= profile.fence:
            return None
        self.dirty.add(key)
        return profile

    def _profile(self, key: ProfileKey) -> Profile:
        profile = self.open.get(key)
        if profile is None:
            profile = self.open[key] = Profile(self.models.layout(key.model, key.pane_start_ms))
        return profile

    # Flushing.

    def flush(self, now_ms: int, *, caught_up: bool, said_ms: int | None = None) -> Flush:
        """Return everything that changed since the last flush, and let go of what the watermark has passed.

        Parameters
        ----------
        now_ms
            When the broker was last asked for more, by a clock that is never set: only how much it goes on
            counts, for partitions that are caught up and quiet. By a wall clock that steps, or while nobody
            asks, event time would run away.
        said_ms
            Wall clock, epoch ms, for heartbeats to carry; `now_ms` unless given.
        """
        self._notice_traffic(now_ms, caught_up)
        if caught_up:
            self._notice_quiet(now_ms)
        profiles = self._take_changed(self.dirty)
        for key in self._closed():
            del self.open[key]
            self.passed.add(key)
        closed = sorted(key for key in self.passed if self._is_recorded(key))
        self.passed.difference_update(closed)
        checkpoint = msgspec.msgpack.encode(Checkpoint(self.next_offset, self.clocks, self.segments))
        heartbeats = self._heartbeats(now_ms if said_ms is None else said_ms)
        return Flush(self.partition, profiles, checkpoint, heartbeats, closed)

    def flush_closed(self, now_ms: int, *, caught_up: bool, said_ms: int | None = None) -> Flush:
        """Return only what the judge waits for: profiles the watermark has passed, and heartbeats.

        They follow from the records alone, so that a worker that takes up the last checkpoint comes to the
        same. What follows from the wall clock, a quiet model's time going on, waits for the next checkpoint.
        """
        self._notice_traffic(now_ms, caught_up)
        profiles = self._take_changed(self.dirty.intersection(self._closed()))
        heartbeats = self._heartbeats(now_ms if said_ms is None else said_ms)
        return Flush(self.partition, profiles, None, heartbeats, [])

    def _take_changed(self, keys: Iterable[ProfileKey]) -> list[tuple[ProfileKey, list[bytes]]]:
        changed = sorted(keys)
        for key in changed:
            self.open[key].fence = max(self.open[key].fence, self.next_offset - 1)
        self.dirty.difference_update(changed)
        return [(key, parts_of(self.open[key])) for key in changed]

    def take_closed(
        self, now_ms: int
    ) -> tuple[list[tuple[ProfileKey, Profile]], list[tuple[HeartbeatKey, Heartbeat]]]:
        """Return the profiles the watermark has passed, and heartbeats, for a judge in this process.

        It is `flush` where nothing can be lost: each profile leaves once, when it is final.

        Parameters
        ----------
        now_ms
            Virtual time, epoch ms; the partition counts as caught up.
        """
        self._notice_traffic(now_ms, caught_up=True)
        self._notice_quiet(now_ms)
        profiles = [(key, self.open.pop(key)) for key in sorted(self._closed())]
        for _, profile in profiles:
            profile.fence = self.next_offset - 1
        self.dirty.clear()
        return profiles, self._heartbeats(now_ms)

    def close_all(self) -> None:
        """Move every watermark past what is open: the input has ended (replay)."""
        for model, clock in self.clocks.items():
            clock.watermark_ms = max(clock.watermark_ms, clock.newest_ms + self.models.windows(model).pane)
            clock.recorded_ms = clock.watermark_ms
            self.moved.add(model)

    def _closed(self) -> list[ProfileKey]:
        return [key for key in self.open if self._is_closed(key)]

    def _is_closed(self, key: ProfileKey) -> bool:
        # A profile restored ahead of its checkpoint may be of a model the checkpoint does not know yet.
        clock = self.clocks.get(key.model)
        return clock is not None and self._end_ms(key) <= clock.watermark_ms

    def _end_ms(self, key: ProfileKey) -> int:
        return key.pane_start_ms + self.models.windows(key.model).pane

    def _is_recorded(self, key: ProfileKey) -> bool:
        # Of a model that is forgotten nothing is kept.
        return key.model not in self.clocks or self._end_ms(key) <= self.clocks[key.model].recorded_ms

    # Quiet models.

    def _notice_traffic(self, now_ms: int, caught_up: bool) -> None:
        for model in self.clocks:
            if model in self.moved or not caught_up:
                # Only good events say where event time is; bad ones leave the model quiet.
                self.seen_ms[model] = now_ms
                if model in self.idle:
                    # Told at once: with a backlog to come, the judge must wait for this partition again.
                    self.idle.discard(model)
                    self.moved.add(model)

    def _notice_quiet(self, now_ms: int) -> None:
        for model in self.clocks.keys() - self.moved:
            quiet_ms = now_ms - self.seen_ms.setdefault(model, now_ms)
            if quiet_ms > FORGET_AFTER_MS and not any(key.model == model for key in self.open):
                self._forget(model)
            elif quiet_ms >= IDLE_AFTER_MS:
                self._extrapolate(model, quiet_ms)

    def _extrapolate(self, model: str, quiet_ms: int) -> None:
        self.clocks[model].extrapolate(quiet_ms, self.models.windows(model).allowed_lateness)
        if model not in self.idle or any(key.model == model and self._is_closed(key) for key in self.open):
            self.moved.add(model)
        self.idle.add(model)

    def _forget(self, model: str) -> None:
        del self.clocks[model]
        self.seen_ms.pop(model, None)
        self.idle.discard(model)

    def _heartbeats(self, now_ms: int) -> list[tuple[HeartbeatKey, Heartbeat]]:
        moved, self.moved = sorted(self.moved), set()
        return [(HeartbeatKey(self.partition, model), self._heartbeat(model, now_ms)) for model in moved]

    def _heartbeat(self, model: str, now_ms: int) -> Heartbeat:
        clock = self.clocks[model]
        return Heartbeat(
            watermark_ms=clock.watermark_ms,
            idle=model in self.idle,
            last_event_ms=clock.newest_ms,
            last_record_ms=clock.last_record_ms,
            at_ms=now_ms,
            monitored=model in self.models,
        )
