"""Filters and tests a template has: those of Jinja2 that only depend on what they are given, each weighed.

Filters that can make much of little are checked before they run.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from numbers import Number
from typing import Any, cast

from jinja2 import pass_context
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.tests import TESTS

from alerts.errors import TemplateFailed
from alerts.templates.budget import MAX_TEXT, weighed

_KEPT = (
    "abs", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape", "filesizeformat", "first",
    "float", "groupby", "indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min",
    "reject", "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "sort", "string", "sum",
    "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount",
)  # fmt: skip
_CONVERSION = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(\*|\d*)(?:\.(\*|\d*))?")
_WIDEST = 1_000


def filters() -> dict[str, Callable[..., Any]]:
    """Return the filters by name."""
    known = cast("Mapping[str, Callable[..., Any]]", FILTERS)
    kept = {name: limited(known[name], _CHECKS.get(name)) for name in _KEPT}
    return kept | {"format": limited(printf), "tojson": limited(_tojson)}


def tests() -> dict[str, Callable[..., Any]]:
    """Return the tests by name."""
    known = cast("Mapping[str, Callable[..., Any]]", TESTS)
    return {name: limited(test) for name, test in known.items()}


def limited(function: Callable[..., Any], check: Callable[..., None] | None = None) -> Callable[..., Any]:
    """Return a filter or test whose arguments and result are weighed."""
    wants = getattr(getattr(function, "jinja_pass_arg", None), "name", None)

    @pass_context
    def run(context: Context, *args: Any, **named: Any) -> Any:
        given = [weighed(one) for one in args]
        weighed(named)
        if check is not None:
            check(*given, **named)
        own = {"context": context, "eval_context": context.eval_ctx, "environment": context.environment}
        return weighed(function(*([own[wants]] if wants else []), *given, **named))

    return run


def printf(text: Any, *args: Any, **named: Any) -> str:
    """Return ``text % args``, of a length that is bounded beforehand."""
    shape, given = str(text), named or args
    conversions = _CONVERSION.findall(shape)
    for width in (width for found in conversions for width in found):
        if width == "*" or int(width or 0) > _WIDEST:
            raise TemplateFailed(f"a width of more than {_WIDEST:,} characters")
    values = given.values() if isinstance(given, Mapping) else given
    widest = max((len(str(value)) for value in values), default=0)
    _fits(len(shape) + len(conversions) * max(widest, 0))
    made: str = shape % given
    return made


def _tojson(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fits(characters: int) -> None:
    if characters > MAX_TEXT:
        raise TemplateFailed(f"a text of more than {MAX_TEXT:,} characters; shorten it")


def _check_width(value: Any, width: Any = 80, *_: Any, **__: Any) -> None:
    _fits(int(width))


def _check_indent(value: Any, width: Any = 4, *_: Any, **__: Any) -> None:
    each = len(width) if isinstance(width, str) else int(width)
    text = str(value)
    _fits(len(text) + each * (len(text.splitlines()) + 1))


def _check_join(value: Any, between: Any = "", *_: Any, **__: Any) -> None:
    if isinstance(value, Sequence | Mapping):
        _fits(len(value) * len(str(between)))


def _check_replace(value: Any, old: Any, new: Any, *_: Any, **__: Any) -> None:
    text = str(value)
    _fits(len(text) + text.count(str(old)) * len(str(new)))


def _check_round(value: Any, precision: Any = 0, *_: Any, **__: Any) -> None:
    if not -20 <= precision <= 20:
        raise TemplateFailed("round takes at most 20 digits")


def _check_sum(value: Any, attribute: Any = None, start: Any = 0) -> None:
    # Lists can be added too, each into a new copy of all before.
    one = next(iter(value), 0)
    if not isinstance(start, Number) or (attribute is None and not isinstance(one, Number)):
        raise TemplateFailed("sum adds numbers alone")


_CHECKS: Mapping[str, Callable[..., None]] = {
    "center": _check_width,
    "indent": _check_indent,
    "join": _check_join,
    "replace": _check_replace,
    "round": _check_round,
    "sum": _check_sum,
}
