"""From the bytes of a chunk to columns: decoding and validation, at the edge of everything.

From each monitor file a typed msgspec decoder is compiled, one tagged union over all models. Good
events take the fast path, a C loop; an event that fails there is looked at again, one by one: it has
only unexpected features, or its model has no monitor, or it is bad, and then says why in plain words.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.bad_event import BadCode, BadEvent, bad_model, invalid, unreadable
from streams.batch import Batch, hash_ids, stacked
from streams.codec import Id, Latency, ModelCodec, Name, Time, Version, failed, times_ms
from streams.events import MAX_EVENT_BYTES, MAX_NAME_LENGTH

#: A chunk is decoded by so many rows at a time: their objects then stay in the processor's cache.
SLICE_ROWS = 1_000


@dataclass(slots=True)
class Rows:
    """The rows of one model: where they stood in the chunk, and their columns."""

    rows: NDArray[np.intp]
    batch: Batch
    unexpected: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)

    def between(self, low: int, high: int) -> "Rows":
        """Return what stood in rows ``low`` to ``high`` of the chunk, as a chunk of its own."""
        first, last = np.searchsorted(self.rows, (low, high)).tolist()
        noted = [(row - low, names) for row, names in self.unexpected if low <= row < high]
        return Rows(self.rows[first:last] - low, self.batch.between(first, last), noted)


@dataclass(slots=True)
class Decoded:
    """A chunk, decoded: columns by model, models without a monitor apart, and what was bad."""

    models: dict[str, Rows] = field(default_factory=dict)
    unmonitored: dict[str, Rows] = field(default_factory=dict)
    bad: list[BadEvent] = field(default_factory=list)

    def between(self, low: int, high: int) -> "Decoded":
        """Return rows ``low`` to ``high`` as a chunk of its own."""
        return Decoded(
            _between(self.models, low, high),
            _between(self.unmonitored, low, high),
            [replace(one, row=one.row - low) for one in self.bad if low <= one.row < high],
        )


def _between(models: Mapping[str, Rows], low: int, high: int) -> dict[str, Rows]:
    parts = {model: rows.between(low, high) for model, rows in models.items()}
    return {model: part for model, part in parts.items() if len(part.rows)}


class _Unmonitored(msgspec.Struct, gc=False):
    id: Id
    model: Name
    ts: Time
    prediction: float | str | bool | dict[str, float] | None
    latency_ms: Latency | None = None
    error: str | None = None
    version: Version = ""


class _Nobody(msgspec.Struct, tag_field="model", tag="", gc=False):
    """Makes a union of one model: alone, msgspec takes an event without its tag for that model's."""

    never: Annotated[int, msgspec.Meta(ge=1, le=0)]


class _Peek(msgspec.Struct, gc=False):
    model: Any = None
    version: Any = None
    features: Any = None


class Decoder:
    """Decodes chunks for a set of monitored models.

    Notes
    -----
    About 2 µs an event with 20 features on the fast path; an event that fails it costs four times that.
    """

    def __init__(self, codecs: Mapping[str, ModelCodec]) -> None:
        self._codecs = dict(codecs)
        types = [codec.strict for codec in self._codecs.values()]
        union: Any = _Nobody
        for one in types:
            union = union | one
        self._fast: Callable[[Any], Any] = msgspec.json.Decoder(union).decode
        self._model_of = {codec.strict: model for model, codec in self._codecs.items()}
        self._model_of |= {codec.lenient.type: model for model, codec in self._codecs.items()}

    def decode(
        self, values: Sequence[bytes | None], offsets: NDArray[np.int64], record_ms: NDArray[np.int64]
    ) -> Decoded:
        """Decode records of one partition, in order; never raises for what is in them."""
        starts = range(0, max(len(values), 1), SLICE_ROWS)
        slices = [slice(low, low + SLICE_ROWS) for low in starts]
        return _consecutive([self._decode(values[s], offsets[s], record_ms[s]) for s in slices], starts)

    def _decode(
        self, values: Sequence[bytes | None], offsets: NDArray[np.int64], record_ms: NDArray[np.int64]
    ) -> Decoded:
        result = Decoded()
        unexpected: dict[int, tuple[str, ...]] = {}
        events = self._events(values, result.bad, unexpected)
        for kind, rows in _rows_by_type(events).items():
            if kind is type(None):
                continue
            rows = _with_prediction(events, rows, result.bad, self._model_of)
            if not len(rows):
                continue
            chosen = events if len(rows) == len(events) else [events[row] for row in rows]
            if kind is _Unmonitored:
                self._place_unmonitored(result, chosen, rows, offsets, record_ms)
                continue
            model = self._model_of[kind]
            batch = self._codecs[model].batch(chosen, offsets[rows], record_ms[rows])
            noted = [(int(row), unexpected[row]) for row in rows if row in unexpected] if unexpected else []
            _add(result.models, model, Rows(rows, batch, noted))
        return result

    def _events(
        self, values: Sequence[bytes | None], bad: list[BadEvent], unexpected: dict[int, tuple[str, ...]]
    ) -> list[Any]:
        """Decode all values; None stands where one was bad."""
        events: list[Any] = []
        remaining = iter(_bounded(values))
        while True:
            try:
                # `extend` keeps what it had when an event raises, so the loop goes on right behind it.
                events.extend(map(self._fast, remaining))
                return events
            except (msgspec.DecodeError, UnicodeDecodeError, TypeError, RecursionError):
                row = len(events)
                event, names = self._second_look(row, values[row], bad)
                if names:
                    unexpected[row] = names
                events.append(event)

    def _second_look(self, row: int, value: bytes | None, bad: list[BadEvent]) -> tuple[Any, tuple[str, ...]]:
        if not value:
            bad.append(BadEvent(row, BadCode.EMPTY, "the record has no value; send the event as JSON"))
            return None, ()
        if len(value) > MAX_EVENT_BYTES:
            bad.append(
                BadEvent(
                    row, BadCode.TOO_LARGE, f"{len(value):,} bytes; at most {MAX_EVENT_BYTES:,} are read"
                )
            )
            return None, ()
        try:
            peek = msgspec.json.decode(value, type=_Peek)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
            bad.append(unreadable(row, value, broken))
            return None, ()
        if not isinstance(peek.model, str) or not 0 < len(peek.model) <= MAX_NAME_LENGTH:
            bad.append(bad_model(row, peek.model))
            return None, ()
        codec = self._codecs.get(peek.model)
        version = peek.version if isinstance(peek.version, str) else ""
        try:
            if codec is None:
                return msgspec.json.decode(value, type=_Unmonitored), ()
            event = codec.lenient.decode(value)
        except msgspec.ValidationError as broken:
            bad.append(invalid(row, str(broken), peek.model, version))
            return None, ()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
            bad.append(replace(unreadable(row, value, broken), model=peek.model, version=version))
            return None, ()
        names = tuple(name for name in peek.features or () if name not in codec.monitor.features)
        if names and codec.monitor.unexpected_features == "reject":
            shown = ", ".join(name[:MAX_NAME_LENGTH] for name in sorted(names)[:5])
            reason = (
                f"features the monitor does not list: {shown}; list them or set unexpected_features: warn"
            )
            bad.append(BadEvent(row, BadCode.UNEXPECTED_FEATURE, reason, peek.model, version))
            return None, ()
        return event, names

    def _place_unmonitored(
        self,
        result: Decoded,
        events: list[_Unmonitored],
        rows: NDArray[np.intp],
        offsets: NDArray[np.int64],
        record_ms: NDArray[np.int64],
    ) -> None:
        for model in Counter(event.model for event in events):
            at = np.array([i for i, event in enumerate(events) if event.model == model], dtype=np.intp)
            chosen = [events[i] for i in at]
            mine = rows[at]
            batch = Batch(
                offsets=offsets[mine],
                ts_ms=times_ms([event.ts for event in chosen]),
                record_ms=record_ms[mine],
                id_hashes=hash_ids([event.id for event in chosen]),
                errors=failed(chosen),
                numbers=_column([event.latency_ms for event in chosen]).reshape(-1, 1),
                texts=(),
                versions=[event.version for event in chosen],
            )
            result.unmonitored[model] = Rows(mine, batch)


def _bounded(values: Sequence[bytes | None]) -> Sequence[bytes | None]:
    """Let the fast path fail on what is too large to be decoded at all."""
    if max(map(len, filter(None, values)), default=0) <= MAX_EVENT_BYTES:
        return values
    return [None if value and len(value) > MAX_EVENT_BYTES else value for value in values]


def _rows_by_type(events: list[Any]) -> dict[type, NDArray[np.intp]]:
    kinds = set(map(type, events))
    if len(kinds) == 1:
        return {kinds.pop(): np.arange(len(events), dtype=np.intp)}
    rows: dict[type, list[int]] = {kind: [] for kind in kinds}
    for row, event in enumerate(events):
        rows[type(event)].append(row)
    return {kind: np.array(found, dtype=np.intp) for kind, found in rows.items()}


def _add(models: dict[str, Rows], model: str, rows: Rows) -> None:
    models[model] = rows if model not in models else in_order(models[model], rows)


def in_order(one: Rows, two: Rows) -> Rows:
    """Return two sets of rows of one model as one, in arrival order."""
    both = np.concatenate((one.rows, two.rows))
    order = np.argsort(both, kind="stable")
    return Rows(both[order], stacked((one.batch, two.batch)).take(order), one.unexpected + two.unexpected)


def _consecutive(slices: Sequence[Decoded], starts: Sequence[int]) -> Decoded:
    """Return consecutive slices of a chunk, each counting its rows from 0, as one.

    Parameters
    ----------
    starts
        The row of the chunk at which each slice begins, ascending.
    """
    if len(slices) == 1:
        return slices[0]
    return Decoded(
        _models_of([one.models for one in slices], starts),
        _models_of([one.unmonitored for one in slices], starts),
        [replace(bad, row=bad.row + at) for one, at in zip(slices, starts, strict=True) for bad in one.bad],
    )


def _models_of(slices: Sequence[Mapping[str, Rows]], starts: Sequence[int]) -> dict[str, Rows]:
    found: dict[str, list[tuple[int, Rows]]] = {}
    for one, at in zip(slices, starts, strict=True):
        for model, rows in one.items():
            found.setdefault(model, []).append((at, rows))
    return {
        model: Rows(
            np.concatenate([rows.rows + at for at, rows in parts]),
            stacked([rows.batch for _, rows in parts]),
            [(row + at, names) for at, rows in parts for row, names in rows.unexpected],
        )
        for model, parts in found.items()
    }


def _column(values: list[float | None]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def _with_prediction(
    events: list[Any], rows: NDArray[np.intp], bad: list[BadEvent], model_of: Mapping[type, str]
) -> NDArray[np.intp]:
    """Drop events whose prediction is null though nothing failed."""
    chosen = events if len(rows) == len(events) else [events[row] for row in rows]
    if None not in list(map(attrgetter("prediction"), chosen)):
        return rows
    kept: NDArray[np.bool_] = np.array([e.prediction is not None or e.error is not None for e in chosen])
    for row in rows[~kept]:
        event = events[row]
        model = model_of.get(type(event)) or event.model
        reason = "prediction: null needs an `error` that says why there is none"
        bad.append(BadEvent(int(row), BadCode.MISSING_FIELD, reason, model, event.version))
    good: NDArray[np.intp] = rows[kept]
    return good
