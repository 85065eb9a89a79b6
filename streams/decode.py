"""From the bytes of a chunk to columns: decoding and validation, at the edge of everything.

From each monitor file a typed msgspec decoder is compiled, one tagged union over all models. Good
events take the fast path, a C loop; an event that fails there is looked at again, one by one: it has
only unexpected features, or its model has no monitor, or it is bad, and then says why in plain words.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.batch import Batch, hash_ids, stacked
from streams.events import MAX_EVENT_BYTES, MAX_ID_LENGTH, MAX_NAME_LENGTH, MAX_TIME_MS, MIN_TIME_MS
from streams.layout import Layout
from streams.monitor import Monitor
from streams.reasons import plain

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MS = timedelta(milliseconds=1)
_EXACT_SECONDS = float(1 << 32)
#: A chunk is decoded by so many rows at a time: their objects then stay in the processor's cache.
SLICE_ROWS = 1_000

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]
Version = Annotated[str, msgspec.Meta(max_length=MAX_NAME_LENGTH)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_LENGTH)]
Time = (
    Annotated[datetime, msgspec.Meta(tz=True)] | Annotated[int, msgspec.Meta(ge=MIN_TIME_MS, le=MAX_TIME_MS)]
)
Latency = Annotated[float, msgspec.Meta(ge=0)]


class BadCode(StrEnum):
    """Why an event is bad; a header of its dead letter and a label of its counter."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    UNEXPECTED_FEATURE = "unexpected_feature"
    FUTURE = "future"


@dataclass(frozen=True, slots=True)
class BadEvent:
    """An event for the dead-letter topic: its row in the chunk, why, and whose it is where that is known."""

    row: int
    code: BadCode
    reason: str
    model: str = ""
    version: str = ""


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


class ModelCodec:
    """The decoders of one model, compiled from its monitor and layout."""

    def __init__(self, monitor: Monitor, layout: Layout) -> None:
        self.monitor = monitor
        self.layout = layout
        lists_features = bool(monitor.features)
        self.strict = self._event_type(
            forbid_unknown=lists_features and monitor.unexpected_features != "ignore"
        )
        # Without a tag: the model is known by then, and msgspec finds no tag spelt with \\u escapes.
        self.lenient = msgspec.json.Decoder(self._event_type(forbid_unknown=False, tagged=False))
        place = {name: position for position, name in enumerate(monitor.features)}
        self._numbers = [place[c.name] for c in layout.numbers if c.role == "feature"]
        self._categories = [
            (place[c.name], monitor.features[c.name].type) for c in layout.categories if c.role == "feature"
        ]

    def _event_type(self, *, forbid_unknown: bool, tagged: bool = True) -> type[msgspec.Struct]:
        json_types: dict[str, Any] = {"number": float | None, "category": str | None, "boolean": bool | None}
        names = list(self.monitor.features)
        features = msgspec.defstruct(
            "Features",
            [(f"f{i}", json_types[self.monitor.features[name].type], None) for i, name in enumerate(names)],
            rename={f"f{i}": name for i, name in enumerate(names)},
            forbid_unknown_fields=forbid_unknown,
            gc=False,
        )
        prediction: dict[str, Any] = {
            "score": float | None,
            "number": float | None,
            "class": str | None,
            "probabilities": dict[str, float] | None,
        }
        fields: list[Any] = [
            ("id", Id),
            ("ts", Time),
            ("prediction", prediction[self.monitor.prediction.type]),
            ("features", features, msgspec.field(default_factory=features)),
            ("latency_ms", Latency | None, None),
            ("error", str | None, None),
            ("version", Version, ""),
        ]
        if self.monitor.segments:
            fields.append(("segments", dict[str, str] | None, None))
        if not tagged:
            return msgspec.defstruct("Event", fields, gc=False)
        return msgspec.defstruct("Event", fields, tag_field="model", tag=self.monitor.model, gc=False)

    def batch(self, events: list[Any], offsets: NDArray[np.int64], record_ms: NDArray[np.int64]) -> Batch:
        """Return decoded events as columns."""
        features = _by_column(events, len(self.monitor.features))
        predictions = list(map(attrgetter("prediction"), events))
        numbers: list[Any] = [features[self._numbers]]
        texts: list[list[Any]] = []
        for position, kind in self._categories:
            values = features[position].tolist()
            texts.append([_BOOLEANS[value] for value in values] if kind == "boolean" else values)
        match self.monitor.prediction.type:
            case "class":
                texts.append(predictions)
            case "probabilities":
                for name in self.monitor.prediction.classes or ():
                    numbers.append([[(p or {}).get(name) for p in predictions]])
            case _:
                numbers.append([predictions])
        numbers.append([list(map(attrgetter("latency_ms"), events))])
        segments = [
            [(event.segments or {}).get(name, "") for event in events] for name in self.monitor.segments
        ]
        return Batch(
            offsets=offsets,
            ts_ms=times_ms(list(map(attrgetter("ts"), events))),
            record_ms=record_ms,
            id_hashes=hash_ids(list(map(attrgetter("id"), events))),
            errors=_failed(events),
            numbers=np.concatenate([np.array(some, dtype=np.float64) for some in numbers]).T,
            texts=texts,
            versions=list(map(attrgetter("version"), events)),
            segments=segments,
        )


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
            bad.append(_unreadable(row, value, broken))
            return None, ()
        if not isinstance(peek.model, str) or not 0 < len(peek.model) <= MAX_NAME_LENGTH:
            bad.append(_bad_model(row, peek.model))
            return None, ()
        codec = self._codecs.get(peek.model)
        version = peek.version if isinstance(peek.version, str) else ""
        try:
            if codec is None:
                return msgspec.json.decode(value, type=_Unmonitored), ()
            event = codec.lenient.decode(value)
        except msgspec.ValidationError as broken:
            bad.append(_invalid(row, str(broken), peek.model, version))
            return None, ()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
            bad.append(replace(_unreadable(row, value, broken), model=peek.model, version=version))
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
                errors=_failed(chosen),
                numbers=_column([event.latency_ms for event in chosen]).reshape(-1, 1),
                texts=(),
                versions=[event.version for event in chosen],
            )
            result.unmonitored[model] = Rows(mine, batch)


_BOOLEANS = {None: None, False: "false", True: "true"}
_NOT_A_NUMBER = re.compile(rb"[\[:,]\s*(-?(?:NaN|Infinity))\b")
_JSON_KINDS = {int: "a number", float: "a number", bool: "true or false", list: "an array", dict: "an object"}


def times_ms(times: Sequence[datetime | int]) -> NDArray[np.int64]:
    """Return datetimes (with zone) or epoch milliseconds as epoch milliseconds."""
    try:
        seconds = np.fromiter(map(datetime.timestamp, times), np.float64, len(times))  # type: ignore[arg-type]
    except TypeError:
        seconds = None
    # A float's seconds are good to a microsecond for some 140 years around 1970.
    if seconds is None or np.abs(seconds).max(initial=0.0) > _EXACT_SECONDS:
        exact = [at if isinstance(at, int) else (at - _EPOCH) // _MS for at in times]
        return np.array(exact, dtype=np.int64)
    # Floor, as the exact division above; the nudge undoes the float's last bit.
    whole: NDArray[np.int64] = np.floor(seconds * 1000.0 + 1e-3).astype(np.int64)
    return whole


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


def _by_column(events: list[Any], width: int) -> NDArray[np.object_]:
    """Return the features of events, shape ``(width, n)``."""
    values = chain.from_iterable(map(msgspec.structs.astuple, map(attrgetter("features"), events)))
    return np.fromiter(values, np.object_, width * len(events)).reshape(len(events), width).T


def _column(values: list[float | None]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def _failed(events: Sequence[Any]) -> NDArray[np.bool_]:
    errors = list(map(attrgetter("error"), events))
    if errors.count(None) == len(errors):
        return np.zeros(len(errors), np.bool_)
    return np.array([error is not None for error in errors])


def _unreadable(row: int, value: bytes, error: Exception) -> BadEvent:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as undecodable:
        reason = f"byte {undecodable.start} is not UTF-8 (0x{value[undecodable.start]:02x}); send UTF-8"
        return BadEvent(row, BadCode.NOT_UTF8, reason)
    if isinstance(error, RecursionError):
        return BadEvent(row, BadCode.NOT_JSON, "nested too deeply to be read; send a flat event")
    if isinstance(error, msgspec.ValidationError):
        return BadEvent(row, BadCode.WRONG_TYPE, f"{plain(str(error))}; send one JSON object per record")
    if literal := _NOT_A_NUMBER.search(value):
        return BadEvent(row, BadCode.NOT_JSON, f"{literal[1].decode()} is not JSON; send null instead")
    return BadEvent(row, BadCode.NOT_JSON, f"not JSON: {error}")


def _bad_model(row: int, model: Any) -> BadEvent:
    if model is None:
        return BadEvent(row, BadCode.MISSING_FIELD, "model: missing; name the model that predicted")
    if not isinstance(model, str):
        return BadEvent(row, BadCode.WRONG_TYPE, f"model: expected text, got {_JSON_KINDS[type(model)]}")
    return BadEvent(
        row, BadCode.WRONG_TYPE, f"model: needs 1 to {MAX_NAME_LENGTH} characters, has {len(model)}"
    )


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


def _invalid(row: int, message: str, model: str, version: str) -> BadEvent:
    missing = message.startswith("Object missing required field")
    code = BadCode.MISSING_FIELD if missing else BadCode.WRONG_TYPE
    return BadEvent(row, code, plain(message), model, version)
