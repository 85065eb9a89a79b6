"""Which alert inhibits which, by Alertmanager's rules, kept up to date as alerts come and go."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from alerts.inhibit_config import InhibitRule
from alerts.matcher import Matcher

Values = tuple[str, ...]


class Inhibitor(NamedTuple):
    """The alert that inhibits another, and the number of the rule by which it does, from 0 as in the file."""

    fingerprint: str
    rule: int


class _Role(NamedTuple):
    """What an alert is to a rule, with its values of the labels in ``equal``."""

    rule: int
    values: Values
    is_source: bool
    is_target: bool


@dataclass(slots=True)
class _Sources:
    """Fingerprints of a rule's sources with the same values, in order; those that match both sides apart."""

    plain: list[str] = field(default_factory=list)
    two_sided: list[str] = field(default_factory=list)

    def of(self, role: _Role) -> list[str]:
        """Return the list an alert of this role stands in."""
        return self.two_sided if role.is_target else self.plain

    def first_for(self, role: _Role) -> str | None:
        """Return the first source that may inhibit a target of this role."""
        # What matches both sides inhibits neither itself nor another that matches both sides.
        allowed = self.plain[:1] if role.is_source else [*self.plain[:1], *self.two_sided[:1]]
        return min(allowed, default=None)


class Inhibition:
    """The alerts that fire, by what they are to each rule.

    A rule's sources stand by their values of the labels in ``equal``, so that asking what inhibits an alert
    costs a look-up for each rule it is a target of, however many alerts fire. Whether the alert that inhibits is
    itself inhibited, silenced or muted makes no difference.

    Parameters
    ----------
    rules
        Of the config file.

    Examples
    --------
    >>> from alerts.config import parse
    >>> rule = {"source_matchers": ["severity=critical"], "target_matchers": ["severity=warning"],
    ...         "equal": ["model"]}
    >>> config = parse({"route": {"receiver": "a"}, "receivers": [{"name": "a"}], "inhibit_rules": [rule]})
    >>> inhibition = Inhibition(config.inhibit_rules)
    >>> inhibition.hear("up", {"model": "churn", "severity": "critical"})
    >>> inhibition.hear("down", {"model": "churn", "severity": "warning"})
    >>> list(inhibition.inhibitors("down"))
    [Inhibitor(fingerprint='up', rule=0)]
    >>> inhibition.hear("up", None)
    >>> list(inhibition.inhibitors("down"))
    []
    """

    def __init__(self, rules: Iterable[InhibitRule]) -> None:
        self._rules = tuple(rules)
        self._labels: dict[str, Mapping[str, str]] = {}
        self._roles: dict[str, tuple[_Role, ...]] = {}
        self._sources: dict[tuple[int, Values], _Sources] = {}

    def hear(self, fingerprint: str, labels: Mapping[str, str] | None) -> None:
        """Take note of the labels an alert fires with; None once it does not fire."""
        if not self._rules or self._labels.get(fingerprint) == labels:
            return
        for role in self._roles.pop(fingerprint, ()):
            self._stand(role, fingerprint, _remove)
        self._labels.pop(fingerprint, None)
        if labels is None:
            return
        self._labels[fingerprint] = labels
        self._roles[fingerprint] = tuple(self._roles_of(labels))
        for role in self._roles[fingerprint]:
            self._stand(role, fingerprint, insort)

    def inhibitors(self, fingerprint: str) -> Iterator[Inhibitor]:
        """Yield what inhibits an alert that fires: the first source of each rule that does, in order of rules."""
        for role in self._roles.get(fingerprint, ()):
            sources = self._sources.get((role.rule, role.values))
            first = sources.first_for(role) if sources is not None and role.is_target else None
            if first is not None:
                yield Inhibitor(first, role.rule)

    def _roles_of(self, labels: Mapping[str, str]) -> Iterator[_Role]:
        for number, rule in enumerate(self._rules):
            is_source, is_target = _all_hold(rule.source, labels), _all_hold(rule.target, labels)
            if is_source or is_target:
                values = tuple(labels.get(name, "") for name in rule.equal)
                yield _Role(number, values, is_source, is_target)

    def _stand(self, role: _Role, fingerprint: str, move: Callable[[list[str], str], None]) -> None:
        if not role.is_source:
            return
        sources = self._sources.setdefault((role.rule, role.values), _Sources())
        move(sources.of(role), fingerprint)
        if not sources.plain and not sources.two_sided:
            del self._sources[role.rule, role.values]


def _all_hold(matchers: tuple[Matcher, ...], labels: Mapping[str, str]) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)


def _remove(held: list[str], fingerprint: str) -> None:
    del held[bisect_left(held, fingerprint)]
