"""What a receiver is given: one group's alerts, ranked, with the words built once for all receivers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal

from alerts.decision import Reason
from alerts.evidence import Evidence, ranked, read
from alerts.links import silence_link, usable_link

Status = Literal["firing", "resolved"]
Change = Literal["joined", "worse", "resolved", ""]

#: Higher is worse; what is not listed is 0.
SEVERITY_RANK: Mapping[str, int] = {"critical": 3, "warning": 2, "info": 1}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_999
_TEXT_LIMIT = 500
_CAUSE_LIMIT = 700
_FACTS_LIMIT = 250
_NAME_LIMIT = 80
_FEATURES_NAMED = 5


def severity_rank(severity: str) -> int:
    """Return how bad a severity is; unknown ones are 0."""
    return SEVERITY_RANK.get(severity, 0)


def rfc3339(at_ms: int) -> str:
    """Return an epoch-millisecond time in UTC, kept within the years 1970 to 9999.

    Examples
    --------
    >>> rfc3339(1_795_424_400_123)
    '2026-11-23T09:00:00.123Z'
    """
    at = _EPOCH + timedelta(milliseconds=min(max(at_ms, 0), _LAST_MS))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clip(text: str, limit: int) -> str:
    r"""Return ``text`` in one line, of at most ``limit`` characters, without control characters.

    Characters that reverse the direction of what follows go too: names come from outside.

    Examples
    --------
    >>> clip("a\n\u202eb", 10), clip("abcdef", 4)
    ('a b', 'abc…')
    """
    line = " ".join("".join(map(_shown, text[: 4 * limit])).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def legible(text: str) -> str:
    r"""Return ``text`` without control characters but for its line breaks and tabs.

    Examples
    --------
    >>> legible("a\n\tb\x00\u202e")
    'a\n\tb'
    """
    return "".join(one if one in "\n\t" else _shown(one) for one in text.replace("\r\n", "\n"))


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    code = ord(character)
    turns = 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069 or code in (0x200E, 0x200F, 0x061C)
    hidden = code < 32 or 0x7F <= code < 0xA0 or 0xD800 <= code <= 0xDFFF
    return "" if turns or hidden else character


@dataclass(frozen=True)
class NotifiedAlert:
    """One alert of a notification; ``change`` says what is news about it to this receiver.

    ``state`` says what else there is to know about how it stands, such as that it flaps; ``generator_url`` is where
    a pushed one comes from. ``acknowledged_by`` and ``silenced_by`` say who looks after it; the latter until when, too.
    """

    fingerprint: str
    status: Status
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at_ms: int
    ends_at_ms: int | None
    change: Change = ""
    state: str = ""
    acknowledged_by: str = ""
    silenced_by: str = ""
    generator_url: str = ""

    @property
    def severity(self) -> str:
        """The label, or ""."""
        return self.labels.get("severity", "")

    @cached_property
    def subject(self) -> str:
        """What it is about: kind, model, version, then what of the model."""
        of = " ".join(self.labels[name] for name in ("model", "version") if self.labels.get(name))
        parts = [self.labels.get("alertname") or "Alert", of]
        parts += [f"{name} {self.labels[name]}" for name in ("feature", "segment") if self.labels.get(name)]
        return clip(" · ".join(part for part in parts if part), _TEXT_LIMIT)

    @cached_property
    def sentence(self) -> str:
        """What a person needs to believe it: its state, and the evidence's sentence, else summary, else description."""
        return f"{self.state} {self._evidence}" if self.state else self._evidence

    @cached_property
    def _evidence(self) -> str:
        sources = (self.evidence.sentence, *self._written())
        return next(
            (text for text in (clip(source, _TEXT_LIMIT) for source in sources) if text), self.subject
        )

    @cached_property
    def evidence(self) -> Evidence:
        """The figures: score, threshold, samples, window."""
        return read(self.annotations.get("evidence", ""))

    @cached_property
    def facts(self) -> str:
        """The figures in one line; "" where there are none, or it is over."""
        return clip(self.evidence.facts, _FACTS_LIMIT) if self.status == "firing" else ""

    @cached_property
    def features(self) -> tuple[str, ...]:
        """What drives it, most of it first: features, or bins and categories of its own."""
        return tuple(name for one in self.evidence.features if (name := clip(one, _NAME_LIMIT)))

    @cached_property
    def cause(self) -> str:
        """What drives it, in words; "" where nobody says."""
        return clip(self.annotations.get("cause", ""), _CAUSE_LIMIT)

    def _written(self) -> tuple[str, str]:
        return self.annotations.get("summary", ""), self.annotations.get("description", "")

    @property
    def since(self) -> str:
        """When it began, to the second, and when it ended if it did."""
        begin = _readable(self.starts_at_ms)
        if self.status == "firing" or self.ends_at_ms is None:
            return f"since {begin}"
        return f"{begin} to {_readable(self.ends_at_ms)}"


@dataclass(frozen=True)
class Notification:
    """A group as one receiver shall see it now; made by `notification`.

    ``alerts`` are ranked: firing before resolved, worse before less bad, older before newer.
    ``reason`` says why it is sent. ``idempotency_key`` is the same for each try of the same content.
    ``repeat_interval_ms`` is when it is said again, at the latest, while nothing changes.
    ``notes`` are sentences about the notification itself, such as why a fallback receiver gets it.
    ``wording`` is what the receiver's own templates made of it, by key of the alerting file; where one is
    absent, the built-in words hold.
    """

    group_key: str
    receiver: str
    group_labels: Mapping[str, str]
    alerts: tuple[NotifiedAlert, ...]
    reason: Reason
    idempotency_key: str
    possible_repeat: bool = False
    external_url: str = ""
    repeat_interval_ms: int = 0
    notes: tuple[str, ...] = ()
    wording: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def firing(self) -> tuple[NotifiedAlert, ...]:
        """The alerts that fire."""
        return tuple(alert for alert in self.alerts if alert.status == "firing")

    @cached_property
    def resolved(self) -> tuple[NotifiedAlert, ...]:
        """The alerts that are over."""
        return tuple(alert for alert in self.alerts if alert.status == "resolved")

    @property
    def is_quiet(self) -> bool:
        """Whether it tells nobody, and only shows who looks after what the receiver knows (`alerts.care`)."""
        return self.reason is Reason.CARE_SHOWN

    @property
    def is_acknowledged(self) -> bool:
        """Whether somebody looks after all that fires."""
        return bool(self.firing) and all(alert.acknowledged_by for alert in self.firing)

    @property
    def status(self) -> Status:
        """Firing while any alert fires."""
        return "firing" if self.firing else "resolved"

    @cached_property
    def common_labels(self) -> dict[str, str]:
        """Labels that all alerts share."""
        return _shared([alert.labels for alert in self.alerts])

    @cached_property
    def common_annotations(self) -> dict[str, str]:
        """Annotations that all alerts share."""
        return _shared([self.annotations_of(alert) for alert in self.alerts])

    def annotations_of(self, alert: NotifiedAlert) -> dict[str, str]:
        """Return an alert's annotations, with ``note`` for the notes: for receivers that have no other place."""
        own = alert.annotations.get("note", "")
        note = " ".join(text for text in (own, *self.notes, alert.state) if text)
        return {**alert.annotations, **({"note": note} if note else {})}

    @cached_property
    def title(self) -> str:
        """How bad, what, and how many, in one line of at most 150 characters.

        For instance ``CRITICAL: FeatureDrift · churn 1.4.2 (2 firing, 1 resolved)``.
        """
        first = self.alerts[0]
        how_bad = (first.severity or "firing").upper() if self.status == "firing" else "RESOLVED"
        counts = f"{len(self.firing)} firing, {len(self.resolved)} resolved"
        tail = f" ({counts})" if len(self.alerts) > 1 else ""
        tail += " (possible repeat)" if self.possible_repeat else ""
        return clip(f"{clip(how_bad, 20)}: {self._what(first)}", 150 - len(tail)) + tail

    def _what(self, first: NotifiedAlert) -> str:
        if len(self.alerts) == 1:
            return first.subject
        shared = [self.common_labels.get(name, "") for name in ("alertname", "model", "version")]
        return " · ".join(text for text in shared if text) or first.subject

    @cached_property
    def text(self) -> str:
        """The whole in a few words: title, worst alert's sentence, since when, and its runbook."""
        first = self.alerts[0]
        parts = [self.title, *self.notes, first.sentence, first.since]
        runbook = self.runbook_url
        return " | ".join([*parts, f"runbook: {runbook}"] if runbook else parts)

    @cached_property
    def runbook_url(self) -> str:
        """The worst alert's runbook, or "" where there is no address one can open."""
        return self.runbook_of(self.alerts[0])

    @cached_property
    def dashboard_url(self) -> str:
        """The worst alert's dashboard, or ""."""
        return self.dashboard_of(self.alerts[0])

    @cached_property
    def silence_url(self) -> str:
        """The page that silences all of it, its matchers filled in; "" where its alerts share no label."""
        return silence_link(self.external_url, self.common_labels)

    def silence_of(self, alert: NotifiedAlert) -> str:
        """Return the page that silences an alert, or ""."""
        return silence_link(self.external_url, alert.labels)

    @cached_property
    def top_features(self) -> str:
        """The features furthest beyond their thresholds, or what drives the only one; "" where there are not two."""
        about = [(alert.labels.get("feature", ""), alert.evidence) for alert in self.firing]
        names = [clip(name, _NAME_LIMIT) for name in ranked(about)]
        if len(names) < 2 and self.firing:
            names = list(self.firing[0].features)
        more = len(names) - _FEATURES_NAMED
        shown = ", ".join(names[:_FEATURES_NAMED])
        return "" if len(names) < 2 else shown + (f" and {more} more" if more > 0 else "")

    def runbook_of(self, alert: NotifiedAlert) -> str:
        """Return an alert's runbook, or ""."""
        return self._link(alert, "runbook_url")

    def dashboard_of(self, alert: NotifiedAlert) -> str:
        """Return an alert's dashboard, where it has none the address it comes from, or ""."""
        return self._link(alert, "dashboard_url") or usable_link(alert.generator_url)

    def generator_of(self, alert: NotifiedAlert) -> str:
        """Return the address an alert comes from, as it was pushed; of Driftline's own, the dashboard."""
        return alert.generator_url or self.dashboard_of(alert) or self.external_url

    def _link(self, alert: NotifiedAlert, annotation: str) -> str:
        return usable_link(alert.annotations.get(annotation, ""), self.external_url)


def rank(alerts: Sequence[NotifiedAlert]) -> tuple[NotifiedAlert, ...]:
    """Return the alerts as a person should meet them: firing first, then worst, then oldest."""
    return tuple(sorted(alerts, key=_rank))


def _rank(alert: NotifiedAlert) -> tuple[bool, int, int, str]:
    resolved = alert.status == "resolved"
    return resolved, -severity_rank(alert.severity), alert.starts_at_ms, alert.fingerprint


def _shared(sets: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = sets
    return {k: v for k, v in sorted(first.items()) if all(other.get(k) == v for other in others)}


def _readable(at_ms: int) -> str:
    return rfc3339(at_ms)[:19].replace("T", " ") + " UTC"
