"""Keys of the config file that Alertmanager has given up: read as before, and warned of."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from alerts.matcher import quote

_OF_ROUTES = {"match": "matchers", "match_re": "matchers"}
_AT_THE_TOP = {"mute_time_intervals": "time_intervals"}
_OF_RULES = {
    "source_match": "source_matchers",
    "source_match_re": "source_matchers",
    "target_match": "target_matchers",
    "target_match_re": "target_matchers",
}


class OldKey(NamedTuple):
    """Where such a key stands, and what to write instead."""

    loc: tuple[str | int, ...]
    message: str


def old_keys(data: object) -> list[OldKey]:
    r"""Return the old keys of a file's content, which need not be valid.

    Examples
    --------
    >>> old_keys({"route": {"routes": [{"match": {"team": "growth"}}]}})[0].message
    'old; write matchers: [\'team="growth"\']'
    """
    rules = data.get("inhibit_rules") if isinstance(data, Mapping) else None
    found = [
        one
        for number, rule in enumerate(rules if isinstance(rules, list) else ())
        for one in _of(rule, ("inhibit_rules", number), _OF_RULES)
    ]
    route = data.get("route") if isinstance(data, Mapping) else None
    top = _of(data, (), _AT_THE_TOP)
    return [*_of_route(route, ("route",)), *found, *top]


def _of_route(route: Any, loc: tuple[str | int, ...]) -> Iterator[OldKey]:
    yield from _of(route, loc, _OF_ROUTES)
    below = route.get("routes") if isinstance(route, Mapping) else None
    for number, child in enumerate(below if isinstance(below, list) else ()):
        yield from _of_route(child, (*loc, "routes", number))


def _of(section: Any, loc: tuple[str | int, ...], names: Mapping[str, str]) -> Iterator[OldKey]:
    for old, new in names.items():
        if isinstance(section, Mapping) and section.get(old):
            yield OldKey((*loc, old), f"old; write {new}{_lines(section[old], old)}")


def _lines(values: Any, old: str) -> str:
    """Return a mapping of old as a list of matchers; nothing of what stays as it is."""
    if not isinstance(values, Mapping):
        return ""
    operator = "=~" if old.endswith("_re") else "="
    return f": {[f'{name}{operator}{quote(str(value))}' for name, value in values.items()]}"
