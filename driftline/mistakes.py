"""What pydantic finds wrong with a config file, in words for the person who writes it."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

Loc = tuple[str | int, ...]

_SHOWN = 60
_EXPECTED = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "dict": "a mapping of keys",
    "model": "a mapping of keys",
    "tuple": "a list",
    "list": "a list",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "must be {} or more"),
    "greater_than": ("gt", "must be above {}"),
    "less_than_equal": ("le", "must be {} or less"),
    "less_than": ("lt", "must be below {}"),
}


def sentence(mistake: Any, known: Collection[str] = ()) -> str:
    """Return one of a validation error's mistakes: what was expected, what was found, what to write.

    Parameters
    ----------
    mistake
        One of `ValidationError.errors()`; what was found is shown where it has an ``input``.
    known
        Of a key that is none: those there are.
    """
    kind = str(mistake["type"])
    if kind == "extra_forbidden":
        return _no_such_key(str(mistake["loc"][-1]), known)
    if kind == "missing":
        return "is missing; write it"
    message = _expected(mistake) or str(mistake["msg"]).removeprefix("Value error, ")
    found = mistake.get("input")
    if kind == "value_error" or not isinstance(found, str | int | float):
        return message
    shown = f"{message}, found {str(found)[:_SHOWN]!r}"
    if kind == "string_type":
        return f"{shown}; write it in quotes"
    return f"{shown}; write [{str(found)[:_SHOWN]}]" if message == "expected a list" else shown


def keys_beside(schema: Mapping[str, Any], place: Loc) -> set[str]:
    """Return the keys that a JSON schema allows beside a place, that itself included.

    Examples
    --------
    >>> keys_beside({"properties": {"a": {"items": {"properties": {"b": {}}}}}}, ("a", 0, "c"))
    {'b'}
    """
    nodes = list(_alternatives(schema, schema))
    for step in place[:-1]:
        below = [found for node in nodes if (found := _below(node, step)) is not None]
        nodes = [one for found in below for one in _alternatives(found, schema)]
    return {key for node in nodes for key in node.get("properties", {})}


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return which of some names was meant, if one is near."""
    return next(iter(difflib.get_close_matches(name, sorted(known), 1)), None)


def _no_such_key(name: str, known: Collection[str]) -> str:
    if near := nearest(name, known):
        return f"no such key; did you mean {near}?"
    return (
        f"no such key; there are: {', '.join(sorted(known))}" if known else "no such key; check its spelling"
    )


def _expected(mistake: Any) -> str | None:
    kind, context = str(mistake["type"]), mistake.get("ctx") or {}
    if kind == "literal_error":
        return f"expected {context['expected']}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return words.format(f"{context[name]:.12g}")
    expected = _EXPECTED.get(kind.partition("_")[0])
    is_of_type = kind.endswith(("_type", "_parsing", "_number", "_from_float"))
    return f"expected {expected}" if expected and is_of_type else None


def _below(node: Mapping[str, Any], step: str | int) -> Mapping[str, Any] | None:
    found = node.get("properties", {}).get(step)
    if found is None:
        found = node.get("items" if isinstance(step, int) else "additionalProperties")
    return found if isinstance(found, Mapping) else None


def _alternatives(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a node may be: itself, what it refers to, each of its choices."""
    if "$ref" in node:
        yield from _alternatives(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    for choice in node.get("anyOf", ()):
        yield from _alternatives(choice, schema)
    yield node
