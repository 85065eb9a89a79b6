"""Why an event is bad, in plain words: what the decoder says, turned into a sentence for its producer."""

import re

_KINDS = {
    "float": "a number",
    "int": "a whole number",
    "str": "text",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
    "datetime": "an RFC 3339 time",
}
_EXPECTED = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_LONGER = re.compile(r"Expected `str` of length <= (\d+)")
_NEGATIVE = re.compile(r"Expected `float` >= 0")
_TIME_REMEDY = "send RFC 3339 with a time zone, e.g. 2026-11-23T09:00:00Z, or epoch milliseconds"


def plain(message: str) -> str:
    """Return a decoder's message about one field as a sentence.

    Examples
    --------
    >>> plain("Expected `float | null`, got `str` - at `$.features.age`")
    'features.age: expected a number or null, got text'
    >>> plain("Object missing required field `id`")
    'id: missing; every event needs it'
    """
    what, _, where = message.partition(" - at `$")
    path = where.removesuffix("`").removeprefix(".")
    if what.startswith("Object missing required field"):
        name = what.split("`", 1)[1].removesuffix("`")
        return f"{name}: missing; every event needs it"
    return f"{path or 'event'}: {_time(what) if path == 'ts' else _value(what)}"


def _value(what: str) -> str:
    if found := _EXPECTED.fullmatch(what):
        wanted = " or ".join(_KINDS.get(kind, kind) for kind in found[1].split(" | "))
        return f"expected {wanted}, got {_KINDS.get(found[2], found[2])}"
    if found := _LONGER.fullmatch(what):
        return f"has more than {found[1]} characters; shorten it"
    if what.startswith("Expected `str` of length >= 1"):
        return "is empty; it needs a value"
    if _NEGATIVE.match(what):
        return "is negative; send 0 or more"
    if what == "Number out of range":
        return "the number is too large for a 64-bit float; send null where there is no number"
    return what[:1].lower() + what[1:]


def _time(what: str) -> str:
    if "timezone" in what:
        return f"the time has no zone; {_TIME_REMEDY}"
    if found := _EXPECTED.fullmatch(what):
        return f"expected a time, got {_KINDS.get(found[2], found[2])}; {_TIME_REMEDY}"
    if what.startswith("Expected `int`") or what == "Number out of range":
        return f"no such date (years 1 to 9999); {_TIME_REMEDY}"
    return f"not a time; {_TIME_REMEDY}"
