"""The desk's whole state in one place, and the few moves its stages make in it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from alerts import related, silence_warning
from alerts.agenda import LOOK, WARN, Agenda, Due
from alerts.answer import Answer
from alerts.config import Config, Integration
from alerts.decision import Decision, Reason
from alerts.expiry import Expiries
from alerts.history import added, kept
from alerts.inhibition import Inhibition
from alerts.routing import Node, compile_routes
from alerts.silence import Silence
from alerts.state import Group, Ledger, Record
from alerts.tenure import Owner, Tenure, Written
from alerts.time_interval import TimeInterval

#: How long a late or replayed upsert does not bring back an alert that is over.
CLOSED_KEPT_MS = 3_600_000
#: How long, and how many, alerts are remembered after they are over, so that their receipts can be shown.
RECEIPTS_KEPT_MS = 7 * 86_400_000
CLOSED_KEPT = 1_000


@dataclass(slots=True)
class Book:
    """All of it, with what follows from the config: changed only by the stages and by `regroup`."""

    config: Config
    max_alerts: int
    external_url: str = ""
    root: Node = field(init=False)
    nodes: dict[str, Node] = field(init=False)
    places: dict[str, tuple[Integration, ...]] = field(init=False)
    fallbacks: dict[str, str] = field(init=False)
    inhibition: Inhibition = field(init=False)
    intervals: dict[str, TimeInterval] = field(init=False)
    records: dict[str, Record] = field(default_factory=dict)
    closed: dict[str, None] = field(default_factory=dict)
    owners: dict[int, Owner] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    next_command: int = 0
    in_flight: dict[str, tuple[str, str]] = field(default_factory=dict)
    agenda: Agenda = field(default_factory=Agenda)
    expiries: Expiries = field(default_factory=Expiries)
    changed: set[str] = field(default_factory=set)
    counts: Counter[Reason] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.configure(self.config)

    def configure(self, config: Config) -> None:
        """Take up the routes and receivers of a config; `regroup` then moves the alerts."""
        self.config = config
        self.root = compile_routes(config.route)
        self.nodes = {node.key: node for node in self.root.walk()}
        self.places = config.integrations()
        self.fallbacks = config.fallbacks()
        self.intervals = config.intervals()
        self.inhibition = Inhibition(config.inhibit_rules)
        for fingerprint in self.records:
            self.hear_alert(fingerprint)

    def integrations(self, group: Group) -> tuple[Integration, ...]:
        """Return the places a group's notifications go to."""
        receivers = dict.fromkeys((*self.receivers(group), *group.fallbacks))
        return tuple(place for receiver in receivers for place in self.places.get(receiver, ()))

    def integration(self, group: Group, place: str) -> Integration:
        """Return one of them by its key."""
        return next(one for one in self.integrations(group) if one.key == place)

    def receivers(self, group: Group) -> tuple[str, ...]:
        """Return whom a group is told to: its route's receiver, and those it was escalated to."""
        return (self.nodes[group.route_key].receiver, *group.escalated)

    def interval_ms(self, group: Group) -> int:
        """Return how long after it was told a group is due again."""
        if silence_warning.is_warning(group.labels):
            return silence_warning.LOOK_MS
        return self.nodes[group.route_key].group_interval_ms

    def tell_now(self, group_id: str, place: str, now_ms: int) -> None:
        """Have an integration told at once what it does not know of a group."""
        ledger = self.groups[group_id].ledgers.setdefault(place, Ledger(not_before_ms=now_ms))
        if ledger.state == "SENDING":
            ledger.again = True
        elif ledger.state == "SENT" or ledger.quiet:
            ledger.state, ledger.quiet, ledger.not_before_ms = "PENDING", False, now_ms
        self.agenda.add(Due(ledger.not_before_ms, group_id, place))
        self.touch_ledger(group_id, place)

    def alerts_held(self) -> int:
        """Return how many alerts are not closed."""
        return len(self.records) - len(self.closed)

    def note(self, fingerprint: str, decision: Decision) -> None:
        """Add a decision to an alert's history, as `alerts.history` has it."""
        record = self.records.get(fingerprint)
        if record is None:
            return
        record.history, left_out = kept(added(record.history, decision))
        record.left_out += left_out
        self.touch_alert(fingerprint)

    def touch_alert(self, fingerprint: str) -> None:
        """Mark an alert's row as changed."""
        self.changed.add(f"alert/{fingerprint}")
        self.hear_alert(fingerprint)

    def hear_alert(self, fingerprint: str) -> None:
        """Have the inhibit rules, and the ends to come, see an alert as it is now."""
        record = self.records.get(fingerprint)
        self.inhibition.hear(fingerprint, record.upsert.labels if record and record.firing else None)
        push = record.push if record and record.upsert.status == "firing" else None
        self.expiries.put(fingerprint, None if push is None else push.ends_at_ms)

    def hear_owner(self, stated: Tenure, written: Written) -> None:
        """Take a statement of who owns a profile partition."""
        held = self.owners.get(stated.partition, Owner(stated.epoch))
        believed = held.after(stated.epoch, written)
        if believed != self.owners.get(stated.partition):
            self.owners[stated.partition] = believed
            self.changed.add(f"tenure/{stated.partition}")

    def touch_group(self, group_id: str) -> None:
        """Mark a group's row as changed."""
        self.changed.add(f"group/{group_id}")

    def touch_ledger(self, group_id: str, place: str) -> None:
        """Mark a row of the notification log as changed."""
        self.changed.add(f"ledger/{group_id}/{place}")

    def still_due(self, due: Due) -> bool:
        """Return whether a timer was not overtaken since it was set."""
        if due.integration == WARN:
            return due.group in self.silences and self.looks.get(due.group) == due.at_ms
        group = self.groups.get(due.group)
        if group is None:
            return False
        if not due.integration:
            return group.due_ms == due.at_ms
        if due.integration == LOOK:
            return group.look_ms == due.at_ms
        ledger = group.ledgers.get(due.integration)
        return ledger is not None and ledger.state == "PENDING" and ledger.not_before_ms == due.at_ms

    def routes(self, labels: Mapping[str, str], now_ms: int) -> list[Node]:
        """Return the routes an alert with these labels takes."""
        return silence_warning.nodes(self, labels, now_ms) or self.root.match(labels)

    def join(self, fingerprint: str, node: Node, now_ms: int) -> str:
        """Put an alert into its group of a route, made if there is none, and return the group's id."""
        record = self.records[fingerprint]
        own = silence_warning.group_labels(record.upsert.labels)
        is_related = node.is_related and own is None
        if is_related:
            labels = related.labels(self, fingerprint, node, now_ms)
        else:
            labels = node.group_labels(record.upsert.labels) if own is None else own
        wait_ms = node.group_wait_ms if own is None else 0
        key = node.group_key(labels)
        group_id = identify(key)
        if group_id not in self.groups:
            self.groups[group_id] = Group(key, node.key, labels, now_ms, now_ms + wait_ms)
            self.agenda.add(Due(now_ms + wait_ms, group_id))
            self.touch_group(group_id)
        self.groups[group_id].members.add(fingerprint)
        if group_id not in record.groups or record.groups[group_id] is not None:
            record.groups[group_id] = None
            if is_related:
                related.take_in(self, group_id, fingerprint)
            self.touch_alert(fingerprint)
        return group_id

    def hasten(self, group_id: str, now_ms: int) -> None:
        """Have a group that was never told yet be due at once."""
        group = self.groups[group_id]
        if not group.flushed and group.due_ms > now_ms:
            group.due_ms = now_ms
            self.agenda.add(Due(now_ms, group_id))
            self.touch_group(group_id)

    def leave(self, fingerprint: str, group_id: str) -> None:
        """Take an alert out of a group for good; in no group and over, it is closed later by `sweep`."""
        self.records[fingerprint].groups.pop(group_id, None)
        self.touch_alert(fingerprint)
        if group_id in self.groups:
            self.groups[group_id].members.discard(fingerprint)

    def sweep(self, group_id: str, now_ms: int) -> None:
        """Let go of a group's alerts that are over and that no receiver has to hear of any more."""
        group = self.groups.get(group_id)
        if group is None:
            return
        for fingerprint in sorted(group.members):
            known = any(fingerprint in ledger.known for ledger in group.ledgers.values())
            if not self.records[fingerprint].fires_in(group_id) and not known:
                self.leave(fingerprint, group_id)
                self.close_if_over(fingerprint, now_ms)
        if not group.members:
            self.forget_group(group_id)

    def close_if_over(self, fingerprint: str, now_ms: int) -> None:
        """Close an alert that is over and in no group."""
        record = self.records[fingerprint]
        if not record.firing and not record.groups and record.closed_at_ms is None:
            record.closed_at_ms = now_ms
            self.closed[fingerprint] = None
            self.touch_alert(fingerprint)

    def forget_group(self, group_id: str) -> None:
        """Forget a group, its notification log, and any delivery of it that is out."""
        group = self.groups.pop(group_id)
        for place, ledger in group.ledgers.items():
            self.in_flight.pop(ledger.delivery_id, None)
            self.touch_ledger(group_id, place)
        self.touch_group(group_id)
        for fingerprint in group.members:
            self.records[fingerprint].groups.pop(group_id, None)
            self.touch_alert(fingerprint)

    def purge(self, now_ms: int) -> None:
        """Forget closed alerts that are too old or too many."""
        while self.closed:
            oldest = next(iter(self.closed))
            closed_at_ms = self.records[oldest].closed_at_ms or 0
            if len(self.closed) <= CLOSED_KEPT and now_ms - closed_at_ms < RECEIPTS_KEPT_MS:
                return
            del self.closed[oldest], self.records[oldest]
            self.touch_alert(oldest)

    def ledgers(self) -> Iterator[tuple[str, str, Ledger]]:
        """Yield every entry of the notification log with its group's id and its integration."""
        for group_id, group in self.groups.items():
            for place, ledger in group.ledgers.items():
                yield group_id, place, ledger


def identify(*parts: str) -> str:
    """Return 16 hex digits that stand for these texts."""
    joined = "\x00".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(joined, digest_size=8).hexdigest()
