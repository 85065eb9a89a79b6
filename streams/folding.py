"""Counting a chunk's rows in the profiles of its partition: good ones, late ones, and bad ones.

A row is judged by the rows before it alone, so that any chunking of the same records counts alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.bad_event import BadCode, BadEvent
from streams.batch import Batch
from streams.decode import Decoded, Rows, in_order
from streams.joins.records import Predicted, place
from streams.labels import Versions, label_listed, label_segments, label_versions
from streams.matching import hold
from streams.partition import PartitionState
from streams.watermark import FUTURE_MS, Arrival, Clock
from streams.wire import ProfileKey

UNMONITORED_KEPT = 100
#: Under this name go models without a monitor file beyond that many.
OTHER_MODELS = "(other)"

Taken = NDArray[np.bool_]


@dataclass(slots=True)
class Folded:
    """Counts of one chunk, for metrics; bad events, for the dead-letter topic; predictions, for the join."""

    events: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    bad: list[BadEvent] = field(default_factory=list)
    predicted: list[Predicted] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A model's rows of a chunk, their times, and the versions they count under."""

    rows: Rows
    arrival: Arrival
    versions: Versions


def fold_chunk(
    state: PartitionState, decoded: Decoded, offsets: NDArray[np.int64], record_ms: NDArray[np.int64]
) -> Folded:
    """Count a decoded chunk, whose rows have these offsets and broker's times, shape ``(n,)``."""
    folded = Folded()
    broken = sorted((bad for bad in decoded.bad if bad.model in state.models), key=lambda bad: bad.row)
    for bad in broken:
        rows = decoded.models.get(bad.model)
        if rows is None or not len(rows.rows) or bad.row < rows.rows[0]:
            state.clock(bad.model).begin(int(record_ms[bad.row]))
    placed = {model: fold_rows(state, model, rows, folded) for model, rows in decoded.models.items()}
    for model, rows in _named_unmonitored(state, decoded).items():
        fold_rows(state, model, rows, folded)
    for bad in broken:
        _count_broken(state, bad, placed.get(bad.model), int(offsets[bad.row]), int(record_ms[bad.row]))
    folded.bad += decoded.bad
    state.next_offset = int(offsets[-1]) + 1
    return folded


def fold_rows(state: PartitionState, model: str, found: Rows, folded: Folded) -> _Placed:
    """Count one model's rows, and add to the chunk's counts."""
    windows = state.models.windows(model)
    clock = state.clock(model)
    batch = found.batch
    arrival = clock.arrive(
        batch.ts_ms, batch.record_ms, pane_ms=windows.pane, lateness_ms=windows.allowed_lateness
    )
    state.moved.add(model)
    versions = label_versions(clock.versions, batch.versions, ~arrival.future, arrival.newest_ms[1:])
    placed = _Placed(found, arrival, versions)
    if arrival.future.any():
        _turn_away_future(state, model, placed, folded)
    taken = ~(arrival.future | arrival.late)
    batch = replace(
        batch,
        versions=versions.labels,
        segments=_segment_labels(state, model, batch, taken, arrival.pane_start_ms),
        held=hold(state.models.patterns(model), batch.texts),
    )
    late = int(np.count_nonzero(arrival.late))
    if late:
        folded.late[model] = folded.late.get(model, 0) + late
        _count_late(state, model, batch, arrival)
    n = int(np.count_nonzero(taken))
    folded.events[model] = folded.events.get(model, 0) + n
    if batch.ids:
        folded.predicted += _predicted(state, model, batch, arrival.future)
    if n:
        _fold_groups(state, model, batch, taken, arrival.pane_start_ms)
    if found.unexpected:
        _count_unexpected(state, model, replace(found, batch=batch), taken, arrival.pane_start_ms)
    return placed


def _named_unmonitored(state: PartitionState, decoded: Decoded) -> dict[str, Rows]:
    """Return the rows of models without a monitor by name; beyond the cap, all under one name."""
    named: dict[str, Rows] = {}
    for model, rows in decoded.unmonitored.items():
        known = sum(name not in state.models for name in state.clocks.keys() - {OTHER_MODELS})
        name = model if model in state.clocks or known < UNMONITORED_KEPT else OTHER_MODELS
        state.clock(name)
        named[name] = rows if name not in named else in_order(named[name], rows)
    return named


# Good rows.


def _segment_labels(
    state: PartitionState, model: str, batch: Batch, taken: Taken, pane_start_ms: NDArray[np.int64]
) -> Sequence[Sequence[str]]:
    if not batch.segments:
        return ()
    # Mostly all rows are of one layout: another takes effect at a pane.
    starts, of_row = np.unique(pane_start_ms, return_inverse=True)
    by_pane = [state.models.segment_values(model, int(start)) for start in starts]
    labels: list[Sequence[str]] = []
    for name, values in zip(state.models.segments(model), batch.segments, strict=True):
        lists = [known[name] for known in by_pane]
        parts = {
            listed: np.array([one == listed for one in lists])[of_row] for listed in dict.fromkeys(lists)
        }
        known = state.segments.setdefault(f"{model}\xff{name}", []) if None in parts else []
        found = {
            listed: label_segments(known, values, taken & rows)
            if listed is None
            else label_listed(listed, values)
            for listed, rows in parts.items()
        }
        if len(found) == 1:
            labels += found.values()
            continue
        labels.append([found[lists[pane]][row] for row, pane in enumerate(of_row.tolist())])
    return labels


def _fold_groups(
    state: PartitionState, model: str, batch: Batch, taken: Taken, pane_start_ms: NDArray[np.int64]
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
            key = ProfileKey(state.partition, model, version, "", int(start))
            state.fold(key, part)
            _fold_segments(state, key, part)


def _fold_segments(state: PartitionState, whole: ProfileKey, batch: Batch) -> None:
    if not batch.segments:
        return
    for name, labels in zip(state.models.segments(whole.model), batch.segments, strict=True):
        for label in sorted(set(labels) - {""}):
            rows = np.array([row for row, held in enumerate(labels) if held == label], dtype=np.intp)
            state.fold(msgspec.structs.replace(whole, segment=f"{name}={label}"), batch.take(rows))


def _predicted(state: PartitionState, model: str, batch: Batch, future: Taken) -> Iterator[Predicted]:
    """Yield the predictions to be joined with labels; what is late for its pane is not late for that."""
    names, sample = state.models.segments(model), state.models.label_sample(model)
    for row in np.flatnonzero(~(future | batch.errors)).tolist():
        if batch.answers[row] is None or (sample < 1.0 and place(model, batch.ids[row])[1] >= sample):
            continue
        labels = zip(names, (values[row] for values in batch.segments), strict=True)
        yield Predicted(
            model=model,
            id=batch.ids[row],
            source=(state.partition, int(batch.offsets[row])),
            ts_ms=int(batch.ts_ms[row]),
            record_ms=int(batch.record_ms[row]),
            version=batch.versions[row],
            segments=tuple(f"{name}={label}" for name, label in labels if label),
            prediction=batch.answers[row],
        )


# Rows that are no good, each counted in the pane the watermark stood in as it came.


def _turn_away_future(state: PartitionState, model: str, placed: _Placed, folded: Folded) -> None:
    batch, arrival = placed.rows.batch, placed.arrival
    for row in np.flatnonzero(arrival.future).tolist():
        version, record_ms = batch.versions[row], int(batch.record_ms[row])
        ahead_s = (int(batch.ts_ms[row]) - record_ms) // 1000
        reason = f"ts is {ahead_s:,} s ahead of the broker; at most {FUTURE_MS // 1000} s are allowed"
        folded.bad.append(BadEvent(int(placed.rows.rows[row]), BadCode.FUTURE, reason, model, version))
        if model in state.models:
            counted = version if placed.versions.is_known(version, row) else ""
            _count_invalid(state, model, counted, arrival.before(row), int(batch.offsets[row]), record_ms)


def _count_broken(
    state: PartitionState, bad: BadEvent, placed: _Placed | None, offset: int, record_ms: int
) -> None:
    clock = state.clocks[bad.model]
    is_known = bad.version in clock.versions
    if placed is not None:
        before = int(np.searchsorted(placed.rows.rows, bad.row))
        clock = placed.arrival.before(before)
        is_known = placed.versions.is_known(bad.version, before)
    _count_invalid(state, bad.model, bad.version if is_known else "", clock, offset, record_ms)


def _count_invalid(
    state: PartitionState, model: str, version: str, clock: Clock, offset: int, record_ms: int
) -> None:
    windows = state.models.windows(model)
    at_ms = clock.reached(record_ms, windows.allowed_lateness)
    key = ProfileKey(state.partition, model, version, "", at_ms // windows.pane * windows.pane)
    profile = state.uncounted(key, offset)
    if profile is not None:
        profile.invalid += 1


def _count_late(state: PartitionState, model: str, batch: Batch, arrival: Arrival) -> None:
    pane_ms = state.models.windows(model).pane
    for row in np.flatnonzero(arrival.late).tolist():
        start_ms = int(arrival.watermark_ms[row]) // pane_ms * pane_ms
        key = ProfileKey(state.partition, model, batch.versions[row], "", start_ms)
        profile = state.uncounted(key, int(batch.offsets[row]))
        if profile is not None:
            profile.late += 1


def _count_unexpected(
    state: PartitionState, model: str, found: Rows, taken: Taken, pane_start_ms: NDArray[np.int64]
) -> None:
    where = {int(row): at for at, row in enumerate(found.rows)}
    for row, names in found.unexpected:
        at = where.get(row)
        if at is not None and taken[at]:
            key = ProfileKey(state.partition, model, found.batch.versions[at], "", int(pane_start_ms[at]))
            profile = state.uncounted(key, int(found.batch.offsets[at]))
            if profile is not None:
                profile.note_unexpected(names)
