"""What the desk knows: alerts, groups, and what each receiver was told. Each becomes one small row.

========================  ==================================================================
row key                   what
========================  ==================================================================
``alert/<fingerprint>``   `Record`: the newest upsert, the groups it is in, its last decisions
``group/<id>``            `Group`: its route and labels, and when it is due
``ledger/<id>/<place>``   `Ledger`: the notification log's entry of one group at one receiver
``tenure/<partition>``    `alerts.tenure.Owner`: the judge that owns a profile partition
``silence/<id>``          `alerts.silence.Silence`, for a while after its end too
``answer/<id>``           `alerts.answer.Answer`: what came of a command
``position/commands``     the offset of the next command
========================  ==================================================================
"""

from collections import ChainMap
from dataclasses import dataclass, field
from typing import Literal

from alerts.ack import Ack
from alerts.alert import AlertUpsert
from alerts.decision import Decision
from alerts.flapping import Flap
from alerts.pushed import Push
from alerts.silence import Silenced


@dataclass(frozen=True, slots=True)
class Departure:
    """An alert that another route took: to its old group it is over since ``at_ms``."""

    severity: str
    at_ms: int


@dataclass(slots=True)
class Record:
    """One alert. ``groups`` maps group ids to None, or to how the alert left; closed ones are in none.

    ``silenced`` holds the silences that match it, by id, whether they hold now or not. ``turned_ms``: when it last
    began or ended; ``flap``: held as firing, as it does so again and again. ``left_out`` counts the decisions that its
    history had no room for. ``push``: None unless it was pushed. ``heard_ms``: when the desk last heard of it;
    ``no_data_ms``: since when nothing newer was judged, where that is so.
    """

    upsert: AlertUpsert
    groups: dict[str, Departure | None] = field(default_factory=dict)
    history: list[Decision] = field(default_factory=list)
    closed_at_ms: int | None = None
    silenced: dict[str, Silenced] = field(default_factory=dict)
    ack: Ack | None = None
    turned_ms: list[int] = field(default_factory=list)
    flap: Flap | None = None
    left_out: int = 0
    push: Push | None = None
    heard_ms: int | None = None
    no_data_ms: int | None = None

    @property
    def firing(self) -> bool:
        """Whether it fires, or is held as if it did."""
        return self.upsert.status == "firing" or self.flap is not None

    @property
    def version(self) -> tuple[int, int]:
        """What orders its upserts."""
        return self.upsert.pane_end_ms, self.upsert.sequence

    @property
    def severity(self) -> str:
        """The label, or ""."""
        return self.upsert.labels.get("severity", "")

    @property
    def generator_url(self) -> str:
        """Where it comes from, as whoever pushed it says, or ""."""
        return "" if self.push is None else self.push.generator_url

    def fires_in(self, group_id: str) -> bool:
        """Return whether it fires as far as this group is concerned."""
        return self.firing and group_id in self.groups and self.groups[group_id] is None


@dataclass(slots=True)
class Ledger:
    """The notification log's entry of one group at one integration.

    Parameters
    ----------
    state
        PENDING: something is to be sent. SENDING: a delivery is out, its outcome not known. SENT.
    told
        Fingerprint -> severity of what the receiver knows to fire.
    maybe
        The same, of tries that may or may not have arrived.
    sending, news
        What the delivery under way says fires, and the fingerprints it is news for.
    uncertain
        A try may have arrived: the next delivery is marked as a possible repeat.
    again
        The group was due while a delivery was out.
    held
        Fingerprints the receiver knows of that were suppressed since, and are told again when nothing does so.
    sent_at_ms
        The turn of the group at which, or next to which, the last notification was taken; repeats count from it.
    delivery_id
        The delivery under way, or "".
    generation
        Notifications taken by the receiver so far.
    doubt
        The idempotency key of a try that may have arrived, for which the receiver is to be asked, or "".
        Meanwhile ``sending`` and ``news`` are that try's.
    asked
        How often it could not be asked.
    quiet
        What is due, or under way, tells no news: it only shows who looks after alerts (`alerts.care`).
    shown, showing
        What stands for all of that which the receiver shows, and which the delivery under way does.
    """

    state: Literal["PENDING", "SENDING", "SENT"] = "PENDING"
    told: dict[str, str] = field(default_factory=dict)
    maybe: dict[str, str] = field(default_factory=dict)
    sending: dict[str, str] = field(default_factory=dict)
    news: list[str] = field(default_factory=list)
    uncertain: bool = False
    again: bool = False
    held: frozenset[str] = frozenset()
    generation: int = 0
    delivery_id: str = ""
    attempts: int = 0
    not_before_ms: int = 0
    started_at_ms: int = 0
    sent_at_ms: int = 0
    reference: dict[str, str] | None = None
    last_error: str = ""
    doubt: str = ""
    asked: int = 0
    quiet: bool = False
    shown: str = ""
    showing: str = ""

    @property
    def known(self) -> ChainMap[str, str]:
        """Fingerprint -> severity of all the receiver was, is being, or may have been told."""
        return ChainMap(self.told, self.maybe, self.sending)


@dataclass(slots=True)
class Group:
    """Alerts told together; ``members`` and ``ledgers`` have rows of their own.

    ``refusals``: why which integration refused the last notification; ``fallbacks``: who was told as well.
    ``escalated``: who was told as well since nobody acknowledged it for how long (ms); ``unanswered_ms``: since when
    nobody has; ``look_ms``: when the next step is due. ``shared``: in a group of related alerts, by what another is
    related (``feature=age``), and when the last that has it began (event time); None in other groups.
    """

    key: str
    route_key: str
    labels: dict[str, str]
    created_ms: int
    due_ms: int
    flushed: bool = False
    refusals: dict[str, str] = field(default_factory=dict)
    fallbacks: list[str] = field(default_factory=list)
    escalated: dict[str, int] = field(default_factory=dict)
    unanswered_ms: int | None = None
    look_ms: int | None = None
    shared: dict[str, int] | None = None
    members: set[str] = field(default_factory=set)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
