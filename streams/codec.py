"""A model's codec: the typed decoders compiled from its monitor, and its events as columns."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.batch import Batch, hash_ids
from streams.events import MAX_ID_LENGTH, MAX_NAME_LENGTH, MAX_TIME_MS, MIN_TIME_MS
from streams.layout import Layout
from streams.monitor import Monitor
from streams.pairing import paired_positions

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MS = timedelta(milliseconds=1)
_EXACT_SECONDS = float(1 << 32)
_BOOLEANS = {None: None, False: "false", True: "true"}

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]
Version = Annotated[str, msgspec.Meta(max_length=MAX_NAME_LENGTH)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_LENGTH)]
Time = (
    Annotated[datetime, msgspec.Meta(tz=True)] | Annotated[int, msgspec.Meta(ge=MIN_TIME_MS, le=MAX_TIME_MS)]
)
Latency = Annotated[float, msgspec.Meta(ge=0)]


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
        self._paired = paired_positions(monitor, layout)
        self._attributed = len(layout.features)
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
        if self.layout.features:
            fields.append(("attributions", self._attributions_type() | None, None))
        if self.monitor.segments:
            fields.append(("segments", dict[str, str] | None, None))
        if not tagged:
            return msgspec.defstruct("Event", fields, gc=False)
        return msgspec.defstruct("Event", fields, tag_field="model", tag=self.monitor.model, gc=False)

    def _attributions_type(self) -> type[msgspec.Struct]:
        """Return the type of what features contribute; the layout's order, NaN where absent."""
        names = self.layout.features
        return msgspec.defstruct(
            "Attributions",
            [(f"f{i}", float, math.nan) for i in range(len(names))],
            rename={f"f{i}": name for i, name in enumerate(names)},
            gc=False,
        )

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
        ids = list(map(attrgetter("id"), events))
        is_joined = self.monitor.labels is not None
        return Batch(
            offsets=offsets,
            ts_ms=times_ms(list(map(attrgetter("ts"), events))),
            record_ms=record_ms,
            id_hashes=hash_ids(ids),
            errors=failed(events),
            numbers=np.concatenate([np.array(some, dtype=np.float64) for some in numbers]).T,
            texts=texts,
            versions=list(map(attrgetter("version"), events)),
            segments=segments,
            ids=ids if is_joined else (),
            answers=predictions if is_joined else (),
            paired=self._paired,
            attributions=_attributions(events, self._attributed) if self._attributed else None,
        )


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


def _by_column(events: list[Any], width: int) -> NDArray[np.object_]:
    """Return the features of events, shape ``(width, n)``."""
    values = chain.from_iterable(map(msgspec.structs.astuple, map(attrgetter("features"), events)))
    return np.fromiter(values, np.object_, width * len(events)).reshape(len(events), width).T


def _attributions(events: list[Any], width: int) -> NDArray[np.float64] | None:
    """Return what features contributed, shape ``(n, width)``, as `Batch.attributions`."""
    given = list(map(attrgetter("attributions"), events))
    if given.count(None) == len(given):
        return None
    rows = [row for row, one in enumerate(given) if one is not None]
    values = chain.from_iterable(msgspec.structs.astuple(given[row]) for row in rows)
    found = np.full((len(given), width), math.nan)
    found[rows] = np.fromiter(values, np.float64, width * len(rows)).reshape(len(rows), width)
    return whole_rows(found)


def whole_rows(attributions: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return attributions with 0 for what a row lacks that has others; None where no row has any."""
    missing: NDArray[np.bool_] = np.isnan(attributions)
    has_some = missing.sum(axis=1) < attributions.shape[1]
    if not has_some.any():
        return None
    attributions[missing & has_some.reshape(-1, 1)] = 0.0
    return attributions


def failed(events: Sequence[Any]) -> NDArray[np.bool_]:
    """Return which events say that the prediction failed."""
    errors = list(map(attrgetter("error"), events))
    if errors.count(None) == len(errors):
        return np.zeros(len(errors), np.bool_)
    return np.array([error is not None for error in errors])
