"""From the bytes of a chunk of labels to records for the join, and what was wrong with the others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.bad_event import BadCode, BadEvent, bad_model, invalid, unreadable
from streams.codec import Id, Name, Time, times_ms
from streams.events import MAX_EVENT_BYTES
from streams.joins.records import Labelled
from streams.watermark import FUTURE_MS


class _Label(msgspec.Struct, gc=False):
    id: Id
    model: Name
    label: bool | float | str
    ts: Time
    value: float | None = None


class _Peek(msgspec.Struct, gc=False):
    model: Any = None


_label = msgspec.json.Decoder(_Label)


@dataclass(slots=True)
class ReadLabels:
    """A chunk's labels, how many there were of each model, and its bad events."""

    labels: list[Labelled] = field(default_factory=list)
    counts: "Counter[str]" = field(default_factory=Counter)
    bad: list[BadEvent] = field(default_factory=list)


def read_labels(
    partition: int, values: Sequence[bytes | None], offsets: Sequence[int], record_ms: Sequence[int]
) -> ReadLabels:
    """Decode label events of one partition, in order; never raises for what is in them."""
    found = ReadLabels()
    for row, (value, offset, at_ms) in enumerate(zip(values, offsets, record_ms, strict=True)):
        event = _decode(row, value, found.bad)
        if event is None:
            continue
        ts_ms = int(times_ms([event.ts])[0])
        if ts_ms > at_ms + FUTURE_MS:
            ahead_s = (ts_ms - at_ms) // 1000
            reason = (
                f"ts is {ahead_s:,} s ahead of the broker; at most {FUTURE_MS // 1000} s are allowed: "
                "say when the label became known"
            )
            found.bad.append(BadEvent(row, BadCode.FUTURE, reason, event.model))
            continue
        found.counts[event.model] += 1
        found.labels.append(Labelled(event.model, event.id, (partition, offset), ts_ms, at_ms, event.label))
    return found


def _decode(row: int, value: bytes | None, bad: list[BadEvent]) -> _Label | None:
    if not value:
        bad.append(BadEvent(row, BadCode.EMPTY, "no value; a label event is a JSON object"))
        return None
    if len(value) > MAX_EVENT_BYTES:
        reason = f"{len(value):,} bytes; at most {MAX_EVENT_BYTES:,} are read"
        bad.append(BadEvent(row, BadCode.TOO_LARGE, reason))
        return None
    try:
        return _label.decode(value)
    except msgspec.ValidationError as broken:
        bad.append(_explained(row, value, broken))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        bad.append(unreadable(row, value, broken))
    return None


def _explained(row: int, value: bytes, broken: msgspec.ValidationError) -> BadEvent:
    try:
        model = msgspec.json.decode(value, type=_Peek).model
    except msgspec.DecodeError:
        return unreadable(row, value, broken)
    if not isinstance(model, str) or not model:
        return bad_model(row, model)
    return invalid(row, str(broken), model, "")
