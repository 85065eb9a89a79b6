"""From the config's nested routes to the ones an alert takes, with everything inherited filled in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from alerts.config import ALL_LABELS, Route
from alerts.escalation_config import EscalationStep
from alerts.matcher import Matcher, quote

#: `group_by` that puts what one failure may have caused into one group: `alerts.related`.
RELATED = "related"
_GROUP_WAIT_MS = 30_000
_GROUP_INTERVAL_MS = 5 * 60_000
_REPEAT_INTERVAL_MS = 4 * 3_600_000


@dataclass(frozen=True, slots=True)
class Node:
    """A route with nothing left open.

    ``key`` is made of the matchers on the way to it, not of positions, so that it stays the same when a
    reload adds a route elsewhere. ``group_by`` None means all labels. ``muted_in`` and ``active_in`` name
    time intervals, and are the route's own.
    """

    key: str
    receiver: str
    matchers: tuple[Matcher, ...]
    goes_on: bool
    group_by: tuple[str, ...] | None
    group_wait_ms: int
    group_interval_ms: int
    repeat_interval_ms: int
    muted_in: tuple[str, ...]
    active_in: tuple[str, ...]
    children: tuple["Node", ...]
    escalate: tuple[EscalationStep, ...] = ()

    def match(self, labels: Mapping[str, str]) -> list["Node"]:
        """Return the routes an alert with these labels takes: the deepest that match, in order."""
        if not all(matcher.matches(labels) for matcher in self.matchers):
            return []
        found: list[Node] = []
        for child in self.children:
            below = child.match(labels)
            found += below
            if below and not child.goes_on:
                break
        return found or [self]

    @property
    def is_related(self) -> bool:
        """Whether its groups are of related alerts."""
        return self.group_by == (RELATED,)

    def group_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Return the labels an alert's group has, sorted by name.

        ``...`` leaves ``severity`` out, as the alert's identity does: a change of severity must not
        move it into another group.
        """
        names = (
            self.group_by if self.group_by is not None else [name for name in labels if name != "severity"]
        )
        return {name: labels[name] for name in sorted(names) if labels.get(name)}

    def group_key(self, group_labels: Mapping[str, str]) -> str:
        """Return the readable identity of a group, as Alertmanager writes it."""
        return f"{self.key}:{_braces(f'{name}={quote(value)}' for name, value in group_labels.items())}"

    def walk(self) -> Iterator["Node"]:
        """Yield this route and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def compile_routes(root: Route) -> Node:
    """Return the tree of a config's routes.

    Examples
    --------
    >>> from alerts.config import default_config
    >>> node = compile_routes(default_config().route).match({"model": "churn", "alertname": "Drift"})[0]
    >>> node.group_key(node.group_labels({"model": "churn", "alertname": "Drift"}))
    '{}:{alertname="Drift", model="churn"}'
    """
    base = Node("", "", (), False, (), _GROUP_WAIT_MS, _GROUP_INTERVAL_MS, _REPEAT_INTERVAL_MS, (), (), ())
    return _compile(root, base, "{}")


def _compile(route: Route, parent: Node, key: str) -> Node:
    node = Node(
        key=key,
        receiver=parent.receiver if route.receiver is None else route.receiver,
        matchers=route.all_matchers,
        goes_on=route.goes_on,
        group_by=_group_by(route, parent),
        group_wait_ms=_first(route.group_wait_ms, parent.group_wait_ms),
        group_interval_ms=_first(route.group_interval_ms, parent.group_interval_ms),
        repeat_interval_ms=_first(route.repeat_interval_ms, parent.repeat_interval_ms),
        muted_in=route.mute_time_intervals,
        active_in=route.active_time_intervals,
        children=(),
        escalate=parent.escalate if route.escalate is None else route.escalate,
    )
    return _with_children(node, route.routes)


def _with_children(node: Node, routes: tuple[Route, ...]) -> Node:
    children: list[Node] = []
    seen: dict[str, int] = {}
    for route in routes:
        step = _braces(str(matcher) for matcher in route.all_matchers)
        seen[step] = seen.get(step, 0) + 1
        # Siblings with the same matchers are told apart by their number.
        suffix = f"#{seen[step]}" if seen[step] > 1 else ""
        children.append(_compile(route, node, f"{node.key}/{step}{suffix}"))
    return replace(node, children=tuple(children))


def _group_by(route: Route, parent: Node) -> tuple[str, ...] | None:
    if route.group_by is None:
        return parent.group_by
    return None if route.group_by == (ALL_LABELS,) else route.group_by


def _first(own: int | None, inherited: int) -> int:
    return inherited if own is None else own


def _braces(parts: Iterator[str]) -> str:
    return "{" + ", ".join(parts) + "}"
