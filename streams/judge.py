"""Stage 2, pure: profiles of all source partitions in; closed panes, verdicts and alert upserts out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alerts.alert import AlertUpsert
from detectors.base import Detector, Verdict
from detectors.registry import DETECTORS
from detectors.window import Window
from streams import reference
from streams.alert_state import Alert, AlertKey, Patience, Signal, SignalState, is_active, step
from streams.bench import Bench
from streams.history import History, Pane
from streams.inbox import Group, Inbox, ReadyPane
from streams.layout import Layout
from streams.monitor import Monitor
from streams.profile import Profile, merged
from streams.watermark import NEVER_MS
from streams.window import current_window, traffic_window, window_of
from streams.wire import profile_of

REFRESH_MS = 60_000
RETIRED_AFTER_MS = 3_600_000
WARM_UP_EVENTS = 1_000
_RANK = {"info": 0, "warning": 1, "critical": 2}


@dataclass(frozen=True, slots=True)
class Links:
    """Where alerts point to; no trailing slash."""

    public_url: str = "http://localhost:8080"

    def runbook(self, kind: str) -> str:
        """Return the runbook of an alert kind."""
        return f"{self.public_url}/runbooks/{kind}"

    def dashboard(self, model: str) -> str:
        """Return the page of a model."""
        from urllib.parse import quote

        return f"{self.public_url}/models/{quote(model, safe='')}"


@dataclass(frozen=True, slots=True)
class Judged:
    """What a pane close or a tick came to.

    ``panes`` are closed ones with version and segment, ``verdicts`` come with those and their event time;
    ``layout`` is a new one and the start of the first pane it is for.
    """

    panes: list[tuple[Group, Pane]] = field(default_factory=list)
    verdicts: list[tuple[Group, int, Verdict]] = field(default_factory=list)
    alerts: list[AlertUpsert] = field(default_factory=list)
    layout: tuple[int, Layout] | None = None
    incomplete: int = 0

    def __bool__(self) -> bool:
        return bool(self.panes or self.verdicts or self.alerts or self.layout)


@dataclass(slots=True)
class View:
    """A version and segment as it stands: current window, its reference, and why it is not judged."""

    window: Window
    reference: Window | None
    not_judged: str | None


class ModelJudge:
    """Judges one monitored model.

    Parameters
    ----------
    layout
        The layout in force; its bins come from the reference file, or are empty until the warm-up.
    reference_file
        The reference's window, where the monitor names a file.
    """

    def __init__(
        self,
        monitor: Monitor,
        layout: Layout,
        *,
        reference_file: Window | None = None,
        links: Links | None = None,
    ) -> None:
        self.monitor = monitor
        self.layouts = {layout.hash: layout}
        self.layout = layout
        self.inbox = Inbox(monitor.windows.pane)
        self.histories: dict[Group, History] = {}
        self.views: dict[Group, View] = {}
        self.signals: dict[AlertKey, dict[str, Signal]] = {}
        self.alerts: dict[AlertKey, Alert] = {}
        self.last_verdicts: dict[tuple[Group, str, str], tuple[int, Verdict]] = {}
        self._worst: dict[AlertKey, Verdict] = {}
        self._sequences: dict[AlertKey, int] = {}
        self._reference_file = reference_file
        self._links = links or Links()
        self._bench = Bench(monitor)

    def close(self) -> Judged:
        """Close the panes that are ready and judge them."""
        judged = Judged()
        incomplete = 0
        layout = None
        for ready in self.inbox.ready():
            incomplete += ready.incomplete
            self._close(ready, judged)
            found = self._warm_up()
            if found is not None:
                layout = (self._next_pane_ms(), found)
        return replace(judged, incomplete=incomplete, layout=layout)

    def tick(self, now_ms: int) -> Judged:
        """Judge what depends on time going by: silence, staleness. ``now_ms`` is the wall clock."""
        judged = Judged()
        windows = [view.window for (_, segment), view in self.views.items() if not segment]
        known = [one.last_record_ms for one in self.inbox.progress.values() if one.last_record_ms != NEVER_MS]
        if not windows or not known:
            return judged
        window = replace(
            traffic_window(windows),
            now_ms=now_ms,
            last_record_ms=max(known),
            last_event_ms=max(one.last_event_ms for one in self.inbox.progress.values()),
        )
        self._judge(
            ("", ""), window, None, self._bench.detectors(("", ""), window, observes="tick"), now_ms, judged
        )
        return judged

    def take_layout(self, layout: Layout) -> None:
        """Know a layout; the newest is the one in force."""
        self.layouts[layout.hash] = layout
        self.layout = layout

    def _close(self, ready: ReadyPane, judged: Judged) -> None:
        end_ms = ready.start_ms + self.monitor.windows.pane
        for group, per_partition in sorted(ready.groups.items()):
            profile = self._merged(per_partition)
            if profile is None:
                continue
            pane = Pane(ready.start_ms, end_ms, profile)
            history = self.histories.setdefault(group, History(self.monitor.windows))
            history.add(pane)
            judged.panes.append((group, pane))
            self._judge_group(group, history, end_ms, judged)
        windows = [
            self.views[group].window
            for group in self.views
            if not group[1] and self.views[group].window.end_ms > end_ms - self.monitor.windows.current
        ]
        if windows:
            whole = traffic_window(windows)
            detectors = self._bench.detectors(("", ""), whole, observes="pane", scope="model")
            self._judge(("", ""), whole, None, detectors, end_ms, judged)
        self._retire(end_ms, judged)

    def _merged(self, per_partition: Sequence[Any]) -> Profile | None:
        """Merge the partitions' profiles; of several layouts, the one with the most events."""
        by_layout: dict[str, list[Profile]] = {}
        for parts in per_partition:
            layout = self.layouts.get(parts[0].layout)
            if layout is not None:
                by_layout.setdefault(layout.hash, []).append(profile_of(layout, parts))
        if not by_layout:
            return None
        chosen = max(by_layout.values(), key=lambda profiles: sum(one.events for one in profiles))
        return merged(chosen[0].layout, chosen)

    def _judge_group(self, group: Group, history: History, end_ms: int, judged: Judged) -> None:
        version, segment = group
        window = current_window(history.current(), version=version, segment=segment)
        usual, reason = self._reference(group, history)
        if window.events < self.monitor.windows.min_samples:
            reason = f"{window.events:,} of {self.monitor.windows.min_samples:,} events in the current window"
        self.views[group] = View(window, usual, reason)
        detectors = self._bench.detectors(group, window, observes="pane", scope="version")
        self._judge(group, window, usual, detectors, end_ms, judged)

    def _reference(self, group: Group, history: History) -> tuple[Window | None, str | None]:
        """Return the reference window, or None and why there is none yet."""
        if self._reference_file is not None:
            return self._reference_file, None
        if (
            not reference.is_complete(self.layout)
            or history.panes[-1].profile.layout.hash != self.layout.hash
        ):
            return None, "the reference warms up: bins are cut once enough traffic was seen"
        behind = self._trailing(group, history)
        needed = max(WARM_UP_EVENTS, 2 * self.monitor.windows.min_samples)
        held = 0 if behind is None else behind.events
        if behind is None or held < needed:
            return None, f"the reference warms up: {held:,} of {needed:,} events"
        return window_of(behind, version="", segment=group[1], start_ms=0, end_ms=0), None

    def _trailing(self, group: Group, history: History) -> Profile | None:
        version = self.monitor.reference.version
        if version is None:
            return history.behind()
        other = self.histories.get((version, group[1]))
        if other is None or not other.panes or other.panes[-1].profile.layout.hash != self.layout.hash:
            return None
        return history.behind() if group[0] == version else other.all(self.layout)

    def _warm_up(self) -> Layout | None:
        """Return a new layout once there is enough traffic to cut bins from."""
        if self._reference_file is not None or reference.is_complete(self.layout):
            return None
        groups = [group for group in self.histories if not group[1]]
        wanted = self.monitor.reference.version
        if wanted is not None:
            groups = [group for group in groups if group[0] == wanted]
        seen = [self.histories[group].all(self.layout) for group in groups if self._is_current(group)]
        if not seen or sum(one.events for one in seen) < max(
            WARM_UP_EVENTS, 2 * self.monitor.windows.min_samples
        ):
            return None
        layout = reference.layout_from(self.monitor, merged(self.layout, seen))
        if layout.hash == self.layout.hash:
            return None
        self.take_layout(layout)
        return layout

    def _next_pane_ms(self) -> int:
        """Return the start of a pane no source partition has come to yet, with one pane to spare."""
        newest_ms = max(one.last_event_ms for one in self.inbox.progress.values())
        pane_ms = self.monitor.windows.pane
        return (newest_ms // pane_ms + 2) * pane_ms

    def _is_current(self, group: Group) -> bool:
        panes = self.histories[group].panes
        return bool(panes) and panes[-1].profile.layout.hash == self.layout.hash

    def _judge(
        self,
        group: Group,
        window: Window,
        usual: Window | None,
        detectors: Sequence[Detector[Any]],
        at_ms: int,
        judged: Judged,
    ) -> None:
        touched: dict[AlertKey, list[Verdict]] = {}
        for detector in detectors:
            verdict = detector.observe(window, usual)
            judged.verdicts.append((group, at_ms, verdict))
            self.last_verdicts[(group, verdict.detector, verdict.column)] = (at_ms, verdict)
            key = AlertKey(verdict.kind, *group, _subject(verdict))
            signals = self.signals.setdefault(key, {})
            signals[detector.name] = step(
                signals.get(detector.name, Signal()), verdict, at_ms, self._patience(detector.name)
            )
            touched.setdefault(key, []).append(verdict)
        for key, verdicts in touched.items():
            self._transition(key, verdicts, at_ms, judged)

    def _patience(self, detector: str) -> Patience:
        settings = self.monitor.settings(detector)
        for_ms = settings.for_ms if settings else 0
        clear_for = settings.clear_for_ms if settings else None
        return Patience(for_ms, 2 * self.monitor.windows.pane if clear_for is None else clear_for)

    def _transition(self, key: AlertKey, verdicts: Sequence[Verdict], at_ms: int, judged: Judged) -> None:
        signals = self.signals[key]
        alert = self.alerts.get(key)
        firing = [
            v for v in verdicts if signals[v.detector].state is SignalState.FIRING and v.status == "firing"
        ]
        if firing:
            self._worst[key] = max(firing, key=lambda v: v.score / v.threshold if v.threshold else v.score)
        if is_active(signals.values()):
            severity = max((self._severity(name) for name in self._active(signals)), key=_RANK.__getitem__)
            if alert is None:
                alert = self.alerts[key] = Alert(at_ms, 0, severity, at_ms)
            elif alert.severity == severity and at_ms - alert.told_ms < REFRESH_MS:
                return
            alert.severity, alert.told_ms = severity, at_ms
            judged.alerts.append(self._upsert(key, alert, at_ms, "firing"))
        elif alert is not None:
            del self.alerts[key]
            judged.alerts.append(self._upsert(key, alert, at_ms, "resolved"))
            self._worst.pop(key, None)
        if all(signal.state is SignalState.INACTIVE for signal in signals.values()):
            del self.signals[key]

    def _active(self, signals: Mapping[str, Signal]) -> list[str]:
        return [name for name, signal in signals.items() if signal.state is SignalState.FIRING]

    def _severity(self, detector: str) -> str:
        settings = self.monitor.settings(detector)
        chosen = settings.severity if settings else None
        return chosen or DETECTORS[detector].severity

    def _upsert(
        self, key: AlertKey, alert: Alert, at_ms: int, status: Any, summary: str | None = None
    ) -> AlertUpsert:
        # Sequences go on over resolves, so that a new incident of the same alert is newer than the last.
        alert.sequence = self._sequences[key] = self._sequences.get(key, 0) + 1
        model = self.monitor.model
        labels = {
            "alertname": key.kind, "model": model, "version": key.version, "feature": key.column,
            "segment": key.segment, "severity": alert.severity, "team": self.monitor.team,
        }  # fmt: skip
        verdict = self._worst.get(key)
        sentence = summary or (verdict.evidence.sentence if verdict else "")
        subject = f"{model} {key.version}".strip()
        where = f" [{key.segment}]" if key.segment else ""
        return AlertUpsert(
            status=status,
            labels={name: value for name, value in labels.items() if value},
            annotations={
                "summary": f"{subject}{where}: {sentence}",
                "description": _description(verdict),
                "runbook_url": self._links.runbook(key.kind),
                "dashboard_url": self._links.dashboard(model),
                "evidence": json.dumps(_evidence(verdict)),
            },
            starts_at_ms=alert.starts_at_ms,
            ends_at_ms=at_ms if status == "resolved" else None,
            pane_end_ms=at_ms,
            sequence=alert.sequence,
        )

    def _retire(self, end_ms: int, judged: Judged) -> None:
        """Let go of versions and segments that see no traffic any more while others do."""
        for group, history in list(self.histories.items()):
            newest = history.newest
            wanted = group[0] == self.monitor.reference.version
            if (
                newest is None
                or wanted
                or end_ms - newest.end_ms < max(RETIRED_AFTER_MS, self.monitor.windows.current)
            ):
                continue
            del self.histories[group]
            self.views.pop(group, None)
            self._bench.forget(group)
            for key in [key for key in self.alerts if (key.version, key.segment) == group]:
                alert = self.alerts.pop(key)
                judged.alerts.append(self._upsert(key, alert, end_ms, "resolved", summary="no longer serves"))
            self.signals = {key: s for key, s in self.signals.items() if (key.version, key.segment) != group}
            self.last_verdicts = {key: v for key, v in self.last_verdicts.items() if key[0] != group}


def _subject(verdict: Verdict) -> str:
    return "" if verdict.column == "latency_ms" else verdict.column


def _description(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    return (
        f"{verdict.detector} scored {verdict.score:.4g} against a threshold of {verdict.threshold:.4g} "
        f"over {verdict.samples:,} samples."
    )


def _evidence(verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {}
    evidence = verdict.evidence
    return {
        "detector": verdict.detector,
        "score": verdict.score,
        "threshold": verdict.threshold,
        "samples": verdict.samples,
        "value": evidence.value,
        "labels": list(evidence.labels),
        "reference": [round(share, 6) for share in evidence.reference],
        "current": [round(share, 6) for share in evidence.current],
        "details": dict(evidence.details),
    }
