"""The environment templates run in: nothing but text is computed, and all of it is paid for."""

from collections.abc import Mapping
from typing import Any, Literal

from jinja2 import Undefined, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from markupsafe import Markup

from alerts.errors import TemplateFailed
from alerts.templates.budget import charge, each, weighed
from alerts.templates.data import AlertData, Alerts
from alerts.templates.filters import filters, limited, printf, tests

#: What a template makes: text, HTML, or Slack's own markup; values it shows are escaped for it.
Dialect = Literal["plain", "html", "mrkdwn"]

_LONGEST_RANGE = 10_000
_TEXT = frozenset(
    {
        "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii", "isdecimal",
        "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "lower", "lstrip", "partition",
        "removeprefix", "removesuffix", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split", "splitlines",
        "startswith", "strip", "swapcase", "title", "upper",
    }
)  # fmt: skip
_LOOP = frozenset(
    {
        "changed", "cycle", "first", "index", "index0", "last", "length", "nextitem", "previtem", "revindex",
        "revindex0",
    }
)  # fmt: skip
_MAPPING = frozenset({"get", "items", "keys", "values"})
#: What may be asked of each kind of value.
_ATTRIBUTES: tuple[tuple[type | tuple[type, ...], frozenset[str]], ...] = (
    (AlertData, AlertData.NAMES),
    (Alerts, frozenset({"count", "firing", "index", "resolved"})),
    (str, _TEXT),
    (Mapping, _MAPPING),
    (LoopContext, _LOOP),
    (tuple, frozenset({"count", "grouper", "index", "list"})),
    (list, frozenset({"count", "index"})),
)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 for one dialect. Templates reach what `alerts.templates.data` gives, and no more."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(
            autoescape=dialect != "plain",
            finalize=_as_mrkdwn if dialect == "mrkdwn" else _as_it_is,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=0,
        )
        self.globals = {"range": _range, "namespace": Namespace}
        self.filters: dict[str, Any] = filters() | {"_each": pass_context(_each), "_weighed": limited(_same)}
        self.tests: dict[str, Any] = tests()

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Return whether a template may ask this of a value."""
        if isinstance(obj, Namespace):
            return not attr.startswith("_")
        return any(isinstance(obj, kind) and attr in names for kind, names in _ATTRIBUTES)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return what a dot asks for: a label that is not there is nothing, an alert's field must be one."""
        if isinstance(obj, Mapping) and attribute in obj and attribute not in _MAPPING:
            return obj[attribute]
        found = super().getattr(obj, attribute)
        if isinstance(found, Undefined) and not isinstance(obj, Mapping | Undefined | Namespace):
            raise TemplateFailed(f"{_kind(obj)} has no {attribute!r}")
        return found

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """Refuse what may not be asked for."""
        raise TemplateFailed(f"{_kind(obj)} gives no {attribute!r}")

    def wrap_str_format(self, value: Any) -> None:
        """Give no way to ``str.format``, whose width nothing bounds; there is the filter ``format``."""
        return None

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        charge(1)
        weighed([args, kwargs])
        return weighed(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute what could grow without bound."""
        if operator == "%" and isinstance(left, str):
            return weighed(printf(left, *(right if isinstance(right, tuple) else (right,))))
        if operator == "**" or (operator == "*" and not _are_numbers(left, right)):
            raise TemplateFailed(f"{operator} is for numbers alone" if operator == "*" else "there is no **")
        weighed([left, right])
        return weighed(super().call_binop(context, operator, left, right))


def _kind(value: Any) -> str:
    kinds = ((AlertData, "an alert"), (Alerts, "the list of alerts"), (str, "a text"), (Mapping, "a mapping"))
    return next((word for kind, word in kinds if isinstance(value, kind)), f"a {type(value).__name__}")


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > _LONGEST_RANGE:
        raise TemplateFailed(f"a range of more than {_LONGEST_RANGE:,}")
    return found


def _each(context: Context, items: Any, steps: int) -> Any:
    return each(items, steps)


def _same(value: Any) -> Any:
    return value


@pass_context
def _as_it_is(context: Context, value: Any) -> Any:
    return _shown(value)


@pass_context
def _as_mrkdwn(context: Context, value: Any) -> Markup:
    shown = _shown(value)
    if hasattr(shown, "__html__"):
        return Markup(shown)
    return Markup(str(shown).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def _shown(value: Any) -> Any:
    if isinstance(value, Undefined | str | int | float):
        return weighed(value)
    if value is None:
        return ""
    raise TemplateFailed(f"{type(value).__name__} is no text; name what of it is to be shown, or join it")
