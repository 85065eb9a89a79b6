"""Label matchers: ``severity="critical"``, ``team!=""``, ``model=~"churn|fraud"``, ``segment!~"test.*"``."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from alerts.errors import MatcherError

Operator = Literal["=", "!=", "=~", "!~"]

_ONE = re.compile(
    r"""\s*(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)\s*(?P<operator>=~|!=|!~|=)\s*"""
    r"""(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s",{}]*))\s*(?:,|$)""",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. A label that is missing equals the empty string.

    Regular expressions are anchored at both ends.

    Raises
    ------
    MatcherError
        If the regular expression does not compile.

    Examples
    --------
    >>> Matcher("model", "=~", "churn|fraud").matches({"model": "fraud"})
    True
    >>> Matcher("model", "=~", "churn").matches({"model": "churn-eu"})
    False
    >>> Matcher("team", "=", "").matches({})
    True
    """

    name: str
    operator: Operator
    value: str
    _holds: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_holds", self._test())

    def _test(self) -> Callable[[str], bool]:
        if self.operator == "=":
            return lambda text: text == self.value
        if self.operator == "!=":
            return lambda text: text != self.value
        try:
            pattern = re.compile(self.value)
        except (re.error, OverflowError, RecursionError) as error:
            raise MatcherError(f"{self.value[:80]!r} is not a regular expression: {error}") from error
        if self.operator == "=~":
            return lambda text: pattern.fullmatch(text) is not None
        return lambda text: pattern.fullmatch(text) is None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the condition holds for these labels."""
        return self._holds(labels.get(self.name, ""))

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{quote(self.value)}"


def quote(text: str) -> str:
    r"""Return a label value in double quotes, as matchers and group keys show it.

    Examples
    --------
    >>> print(quote('a "b"'))
    "a \"b\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def parse(text: str) -> tuple[Matcher, ...]:
    """Return the matchers of one line; several are separated by commas, braces around them are optional.

    Raises
    ------
    MatcherError
        If the line holds anything else.

    Examples
    --------
    >>> [str(matcher) for matcher in parse('severity = critical, team != ""')]
    ['severity="critical"', 'team!=""']
    """
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1].strip()
    found, position = [], 0
    while position < len(inner):
        match = _ONE.match(inner, position)
        if match is None:
            raise MatcherError(f'{text[:80]!r} is not a matcher; write label="value", with =, !=, =~ or !~')
        found.append(_matcher(match))
        position = match.end()
    if not found:
        raise MatcherError('an empty matcher; write label="value", or leave the line out')
    return tuple(found)


def _matcher(match: "re.Match[str]") -> Matcher:
    value = match["bare"]
    if match["quoted"] is not None:
        value = re.sub(r"\\(.)", _unescape, match["quoted"], flags=re.DOTALL)
    return Matcher(match["name"], cast(Operator, match["operator"]), value)


def _unescape(match: "re.Match[str]") -> str:
    return _ESCAPES.get(match[1], match[0])
