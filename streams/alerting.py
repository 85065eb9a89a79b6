"""From verdicts to alert upserts: the judge's book of signals and alerts, in event time."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal
from urllib.parse import quote

import msgspec

from alerts.alert import AlertUpsert
from detectors.base import Verdict
from detectors.cause.inquiry import Cause
from detectors.registry import DETECTORS
from detectors.window import Window
from streams import gates, missing
from streams.alert_state import Alert, AlertKey, Patience, Signal, SignalState, step, subject, telling
from streams.annotations import annotations, badness, firing_of, usual_severity
from streams.causes import Due, Taken, causes
from streams.covering import TOGETHER_MS, Held, Under, cover, rank, settle, words
from streams.inbox import Group
from streams.monitor import Monitor

#: An alert that goes on is told again this often, with its newest evidence (event time).
REFRESH_MS = 60_000
#: What was over so long before the newest that was told is not told again.
TOLD_AGAIN_MS = 600_000
#: The model as a whole, all versions together.
WHOLE: Group = ("", "")
_RANK = {"info": 0, "warning": 1, "critical": 2}
_MODEL_KINDS = frozenset(one.kind for one in DETECTORS.values() if one.scope == "model")


@dataclass(frozen=True, slots=True)
class Links:
    """Where alerts point to; no trailing slash."""

    public_url: str = "http://localhost:8080"

    def runbook(self, kind: str) -> str:
        """Return the runbook of an alert kind."""
        return f"{self.public_url}/runbooks/{kind}"

    def dashboard(self, model: str) -> str:
        """Return the page of a model."""
        return f"{self.public_url}/models/{quote(model, safe='')}"


class AlertBook:
    """Signals and alerts of one model."""

    def __init__(self, monitor: Monitor, links: Links) -> None:
        self._monitor = monitor
        self._links = links
        self.signals: dict[AlertKey, dict[str, Signal]] = {}
        self.alerts: dict[AlertKey, Alert] = {}
        self.sequences: dict[AlertKey, int] = {}
        self.told_ms: dict[AlertKey, int] = {}
        self.held: dict[AlertKey, Held] = {}
        self._under: Under = {}
        self.holds_ms: dict[Group, int] = {}

    def take(
        self,
        group: Group,
        verdicts: Sequence[Verdict],
        at_ms: int,
        seen: tuple[Window, Window | None] | None = None,
    ) -> list[AlertUpsert]:
        """Take the verdicts on one version and segment, as `take_all` does."""
        return self.take_all([Taken(group, verdicts, seen)], at_ms)

    def take_all(self, takes: Sequence[Taken], at_ms: int) -> list[AlertUpsert]:
        """Take what was judged at one time, and return what the desk must hear.

        An alert tells its cause by all that fires then, so all of it is taken before anything is told.
        """
        each: list[tuple[AlertKey, list[Verdict], Window | None]] = []
        asked: list[Due] = []
        for taken, stepped in [(one, self._step(one, at_ms)) for one in takes]:
            # What may cover another comes before it.
            touched = sorted(stepped.items(), key=lambda one: rank(one[0]))
            each += [(key, about, taken.seen[0] if taken.seen else None) for key, about in touched]
            asked += [due for key, about in touched if (due := self._asks(key, about, at_ms, taken))]
        found = causes(self._monitor, self.signals, takes, asked) if asked else {}
        upserts = [self._transition(key, about, at_ms, found.get(key), seen) for key, about, seen in each]
        return [upsert for upsert in upserts if upsert is not None]

    def _step(self, taken: Taken, at_ms: int) -> dict[AlertKey, list[Verdict]]:
        """Take verdicts into the signals, and return the worst of each detector by what it is about."""
        touched: dict[AlertKey, dict[str, Verdict]] = {}
        for verdict in telling(taken.verdicts, taken.group, chain(self.signals, self.alerts, self.held)):
            about = touched.setdefault(AlertKey(verdict.kind, *taken.group, subject(verdict.column)), {})
            held = about.get(verdict.detector)
            about[verdict.detector] = verdict if held is None else max(held, verdict, key=badness)
        for key, about in touched.items():
            signals = self.signals.setdefault(key, {})
            for name, verdict in about.items():
                signal = Signal() if verdict.withdrawn else signals.get(name, Signal())
                signals[name] = step(signal, verdict, at_ms, self._patience(name))
        self.holds_ms = gates.last_held(self.holds_ms, taken.group, taken.verdicts, at_ms)
        return {key: list(about.values()) for key, about in touched.items()}

    def _asks(self, key: AlertKey, verdicts: Sequence[Verdict], at_ms: int, taken: Taken) -> Due | None:
        """Return the question for the cause of an alert that is about to be told anew."""
        active = self._active(key)
        if (
            taken.seen is None
            or not active
            or not self._is_due(key, self._severity_of(key, verdicts, active, at_ms), at_ms)
        ):
            return None
        worst = max(firing_of(verdicts, active), key=badness, default=None)
        return None if worst is None else Due(key, worst, badness(worst)[1], taken.seen)

    def settle(self, at_ms: int) -> list[AlertUpsert]:
        """Hold what others cover, tell what none covers any more, and let each name what it covers.

        It is for when all verdicts of a pane are in.
        """
        found = settle(
            self.alerts,
            self.held,
            at_ms,
            together_ms=self._together_ms,
            grace_ms=self._monitor.windows.current,
        )
        upserts = []
        for key, by in found.taken_in.items():
            self.held[key] = Held(msgspec.structs.replace(self.alerts[key]), at_ms)
            upserts.append(self._resolve(key, at_ms, f"{by.kind} {by.column} names it while that lasts."))
        for key in found.released:
            self.alerts[key] = self.held.pop(key).alert
        for key in chain.from_iterable(found.under.values()):
            self.held[key].covered_ms = max(at_ms, self.held[key].covered_ms)
        before, self._under = self._under, found.under
        news = [key for key in self.alerts if self._under.get(key) != before.get(key)]
        for key in dict.fromkeys((*found.released, *news)):
            self.alerts[key].told_ms = at_ms
            upserts.append(self._upsert(key, self.alerts[key], at_ms, "firing"))
        return upserts

    def miss(self, group: Group, since_ms: int, at_ms: int) -> list[AlertUpsert]:
        """Tell again what fires about a segment that has had no data since: that it is missing is no end."""
        due = missing.mark(self.alerts, group, since_ms, at_ms, every_ms=REFRESH_MS)
        return [self._upsert(key, self.alerts[key], at_ms, "firing") for key in due]

    def retire(self, group: Group, at_ms: int) -> list[AlertUpsert]:
        """Resolve what fires about a version or segment that sees no traffic any more.

        Alerts on the model as a whole stay: its traffic goes on elsewhere.
        """
        gone = {
            key
            for key in self.alerts.keys() | self.signals.keys() | self.held.keys()
            if (key.version, key.segment) == group and key.kind not in _MODEL_KINDS
        }
        upserts = []
        for key in sorted(gone & self.alerts.keys()):
            who = f"{self._monitor.model} {key.version} {key.segment}".strip()
            upserts.append(self._resolve(key, at_ms, f"{who} sees no traffic any more."))
        self.signals = {key: held for key, held in self.signals.items() if key not in gone}
        self.held = {key: held for key, held in self.held.items() if key not in gone}
        self.holds_ms.pop(group, None)
        # A version that comes back later is newer by its panes; its sequences may begin anew.
        if group != WHOLE:
            over = {key for key in self.sequences if (key.version, key.segment) == group}
            self.sequences = {key: count for key, count in self.sequences.items() if key not in over}
            self.told_ms = {key: at_ms for key, at_ms in self.told_ms.items() if key not in over}
        return upserts

    def restore(
        self,
        signals: Iterable[tuple[AlertKey, dict[str, Signal]]],
        alerts: Iterable[tuple[AlertKey, Alert]],
        sequences: Iterable[tuple[AlertKey, int]],
        watched: Container[tuple[str, str]],
        told_ms: Iterable[tuple[AlertKey, int]] = (),
        held: Iterable[tuple[AlertKey, Held]] = (),
        holds_ms: Iterable[tuple[Group, int]] = (),
    ) -> None:
        """Take up a book; signals of detectors that are off by now are left out.

        Parameters
        ----------
        watched
            Detector and column of all that the monitor has on now.
        """
        self.alerts, self.sequences, self.told_ms = dict(alerts), dict(sequences), dict(told_ms)
        self.holds_ms = dict(holds_ms)
        self.signals = {}
        for key, each in signals:
            kept = {name: one for name, one in each.items() if (name, key.column) in watched}
            if kept:
                self.signals[key] = kept
        self.held = {key: one for key, one in held if key in self.signals}
        self._under = settle(self.alerts, self.held, 0, together_ms=self._together_ms).under

    def drop_unwatched(self, at_ms: int) -> list[AlertUpsert]:
        """Resolve alerts that no detector speaks for any more, since the monitor was changed."""
        gone = [key for key in self.alerts if key not in self.signals]
        return [self._resolve(key, at_ms, "The monitor does not judge this any more.") for key in gone]

    def _end(self, key: AlertKey, verdicts: Sequence[Verdict], at_ms: int) -> AlertUpsert:
        """Resolve what is well again, or what its detector takes back."""
        taken_back = [verdict.evidence.sentence for verdict in verdicts if verdict.withdrawn]
        if taken_back:
            return self._resolve(key, at_ms, f"Taken back: {taken_back[0]}.")
        return self._upsert(key, self.alerts.pop(key), at_ms, "resolved")

    def _resolve(self, key: AlertKey, at_ms: int, why: str) -> AlertUpsert:
        alert = self.alerts.pop(key)
        alert.annotations = alert.annotations | {"description": why}
        return self._upsert(key, alert, at_ms, "resolved")

    def current(self) -> list[AlertUpsert]:
        """Return what fires, as it was last told."""
        return [
            self._upsert(key, alert, alert.told_ms, "firing", again=True)
            for key, alert in self.alerts.items()
        ]

    def over(self) -> list[AlertUpsert]:
        """Return what was told to be over lately, as far as it is known still."""
        since_ms = max(self.told_ms.values(), default=0) - TOLD_AGAIN_MS
        return [
            self._upsert(key, Alert(at_ms, usual_severity(key.kind), at_ms), at_ms, "resolved", again=True)
            for key, at_ms in self.told_ms.items()
            if at_ms >= since_ms and key not in self.alerts and key in self.sequences
        ]

    @property
    def _together_ms(self) -> int:
        return max(TOGETHER_MS, self._monitor.windows.current)

    def _patience(self, detector: str) -> Patience:
        settings = self._monitor.settings(detector)
        for_ms = settings.for_ms if settings else 0
        clear_for_ms = settings.clear_for_ms if settings else None
        return Patience(for_ms, 2 * self._monitor.windows.pane if clear_for_ms is None else clear_for_ms)

    def _active(self, key: AlertKey) -> list[str]:
        """Return the detectors whose signals fire."""
        return [name for name, signal in self.signals[key].items() if signal.state is SignalState.FIRING]

    def _standing(self, key: AlertKey) -> Alert | None:
        """Return the alert as it fires, told or held."""
        held = self.held.get(key)
        return self.alerts.get(key) or (held.alert if held else None)

    def _is_due(self, key: AlertKey, severity: str, at_ms: int) -> bool:
        """Return whether an alert is new, of another severity, or was told long enough ago."""
        alert = self._standing(key)
        return alert is None or alert.severity != severity or at_ms - alert.told_ms >= REFRESH_MS

    def _transition(
        self,
        key: AlertKey,
        verdicts: Sequence[Verdict],
        at_ms: int,
        cause: Cause | None,
        window: Window | None,
    ) -> AlertUpsert | None:
        signals, told, held = self.signals[key], self.alerts.get(key), self.held.get(key)
        active = self._active(key)
        if all(signal.state is SignalState.INACTIVE for signal in signals.values()):
            del self.signals[key]
        if not active:
            self.held.pop(key, None)
            return None if told is None else self._end(key, verdicts, at_ms)
        standing = self._standing(key)
        if standing is not None:
            missing.take_note(standing, verdicts, active, at_ms)
        severity = self._severity_of(key, verdicts, active, at_ms)
        if not self._is_due(key, severity, at_ms):
            return None
        pending_since_ms = min(signals[name].since_ms for name in active)
        alert = standing or Alert(at_ms, severity, at_ms, pending_since_ms=pending_since_ms)
        is_worse = _RANK[severity] > _RANK[alert.severity]
        firing = firing_of(verdicts, active)
        if firing:
            impact = self._impact((one.detector for one in firing), key, at_ms)
            alert.annotations = annotations(self._monitor, key, firing, cause, impact, window) | {
                "runbook_url": self._links.runbook(key.kind),
                "dashboard_url": self._links.dashboard(self._monitor.model),
            }
        alert.severity, alert.told_ms = severity, at_ms
        if told is None:
            by = cover(key, alert, self.alerts, together_ms=self._together_ms)
            if by is not None or (held is not None and not is_worse):
                self.held.setdefault(key, Held(alert, at_ms))
                return None
            self.held.pop(key, None)
            self.alerts[key] = alert
        return self._upsert(key, alert, at_ms, "firing")

    def _severity_of(
        self, key: AlertKey, verdicts: Sequence[Verdict], active: Sequence[str], at_ms: int
    ) -> str:
        """Return the worst of the active detectors' severities; where nothing could be judged, as it was."""
        alert = self._standing(key)
        if alert is not None and all(one.status == "insufficient" for one in verdicts):
            return alert.severity
        return max((self._severity(name, key, at_ms) for name in active), key=_RANK.__getitem__)

    def _severity(self, detector: str, key: AlertKey, at_ms: int) -> str:
        settings = self._monitor.settings(detector)
        own = (settings.severity if settings else None) or DETECTORS[detector].severity
        return gates.SHUT if self._impact([detector], key, at_ms) == "holds" else own

    def _impact(self, detectors: Iterable[str], key: AlertKey, at_ms: int) -> gates.Impact | None:
        """Return what the estimate of performance says where any of the detectors is gated by it."""
        found = (self._monitor.settings(name) for name in detectors)
        if not any(settings is not None and settings.gate for settings in found):
            return None
        group, grace_ms = (key.version, key.segment), self._monitor.windows.current
        return gates.impact(group, self.holds_ms, self.signals, at_ms, grace_ms)

    def _upsert(
        self,
        key: AlertKey,
        alert: Alert,
        at_ms: int,
        status: Literal["firing", "resolved"],
        *,
        again: bool = False,
    ) -> AlertUpsert:
        # Sequences go on over resolves, so that a new incident of the same alert is newer than the last.
        sequence = self.sequences[key] = self.sequences.get(key, 0) + (0 if again else 1)
        # Ticks go by the wall clock, which may be set back, or be another worker's: what is told later is newer.
        told_ms = self.told_ms[key] = max(at_ms, self.told_ms.get(key, at_ms))
        labels = {
            "alertname": key.kind, "model": self._monitor.model, "version": key.version,
            "feature": key.column, "segment": key.segment, "severity": alert.severity,
            "team": self._monitor.team,
        }  # fmt: skip
        return AlertUpsert(
            status=status,
            labels={name: value for name, value in labels.items() if value},
            annotations=alert.annotations
            | words(key, self._under, self.held)
            | missing.annotation(alert, status),
            starts_at_ms=alert.starts_at_ms,
            ends_at_ms=max(at_ms, alert.starts_at_ms) if status == "resolved" else None,
            pending_since_ms=alert.pending_since_ms,
            pane_end_ms=told_ms,
            sequence=sequence,
        )
