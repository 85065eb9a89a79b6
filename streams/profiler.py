"""Stage 1, pure: chunks of source partitions in, cumulative profiles, checkpoints and heartbeats out.

``fold`` reads no clock; ``flush`` is told the time. State belongs to source partitions, so that a
partition can be dropped on revoke and taken up from its checkpoint elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.bad_event import BadCode, BadEvent
from streams.batch import Batch
from streams.codec import ModelCodec
from streams.decode import Decoded, Decoder, Rows, in_order
from streams.labels import Versions, label_segments, label_versions
from streams.layout import Layout, unmonitored_layout
from streams.monitor import DAY_MS, Monitor, Windows
from streams.profile import Profile
from streams.watermark import FUTURE_MS, NEVER_MS, Arrival, Clock
from streams.wire import Heartbeat, HeartbeatKey, ProfileKey, parts_of

IDLE_AFTER_MS = 10_000
FORGET_AFTER_MS = 7 * DAY_MS
UNMONITORED_KEPT = 100
#: Under this name go models without a monitor file beyond that many.
OTHER_MODELS = "(other)"

_UNMONITORED_WINDOWS = Windows()


class Checkpoint(msgspec.Struct):
    """Where a source partition stands: the next offset to read, and the clocks that held there."""

    next_offset: int
    clocks: dict[str, Clock]
    segments: dict[str, list[str]] = {}


def checkpoint_offset(raw: bytes) -> int:
    """Return the next offset of an encoded checkpoint."""
    return msgspec.msgpack.decode(raw, type=Checkpoint).next_offset


@dataclass(slots=True)
class PartitionState:
    """What stage 1 holds of one source partition."""

    next_offset: int = 0
    clocks: dict[str, Clock] = field(default_factory=dict)
    segments: dict[str, list[str]] = field(default_factory=dict)
    open: dict[ProfileKey, Profile] = field(default_factory=dict)
    dirty: set[ProfileKey] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    seen_ms: dict[str, int] = field(default_factory=dict)
    idle: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Flush:
    """What a flush writes, in this order: profiles, checkpoint, heartbeats; then it may be acknowledged.

    ``closed`` profiles need their state no longer once the checkpoint is written.
    """

    partition: int
    profiles: list[tuple[ProfileKey, list[bytes]]]
    checkpoint: bytes
    heartbeats: list[tuple[HeartbeatKey, Heartbeat]]
    closed: list[ProfileKey]


@dataclass(slots=True)
class Folded:
    """Counts of one chunk, for metrics; bad events, for the dead-letter topic."""

    events: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    bad: list[BadEvent] = field(default_factory=list)


class Profiler:
    """Folds chunks into profiles for the models it knows.

    Parameters
    ----------
    models
        Monitor and layout by model name.
    """

    def __init__(self, models: Mapping[str, tuple[Monitor, Layout]]) -> None:
        self.partitions: dict[int, PartitionState] = {}
        self._monitors = {name: monitor for name, (monitor, _) in models.items()}
        self._layouts = {name: [(NEVER_MS, layout)] for name, (_, layout) in models.items()}
        self._decoder = Decoder({name: ModelCodec(*pair) for name, pair in models.items()})

    def layout(self, model: str, pane_start_ms: int) -> Layout:
        """Return the layout in force for a model's pane."""
        held = self._layouts.get(model)
        if held is None:
            return unmonitored_layout(model)
        return next((layout for from_ms, layout in reversed(held) if from_ms <= pane_start_ms), held[0][1])

    def relayout(self, layout: Layout, from_ms: int) -> None:
        """Count a model's panes from ``from_ms`` on in a new layout; panes open already stay as they are."""
        held = self._layouts.get(layout.model)
        if held is not None and held[-1][1].hash != layout.hash:
            held.append((from_ms, layout))
            del held[:-3]

    def restore(
        self, partition: int, checkpoint: bytes | None, profiles: Iterable[tuple[ProfileKey, Profile]]
    ) -> None:
        """Take up a partition where its checkpoint left it; profiles may be ahead of it, by their fences."""
        state = PartitionState()
        if checkpoint is not None:
            held = msgspec.msgpack.decode(checkpoint, type=Checkpoint)
            state.next_offset, state.clocks, state.segments = held.next_offset, held.clocks, held.segments
        state.open = dict(profiles)
        # Rows are written beside the upserts: of one ahead of its checkpoint, the judge may know nothing yet.
        state.dirty = {key for key, one in state.open.items() if one.fence >= state.next_offset}
        state.moved = set(state.clocks)
        self.partitions[partition] = state

    def drop(self, partition: int) -> None:
        """Forget a partition that is no longer ours."""
        self.partitions.pop(partition, None)

    def fold_records(
        self,
        partition: int,
        values: Sequence[bytes | None],
        offsets: NDArray[np.int64],
        record_ms: NDArray[np.int64],
    ) -> Folded:
        """Decode and count a chunk of a source partition; offsets ascend."""
        state = self.partitions.setdefault(partition, PartitionState())
        folded = Folded()
        if len(offsets) and offsets[0] < state.next_offset:
            fresh = int(np.searchsorted(offsets, state.next_offset))
            values, offsets, record_ms = values[fresh:], offsets[fresh:], record_ms[fresh:]
        if not len(offsets):
            return folded
        decoded = self._decoder.decode(values, offsets, record_ms)
        self._fold_decoded(partition, state, decoded, offsets, record_ms, folded)
        return folded

    def fold_decoded(
        self, partition: int, decoded: Decoded, offsets: NDArray[np.int64], record_ms: NDArray[np.int64]
    ) -> Folded:
        """Count a chunk that is decoded already, as replay has it; each row comes once."""
        state = self.partitions.setdefault(partition, PartitionState())
        folded = Folded()
        self._fold_decoded(partition, state, decoded, offsets, record_ms, folded)
        return folded

    def _fold_decoded(
        self,
        partition: int,
        state: PartitionState,
        decoded: Decoded,
        offsets: NDArray[np.int64],
        record_ms: NDArray[np.int64],
        folded: Folded,
    ) -> None:
        broken = sorted((bad for bad in decoded.bad if bad.model in self._monitors), key=lambda bad: bad.row)
        for bad in broken:
            rows = decoded.models.get(bad.model)
            if rows is None or not len(rows.rows) or bad.row < rows.rows[0]:
                self._clock(state, bad.model).begin(int(record_ms[bad.row]))
        arrivals = {
            model: (rows, *self._fold_rows(partition, state, model, rows, folded))
            for model, rows in decoded.models.items()
        }
        for model, rows in self._named_unmonitored(state, decoded).items():
            self._fold_rows(partition, state, model, rows, folded)
        for bad in broken:
            clock = state.clocks[bad.model]
            watermark_ms, is_known = clock.watermark_ms, bad.version in clock.versions
            if bad.model in arrivals:
                rows, arrival, versions = arrivals[bad.model]
                before = int(np.searchsorted(rows.rows, bad.row))
                watermark_ms = int(arrival.watermark_ms[before])
                is_known = versions.is_known(bad.version, before)
            version = bad.version if is_known else ""
            at = int(offsets[bad.row]), int(record_ms[bad.row])
            self._count_invalid(partition, state, bad.model, version, watermark_ms, *at)
        folded.bad += decoded.bad
        state.next_offset = int(offsets[-1]) + 1

    def fold_batch(self, partition: int, model: str, batch: Batch) -> Folded:
        """Count rows that are columns already, as replay has them."""
        state = self.partitions.setdefault(partition, PartitionState())
        folded = Folded()
        if not len(batch):
            return folded
        self._fold_rows(partition, state, model, Rows(np.arange(len(batch), dtype=np.intp), batch), folded)
        state.next_offset = int(batch.offsets[-1]) + 1
        return folded

    def flush(self, partition: int, now_ms: int, *, caught_up: bool, said_ms: int | None = None) -> Flush:
        """Return what changed since the last flush, and close what the watermark has passed.

        Parameters
        ----------
        now_ms
            When the broker was last asked for more, by a clock that is never set: only how much it goes on
            counts, for partitions that are caught up and quiet. By a wall clock that steps, or while nobody
            asks, event time would run away.
        said_ms
            Wall clock, epoch ms, for heartbeats to carry; `now_ms` unless given.
        """
        state = self.partitions[partition]
        self._notice_quiet(state, now_ms, caught_up)
        for key in state.dirty:
            state.open[key].fence = max(state.open[key].fence, state.next_offset - 1)
        profiles = [(key, parts_of(state.open[key])) for key in sorted(state.dirty)]
        closed = [key for key in state.open if self._is_closed(state, key)]
        heartbeats = self._heartbeats(partition, state, now_ms if said_ms is None else said_ms)
        for key in closed:
            del state.open[key]
        state.dirty.clear()
        checkpoint = msgspec.msgpack.encode(Checkpoint(state.next_offset, state.clocks, state.segments))
        return Flush(partition, profiles, checkpoint, heartbeats, closed)

    def take_closed(
        self, partition: int, now_ms: int
    ) -> tuple[list[tuple[ProfileKey, Profile]], list[tuple[HeartbeatKey, Heartbeat]]]:
        """Return the profiles the watermark has passed, and heartbeats, for a judge in this process.

        It is `flush` where nothing can be lost: each profile leaves once, when it is final.

        Parameters
        ----------
        now_ms
            Virtual time, epoch ms; the partition counts as caught up.
        """
        state = self.partitions[partition]
        self._notice_quiet(state, now_ms, caught_up=True)
        closed = sorted(key for key in state.open if self._is_closed(state, key))
        profiles = [(key, state.open.pop(key)) for key in closed]
        for _, profile in profiles:
            profile.fence = state.next_offset - 1
        state.dirty.clear()
        return profiles, self._heartbeats(partition, state, now_ms)

    def close_all(self) -> None:
        """Move every watermark past what is open: the input has ended (replay)."""
        for state in self.partitions.values():
            for model, clock in state.clocks.items():
                clock.watermark_ms = max(clock.watermark_ms, clock.newest_ms + self._windows(model).pane)
                state.moved.add(model)

    def _windows(self, model: str) -> Windows:
        monitor = self._monitors.get(model)
        return _UNMONITORED_WINDOWS if monitor is None else monitor.windows

    def _named_unmonitored(self, state: PartitionState, decoded: Decoded) -> dict[str, Rows]:
        """Return the rows of models without a monitor by name; beyond the cap, all under one name."""
        named: dict[str, Rows] = {}
        for model, rows in decoded.unmonitored.items():
            known = sum(name not in self._monitors for name in state.clocks.keys() - {OTHER_MODELS})
            name = model if model in state.clocks or known < UNMONITORED_KEPT else OTHER_MODELS
            self._clock(state, name)
            named[name] = rows if name not in named else in_order(named[name], rows)
        return named

    def _clock(self, state: PartitionState, model: str) -> Clock:
        return state.clocks.setdefault(model, Clock(versions={}))

    def _fold_rows(
        self, partition: int, state: PartitionState, model: str, found: Rows, folded: Folded
    ) -> tuple[Arrival, Versions]:
        windows = self._windows(model)
        clock = self._clock(state, model)
        batch = found.batch
        arrival = clock.arrive(
            batch.ts_ms, batch.record_ms, pane_ms=windows.pane, lateness_ms=windows.allowed_lateness
        )
        state.moved.add(model)
        versions = label_versions(clock.versions, batch.versions, ~arrival.future, arrival.newest_ms)
        if arrival.future.any():
            self._turn_away_future(partition, state, model, found, arrival, versions, folded)
        taken = ~(arrival.future | arrival.late)
        batch = replace(
            batch, versions=versions.labels, segments=self._segment_labels(state, model, batch, taken)
        )
        late = int(np.count_nonzero(arrival.late))
        if late:
            folded.late[model] = folded.late.get(model, 0) + late
            self._count_late(partition, state, model, batch, arrival)
        n = int(np.count_nonzero(taken))
        folded.events[model] = folded.events.get(model, 0) + n
        if n:
            self._fold_groups(partition, state, model, batch, taken, arrival.pane_start_ms)
        if found.unexpected:
            self._count_unexpected(
                partition, state, model, replace(found, batch=batch), taken, arrival.pane_start_ms
            )
        return arrival, versions

    def _turn_away_future(
        self,
        partition: int,
        state: PartitionState,
        model: str,
        found: Rows,
        arrival: Arrival,
        versions: Versions,
        folded: Folded,
    ) -> None:
        batch = found.batch
        for row in np.flatnonzero(arrival.future).tolist():
            version, record_ms = batch.versions[row], int(batch.record_ms[row])
            ahead_s = (int(batch.ts_ms[row]) - record_ms) // 1000
            reason = f"ts is {ahead_s:,} s ahead of the broker; at most {FUTURE_MS // 1000} s are allowed"
            folded.bad.append(BadEvent(int(found.rows[row]), BadCode.FUTURE, reason, model, version))
            if model in self._monitors:
                counted = version if versions.is_known(version, row) else ""
                at_ms = int(arrival.watermark_ms[row])
                self._count_invalid(
                    partition, state, model, counted, at_ms, int(batch.offsets[row]), record_ms
                )

    def _segment_labels(
        self, state: PartitionState, model: str, batch: Batch, taken: NDArray[np.bool_]
    ) -> Sequence[Sequence[str]]:
        if not batch.segments:
            return ()
        return [
            label_segments(state.segments.setdefault(f"{model}\xff{name}", []), values, taken)
            for name, values in zip(self._monitors[model].segments, batch.segments, strict=True)
        ]

    def _fold_groups(
        self,
        partition: int,
        state: PartitionState,
        model: str,
        batch: Batch,
        taken: NDArray[np.bool_],
        pane_start_ms: NDArray[np.int64],
    ) -> None:
        """Fold rows group by group; a group is one pane, version and segment."""
        versions = batch.versions
        names = sorted(set(versions))
        codes = np.zeros(len(batch), np.int64)
        if len(names) > 1:
            place = {name: code for code, name in enumerate(names)}
            codes = np.fromiter((place[name] for name in versions), np.int64, count=len(batch))
        for start in np.unique(pane_start_ms[taken]):
            in_pane = taken & (pane_start_ms == start)
            for code, version in enumerate(names):
                rows = np.flatnonzero(in_pane & (codes == code))
                if not len(rows):
                    continue
                part = batch if len(rows) == len(batch) else batch.take(rows)
                self._fold_into(state, ProfileKey(partition, model, version, "", int(start)), part)
                self._fold_segments(partition, state, model, version, int(start), part)

    def _fold_segments(
        self, partition: int, state: PartitionState, model: str, version: str, start: int, batch: Batch
    ) -> None:
        if not batch.segments:
            return
        for name, labels in zip(self._monitors[model].segments, batch.segments, strict=True):
            for label in sorted(set(labels) - {""}):
                rows = np.array([row for row, held in enumerate(labels) if held == label], dtype=np.intp)
                key = ProfileKey(partition, model, version, f"{name}={label}", start)
                self._fold_into(state, key, batch.take(rows))

    def _fold_into(self, state: PartitionState, key: ProfileKey, batch: Batch) -> None:
        profile = self._profile(state, key)
        if batch.offsets[0] <= profile.fence:
            # After a crash the profile was written, the checkpoint not: these rows are counted already.
            batch = batch.take(np.flatnonzero(batch.offsets > profile.fence))
        if len(batch):
            profile.fold(batch)
            state.dirty.add(key)

    def _profile(self, state: PartitionState, key: ProfileKey) -> Profile:
        profile = state.open.get(key)
        if profile is None:
            profile = state.open[key] = Profile(self.layout(key.model, key.pane_start_ms))
        return profile

    def _count_late(
        self, partition: int, state: PartitionState, model: str, batch: Batch, arrival: Arrival
    ) -> None:
        """Count late events in the pane the watermark stood in as they came."""
        pane_ms = self._windows(model).pane
        for row in np.flatnonzero(arrival.late).tolist():
            start = int(arrival.watermark_ms[row]) // pane_ms * pane_ms
            profile = self._uncounted(
                state, ProfileKey(partition, model, batch.versions[row], "", start), batch.offsets[row]
            )
            if profile is not None:
                profile.late += 1

    def _count_invalid(
        self,
        partition: int,
        state: PartitionState,
        model: str,
        version: str,
        watermark_ms: int,
        offset: int,
        record_ms: int,
    ) -> None:
        """Count a bad event in the pane the watermark stood in as it came."""
        windows = self._windows(model)
        at_ms = record_ms - windows.allowed_lateness if watermark_ms == NEVER_MS else watermark_ms
        key = ProfileKey(partition, model, version, "", at_ms // windows.pane * windows.pane)
        profile = self._uncounted(state, key, offset)
        if profile is not None:
            profile.invalid += 1

    def _uncounted(self, state: PartitionState, key: ProfileKey, offset: int) -> Profile | None:
        """Return the profile to count a row in, or None if it holds that offset already."""
        profile = self._profile(state, key)
        if offset <= profile.fence:
            return None
        state.dirty.add(key)
        return profile

    def _count_unexpected(
        self,
        partition: int,
        state: PartitionState,
        model: str,
        found: Rows,
        taken: NDArray[np.bool_],
        pane_start_ms: NDArray[np.int64],
    ) -> None:
        where = {int(row): at for at, row in enumerate(found.rows)}
        for row, names in found.unexpected:
            at = where.get(row)
            if at is not None and taken[at]:
                key = ProfileKey(partition, model, found.batch.versions[at], "", int(pane_start_ms[at]))
                profile = self._uncounted(state, key, int(found.batch.offsets[at]))
                if profile is not None:
                    profile.note_unexpected(names)

    def _notice_quiet(self, state: PartitionState, now_ms: int, caught_up: bool) -> None:
        for model in list(state.clocks):
            if model in state.moved or not caught_up:
                # Only good events say where event time is; bad ones leave the model quiet.
                state.seen_ms[model] = now_ms
                if model in state.idle:
                    # Told at once: with a backlog to come, the judge must wait for this partition again.
                    state.idle.discard(model)
                    state.moved.add(model)
                continue
            quiet_ms = now_ms - state.seen_ms.setdefault(model, now_ms)
            if quiet_ms > FORGET_AFTER_MS and not any(key.model == model for key in state.open):
                self._forget(state, model)
            elif quiet_ms >= IDLE_AFTER_MS:
                self._extrapolate(state, model, quiet_ms)

    def _extrapolate(self, state: PartitionState, model: str, quiet_ms: int) -> None:
        state.clocks[model].extrapolate(quiet_ms, self._windows(model).allowed_lateness)
        if model not in state.idle or any(
            key.model == model and self._is_closed(state, key) for key in state.open
        ):
            state.moved.add(model)
        state.idle.add(model)

    def _forget(self, state: PartitionState, model: str) -> None:
        del state.clocks[model]
        state.seen_ms.pop(model, None)
        state.idle.discard(model)

    def _is_closed(self, state: PartitionState, key: ProfileKey) -> bool:
        # A profile restored ahead of its checkpoint may be of a model the checkpoint does not know yet.
        clock = state.clocks.get(key.model)
        end_ms = key.pane_start_ms + self._windows(key.model).pane
        return clock is not None and end_ms <= clock.watermark_ms

    def _heartbeats(
        self, partition: int, state: PartitionState, now_ms: int
    ) -> list[tuple[HeartbeatKey, Heartbeat]]:
        moved, state.moved = sorted(state.moved), set()
        return [(HeartbeatKey(partition, model), self._heartbeat(state, model, now_ms)) for model in moved]

    def _heartbeat(self, state: PartitionState, model: str, now_ms: int) -> Heartbeat:
        clock = state.clocks[model]
        return Heartbeat(
            watermark_ms=clock.watermark_ms,
            idle=model in state.idle,
            last_event_ms=clock.newest_ms,
            last_record_ms=clock.last_record_ms,
            at_ms=now_ms,
            monitored=model in self._monitors,
        )
