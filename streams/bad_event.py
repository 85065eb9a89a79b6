"""Bad events: why an event goes to the dead-letter topic, in a code and in plain words."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from streams.events import MAX_NAME_LENGTH
from streams.reasons import plain

_NOT_A_NUMBER = re.compile(rb"[\[:,]\s*(-?(?:NaN|Infinity))\b")
_JSON_KINDS = {int: "a number", float: "a number", bool: "true or false", list: "an array", dict: "an object"}


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


def unreadable(row: int, value: bytes, error: Exception) -> BadEvent:
    """Return why bytes are no JSON object, after ``error`` said so."""
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


def bad_model(row: int, model: Any) -> BadEvent:
    """Return what is wrong with an event's ``model``."""
    if model is None:
        return BadEvent(row, BadCode.MISSING_FIELD, "model: missing; name the model that predicted")
    if not isinstance(model, str):
        return BadEvent(row, BadCode.WRONG_TYPE, f"model: expected text, got {_JSON_KINDS[type(model)]}")
    return BadEvent(
        row, BadCode.WRONG_TYPE, f"model: needs 1 to {MAX_NAME_LENGTH} characters, has {len(model)}"
    )


def invalid(row: int, message: str, model: str, version: str) -> BadEvent:
    """Return what msgspec found wrong with an event of a known model."""
    missing = message.startswith("Object missing required field")
    code = BadCode.MISSING_FIELD if missing else BadCode.WRONG_TYPE
    return BadEvent(row, code, plain(message), model, version)
