"""The alert desk: a pure state machine from alert upserts to deliveries.

In: ``refuse_followed -> dedup_by_version -> capacity -> remember -> heed -> route -> group`` (`alerts.intake`).
Out, when a group is due: ``wait -> mute -> gather -> suppress -> notification_log -> deliver`` (`alerts.dispatch`).
Commands, such as silences and acks: `alerts.command`. Alerts that others push: `alerts.push`.
"""

from collections import Counter
from collections.abc import Mapping

from alerts import care, escalation, rows, showing, silence_warning, watchdog
from alerts.agenda import LOOK, WARN
from alerts.alert import AlertUpsert
from alerts.answer import Answer
from alerts.book import Book
from alerts.command import Command, Load, forget_answers, handle
from alerts.config import Config
from alerts.decision import Decision, Reason
from alerts.dispatch import Delivery
from alerts.intake import Intake, take_in
from alerts.outcome import Finding, Outcome
from alerts.push import expire
from alerts.regroup import regroup, take_up_deliveries
from alerts.settlement import settle
from alerts.silence import Silence, forget_old
from alerts.state import Record
from alerts.suppression import Suppression, suppressions
from alerts.tenure import Tenure, Written, read_key

#: Alerts held at once, firing or with an end still to be told; of these, others may push 10,000.
MAX_ALERTS = 12_000


class Desk:
    """Decides who is told what, and when. Holds no clock, no thread and no connection.

    The owner calls `upsert` for each alert, `tick` when `next_due_ms` has come, writes
    `take_changed_rows`, and only then sends the deliveries and reports each with `settled`.

    Parameters
    ----------
    config
        Routes and receivers.
    external_url
        Where people reach this installation; base of relative links.
    max_alerts
        Alerts held at once. When full, a new one first takes the place of one that is over and whose
        end is still to be told; if all fire, it is refused (`Reason.DESK_FULL`), and taken at the judge's
        next refresh once there is room. A firing alert is never let go. Pushed alerts are refused sooner
        (`alerts.push.room`).

    Examples
    --------
    >>> from alerts.config import default_config
    >>> from alerts.outcome import Sent
    >>> desk = Desk(default_config())
    >>> labels = {"alertname": "FeatureDrift", "model": "churn", "severity": "warning"}
    >>> upsert = AlertUpsert(status="firing", labels=labels, starts_at_ms=0, pane_end_ms=0, sequence=1)
    >>> [decision.reason.name for decision in desk.upsert(upsert, now_ms=0)]
    ['NEW', 'ROUTED', 'WAITS_FOR_GROUP']
    >>> desk.next_due_ms(), desk.tick(29_999)
    (30000, [])
    >>> delivery, = desk.tick(30_000)
    >>> delivery.notification.title
    'WARNING: FeatureDrift · churn'
    >>> [decision.reason.name for decision in desk.settled(delivery.id, Sent(), now_ms=30_100)]
    ['SENT']
    """

    def __init__(self, config: Config, *, external_url: str = "", max_alerts: int = MAX_ALERTS) -> None:
        self._book = Book(config, max_alerts, external_url)

    @classmethod
    def restore(
        cls,
        config: Config,
        stored: Mapping[str, bytes],
        now_ms: int,
        *,
        external_url: str = "",
        max_alerts: int = MAX_ALERTS,
    ) -> "Desk":
        """Return a desk that goes on where the one that wrote these rows stopped.

        A delivery that was out then is due at once, marked as a possible repeat.

        Raises
        ------
        RowError
            If a row cannot be read.
        """
        desk = cls(config, external_url=external_url, max_alerts=max_alerts)
        rows.load(desk._book, stored)
        regroup(desk._book, now_ms)
        take_up_deliveries(desk._book, now_ms)
        # Who pushes could not be heard meanwhile: what ended while nobody owned the desk may still fire.
        desk._book.expiries.hold_back(now_ms + config.defaults.resolve_timeout_ms)
        desk._watch(now_ms)
        return desk

    def take(self, key: bytes | None, value: bytes | None, now_ms: int, written: Written) -> None:
        """Take a record of the alerts topic: an upsert, or word of who owns a profile partition.

        ``written`` says where in that topic the record stands.

        Raises
        ------
        ValidationError
            If its value is no upsert.
        """
        tenure, fingerprint = read_key(key)
        if fingerprint or value:
            self.upsert(AlertUpsert.model_validate_json(value or b""), now_ms, tenure)
        elif tenure is not None:
            self._book.hear_owner(tenure, written)

    def upsert(self, upsert: AlertUpsert, now_ms: int, tenure: Tenure | None = None) -> tuple[Decision, ...]:
        """Take one upsert, and return what each stage decided; ``tenure`` is its judge's, where that says so."""
        intake = Intake(upsert, upsert.fingerprint, now_ms, tenure)
        take_in(self._book, intake)
        return tuple(intake.decisions)

    def command(
        self, command: Command, now_ms: int, *, asked_at_ms: int | None = None, load: Load | None = None
    ) -> Answer:
        """Do what a person asks, once for each id of a command, and return the answer; it has a row too.

        ``load`` reads the alerting file, for those that ask for that.
        """
        answer = handle(self._book, command, now_ms if asked_at_ms is None else asked_at_ms, now_ms, load)
        care.nudge(self._book, now_ms)
        self._watch(now_ms)
        return answer

    def commands_read_to(self, next_offset: int) -> None:
        """Keep how far the commands were read: whoever owns the desk next goes on there."""
        self._book.next_command = next_offset
        self._book.changed.add(rows.POSITION)

    @property
    def next_command(self) -> int:
        """The offset of the next command."""
        return self._book.next_command

    def tick(self, now_ms: int) -> list[Delivery]:
        """Return what is to be sent now, at most one delivery per group and integration under way."""
        deliveries: list[Delivery] = []
        expire(self._book, now_ms)
        for due in self._book.agenda.pop_due(now_ms):
            if not self._book.still_due(due):
                continue
            if due.integration == WARN:
                self._warn(due.group, now_ms)
            elif due.integration == LOOK:
                escalation.look(self._book, due.group, now_ms)
            else:
                deliveries += showing.take_turn(self._book, due, now_ms)
        self._book.purge(now_ms)
        forget_old(self._book, now_ms)
        forget_answers(self._book, now_ms)
        return deliveries

    def settled(self, delivery_id: str, outcome: Outcome | Finding, now_ms: int) -> tuple[Decision, ...]:
        """Take the outcome of a delivery. One that is not under way (any more) changes nothing."""
        decisions = settle(self._book, delivery_id, outcome, now_ms)
        self._book.purge(now_ms)
        return decisions

    def next_due_ms(self) -> int | None:
        """Return when `tick` has something to do, or None while no alert is held."""
        agenda = self._book.agenda
        while (due := agenda.first()) is not None and not self._book.still_due(due):
            agenda.drop_first()
        found = (None if due is None else due.at_ms, self._book.expiries.first_ms())
        return min((at_ms for at_ms in found if at_ms is not None), default=None)

    def reconfigure(self, config: Config, now_ms: int) -> None:
        """Take up a new config. Alerts stay, groups that do not change keep their timers."""
        self._book.configure(config)
        regroup(self._book, now_ms)
        self._watch(now_ms)

    def _watch(self, now_ms: int) -> None:
        if upsert := watchdog.change(self._book, now_ms):
            self.upsert(upsert, now_ms)

    def _warn(self, silence_id: str, now_ms: int) -> None:
        if upsert := silence_warning.look(self._book, silence_id, now_ms):
            self.upsert(upsert, now_ms)
            silence_warning.take_for_granted(self._book, silence_id, now_ms)

    def take_changed_rows(self) -> dict[str, bytes | None]:
        """Return the rows that changed since the last call, in the order to write them; None deletes one."""
        changed = {key: rows.encode(self._book, key) for key in sorted(self._book.changed, key=rows.order)}
        self._book.changed.clear()
        return changed

    @property
    def config(self) -> Config:
        """What it goes by."""
        return self._book.config

    @property
    def alerts(self) -> Mapping[str, Record]:
        """Every alert held, by fingerprint, lately closed ones too; to look at, not to change."""
        return self._book.records

    @property
    def silences(self) -> Mapping[str, Silence]:
        """Every silence held, by id, those lately over too; to look at, not to change."""
        return self._book.silences

    @property
    def groups(self) -> frozenset[str]:
        """The ids of all groups."""
        return frozenset(self._book.groups)

    def group(self, group_id: str) -> tuple[str, dict[str, str], str] | None:
        """Return a group's key, its labels and its receiver; None if there is none."""
        group = self._book.groups.get(group_id)
        return (
            None if group is None else (group.key, group.labels, self._book.nodes[group.route_key].receiver)
        )

    def suppressions(self, fingerprint: str, now_ms: int) -> tuple[Suppression, ...]:
        """Return what keeps an alert that fires from being told, in any of its groups."""
        groups = self._book.records[fingerprint].groups
        found = (suppressions(self._book, fingerprint, group_id, now_ms) for group_id in groups)
        return tuple(dict.fromkeys(one for several in found for one in several))

    @property
    def firing(self) -> frozenset[str]:
        """Fingerprints of what fires."""
        return frozenset(fingerprint for fingerprint, record in self._book.records.items() if record.firing)

    @property
    def counts(self) -> Counter[Reason]:
        """How often each reason was given since the start; not kept over a restore."""
        return self._book.counts.copy()

    def receipts(self, fingerprint: str) -> tuple[Decision, ...]:
        """Return the last decisions about an alert, oldest first; empty if it is not known."""
        record = self._book.records.get(fingerprint)
        return () if record is None else tuple(record.history)
