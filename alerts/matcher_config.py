"""How the config file writes matchers: as lines of text, and as the mappings of old."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, PlainValidator

from alerts import matcher
from alerts.matcher import Matcher


def _read_line(value: Any) -> tuple[Matcher, ...]:
    if not isinstance(value, str):
        raise ValueError('a matcher is text, such as severity="critical"')
    return matcher.parse(value)


def _usable(patterns: dict[str, str]) -> dict[str, str]:
    for name, pattern in patterns.items():
        Matcher(name, "=~", pattern)
    return patterns


#: A list of lines; each holds one matcher or several.
MatcherLines = tuple[Annotated[tuple[Matcher, ...], PlainValidator(_read_line)], ...]
#: ``match_re`` of old: label -> regular expression.
Patterns = Annotated[dict[str, str], AfterValidator(_usable)]


def together(
    lines: Iterable[tuple[Matcher, ...]], values: dict[str, str], patterns: dict[str, str]
) -> tuple[Matcher, ...]:
    """Return all matchers of one place: those of its lines, then those written the old ways, by label.

    Examples
    --------
    >>> [str(one) for one in together([], {"team": "growth"}, {"model": "churn|fraud"})]
    ['team="growth"', 'model=~"churn|fraud"']
    """
    found = [one for line in lines for one in line]
    found += [Matcher(name, "=", values[name]) for name in sorted(values)]
    found += [Matcher(name, "=~", patterns[name]) for name in sorted(patterns)]
    return tuple(found)
