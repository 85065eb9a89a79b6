"""Stage 2, pure: profiles of all source partitions in; closed panes, verdicts and alert upserts out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from detectors.base import Verdict
from detectors.estimation.track import Track
from detectors.window import Window
from streams import reference
from streams.alert_state import Alert, AlertKey, Signal, subject
from streams.alerting import WHOLE, AlertBook, Links
from streams.bench import Alike, Bench, alike
from streams.causes import Taken
from streams.covering import Held
from streams.history import HORIZON_MS, History, Pane, Past
from streams.inbox import Group, Inbox, Progress, ReadyPane
from streams.joins.book import OutcomeBook
from streams.joins.estimating import Estimating
from streams.joins.outcome_bench import outcome_bench
from streams.judged import Judged
from streams.layout import Layout
from streams.monitor import Monitor
from streams.profile import Profile, merged
from streams.recast import recast
from streams.watermark import NEVER_MS
from streams.window import current_window, traffic_window, window_of
from streams.wire import Part, profile_of

RETIRED_AFTER_MS = 3_600_000
#: What fires about a version that others have replaced is over after this.
REPLACED_AFTER_MS = 900_000
WARM_UP_EVENTS = 1_000
LAYOUTS_KEPT = 3


class JudgeState(msgspec.Struct):
    """What a judge knows of a model beside its closed panes."""

    closed_until_ms: int
    progress: dict[int, Progress]
    signals: list[tuple[AlertKey, dict[str, Signal]]]
    alerts: list[tuple[AlertKey, Alert]]
    sequences: list[tuple[AlertKey, int]]
    detectors: list[Any]
    layouts: list[Layout]
    told_ms: list[tuple[AlertKey, int]] = []
    takeovers: int = 0
    held: list[tuple[AlertKey, Held]] = []
    holds_ms: list[tuple[Group, int]] = []


@dataclass(slots=True)
class View:
    """A version and segment as it stands: current window, its reference, and why it is not judged."""

    window: Window
    reference: Window | None
    not_judged: str | None


class ModelJudge:
    """Judges one model.

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
        self.layout = layout
        self.layouts = {layout.hash: layout}
        self.inbox = Inbox(monitor.windows.pane)
        self.book = AlertBook(monitor, links or Links())
        self.histories: dict[Group, History] = {}
        self.views: dict[Group, View] = {}
        self.last_verdicts: dict[tuple[Group, str, str], tuple[int, Verdict]] = {}
        labels = monitor.labels
        self.outcomes = None if labels is None else OutcomeBook(labels.horizon + labels.window_ms)
        self.takeovers = 0
        self._usual: dict[Group, tuple[Past, Window]] = {}
        self._reference_file = reference_file
        self._bench = Bench(monitor)
        self._outcome_bench = outcome_bench(monitor, self._bench.outcome_alpha)
        self._estimating = self._estimates()

    @property
    def has_reference_file(self) -> bool:
        """Whether the reference, and so the layout, is given by a file."""
        return self._reference_file is not None

    def close(self) -> Judged:
        """Close the panes that are ready and judge them, oldest first."""
        judged = Judged()
        for ready in self.inbox.ready():
            judged.incomplete += ready.incomplete
            self._close(ready, judged)
            layout = self._warm_up()
            if layout is not None:
                judged.layout = (self._next_pane_ms(), layout)
        return judged

    def tick(self, now_ms: int, counted_until_ms: int | None = None) -> Judged:
        """Judge what depends on time going by: silence, staleness.

        Parameters
        ----------
        now_ms
            The wall clock, epoch ms.
        counted_until_ms
            The time before which everything that came is counted. What came since waits, and nobody knows of
            which model it is: so silence and staleness are judged as of then. Now, unless given.
        """
        judged = Judged()
        windows = self._traffic()
        heard = [one for one in self.inbox.progress.values() if one.last_record_ms != NEVER_MS]
        if windows and heard:
            whole = replace(
                traffic_window(windows),
                now_ms=now_ms if counted_until_ms is None else min(counted_until_ms, now_ms),
                last_record_ms=max(one.last_record_ms for one in heard),
                last_event_ms=max(one.last_event_ms for one in heard),
            )
            taken = self._observe(
                WHOLE, whole, None, self._bench.alike(WHOLE, observes="tick"), now_ms, judged
            )
            judged.alerts += self.book.take_all([taken], now_ms)
        return judged

    def judge_outcomes(self) -> Judged:
        """Judge how good the predictions were, of which labels have come in.

        Not those of a version that others have replaced: its labels come for days, and nobody can act on them.
        """
        judged = Judged()
        if self.outcomes is None or self._outcome_bench is None:
            return judged
        replaced_ms = self._replaced_ms(self.inbox.closed_until_ms)
        held = self.outcomes.panes()
        if self._estimating is not None:
            self._estimating.take(held)
        for group, panes in held.items():
            newest = self.histories[group].newest if group in self.histories else None
            if self.histories and (newest is None or newest.end_ms <= replaced_ms):
                continue
            given = None if self._reference_file is None or group[1] else self._reference_file.calibration
            window, before = self._outcome_bench.windows(*group, panes, given)
            # Said at the time the panes have come to: an alert's time never goes back.
            at_ms = max(self.inbox.closed_until_ms, panes[-1].end_ms)
            taken = self._observe(group, window, before, alike(self._outcome_bench.detectors), at_ms, judged)
            judged.alerts += self.book.take_all([taken], at_ms)
        judged.alerts += self.book.settle(self.inbox.closed_until_ms)
        return judged

    def estimate_tracks(self) -> dict[str, Track]:
        """Return how estimates did once their labels came, by metric; none where nothing is estimated."""
        return {} if self._estimating is None else self._estimating.tracks()

    def snapshot(self) -> JudgeState:
        """Return everything but the closed panes; those are rows of their own."""
        return JudgeState(
            closed_until_ms=self.inbox.closed_until_ms,
            progress=self.inbox.progress,
            signals=list(self.book.signals.items()),
            alerts=list(self.book.alerts.items()),
            sequences=list(self.book.sequences.items()),
            detectors=self._bench.snapshot(),
            layouts=list(self.layouts.values())[-LAYOUTS_KEPT:],
            told_ms=list(self.book.told_ms.items()),
            takeovers=self.takeovers,
            held=list(self.book.held.items()),
            holds_ms=list(self.book.holds_ms.items()),
        )

    def restore(self, state: JudgeState, panes: Mapping[Group, Sequence[Pane]]) -> None:
        """Go on where a snapshot and the closed panes leave off."""
        self.takeovers = state.takeovers + 1
        self.inbox.closed_until_ms = state.closed_until_ms
        self.inbox.progress = state.progress
        on_bench = self._outcome_bench.watched if self._outcome_bench else frozenset()
        watched = {(name, subject(column)) for name, column in self._bench.watched | on_bench}
        self.book.restore(
            state.signals, state.alerts, state.sequences, watched, state.told_ms, state.held, state.holds_ms
        )
        self._bench.restore(state.detectors)
        if self._reference_file is None:
            for layout in state.layouts:
                self.take_layout(layout)
        for group, held in panes.items():
            history = self._history(sorted(held, key=lambda pane: pane.start_ms))
            if history.panes:
                self.histories[group] = history
                self.views[group] = self._view(group, history)

    def take_layout(self, layout: Layout) -> None:
        """Know a layout; the newest is the one in force."""
        self.layouts[layout.hash] = layout
        self.layout = layout

    def _close(self, ready: ReadyPane, judged: Judged) -> None:
        end_ms = ready.start_ms + self.monitor.windows.pane
        takes = []
        for group, per_partition in sorted(ready.groups.items()):
            judged.incomplete += sum(self._layout_of(one) is None for one in per_partition)
            profile = self._merged(per_partition)
            if profile is not None:
                takes.append(self._close_group(group, Pane(ready.start_ms, end_ms, profile), judged))
        windows = self._traffic()
        if windows:
            detectors = self._bench.alike(WHOLE, observes="pane", scope="model")
            takes.append(self._observe(WHOLE, traffic_window(windows), None, detectors, end_ms, judged))
        judged.alerts += self.book.take_all(takes, end_ms)
        self._retire(end_ms, judged)
        judged.alerts += self.book.drop_unwatched(end_ms)
        judged.alerts += self.book.settle(end_ms)

    def _history(self, panes: Sequence[Pane] = ()) -> History:
        trailing_ms = self.monitor.reference.trailing or HORIZON_MS
        return History(self.monitor.windows, panes, trailing_ms=trailing_ms)

    def _traffic(self) -> list[Window]:
        """Return the windows of the versions that serve now."""
        windows = [view.window for (_, segment), view in self.views.items() if not segment]
        recent_ms = max((window.end_ms for window in windows), default=0) - self.monitor.windows.current
        return [window for window in windows if window.end_ms > recent_ms]

    def _close_group(self, group: Group, pane: Pane, judged: Judged) -> Taken:
        history = self.histories.setdefault(group, self._history())
        history.add(pane)
        view = self.views[group] = self._view(group, history)
        judged.panes.append((group, pane))
        judged.pane_windows.append(view.window.pane or view.window)
        detectors = self._bench.alike(group, observes="pane", scope="version")
        window = view.window
        if self._estimating is not None:
            window = self._estimating.equipped(window, group)
        return self._observe(group, window, view.reference, detectors, pane.end_ms, judged)

    def _estimates(self) -> Estimating | None:
        """Return what metrics are estimated by, None where none is."""
        if self._outcome_bench is None or self.outcomes is None or not self._bench.estimates:
            return None
        return Estimating(self._outcome_bench, self.outcomes, self._reference_file, self.histories)

    def _merged(self, per_partition: Sequence[list[Part] | Profile]) -> Profile | None:
        """Merge the partitions' profiles; where layouts changed meanwhile, in the newest of them."""
        known = [
            one if isinstance(one, Profile) else profile_of(layout, one)
            for one in per_partition
            if (layout := self._layout_of(one)) is not None
        ]
        if not known:
            return None
        order = list(self.layouts)
        newest = max((profile.layout for profile in known), key=lambda layout: order.index(layout.hash))
        found = [recast(profile, newest) for profile in known]
        kept = [profile for profile in found if profile is not None]
        return kept[0] if len(kept) == 1 else merged(newest, kept)

    def _layout_of(self, one: list[Part] | Profile) -> Layout | None:
        return self.layouts.get(one.layout.hash if isinstance(one, Profile) else one[0].layout)

    def _observe(
        self,
        group: Group,
        window: Window,
        usual: Window | None,
        detectors: Sequence[Alike],
        at_ms: int,
        judged: Judged,
    ) -> Taken:
        verdicts: list[Verdict] = []
        for each in detectors:
            asked = [one for one in each if not one.is_idle(window, usual)]
            if asked:
                verdicts += type(asked[0]).observe_many(asked, window, usual)
        for verdict in verdicts:
            said, place = (group, at_ms, verdict), (group, verdict.detector, verdict.column)
            before = self.last_verdicts.get(place)
            judged.verdicts.append(said)
            if verdict.status == "firing" or before is None or before[1].status != verdict.status:
                judged.news.append(said)
            self.last_verdicts[place] = (at_ms, verdict)
        return Taken(group, verdicts, (window, usual))

    def _view(self, group: Group, history: History) -> View:
        version, segment = group
        window = current_window(history.current(), version=version, segment=segment, sliding=history.sliding)
        usual, reason = self._reference(group, history)
        if window.events < self.monitor.windows.min_samples:
            reason = f"{window.events:,} of {self.monitor.windows.min_samples:,} events in the current window"
        return View(window, usual, reason)

    def _reference(self, group: Group, history: History) -> tuple[Window | None, str | None]:
        """Return the reference window, or None and why there is none yet."""
        by_file = self._reference_file is not None
        if by_file and not group[1]:
            return self._reference_file, None
        # A file tells of the model as a whole; a segment differs from that by nature, so it is held against itself.
        if not (by_file or reference.is_complete(self.monitor, self.layout)) or not self._is_current(history):
            return None, "the reference warms up: bins are cut once enough traffic was seen"
        behind = self._behind(group, history)
        events = 0 if behind is None else behind.profile.events
        if behind is None or events < self._needed:
            return (
                None,
                f"the reference warms up: {events:,} of {self._needed:,} events before the current window",
            )
        held = self._usual.get(group)
        if held is None or held[0] is not behind:
            usual = window_of(
                behind.profile,
                version="",
                segment=group[1],
                start_ms=0,
                end_ms=0,
                spans=behind.spans,
                pair_spans=behind.pair_spans,
                attribution_spans=behind.attribution_spans,
            )
            held = self._usual[group] = (behind, usual)
        return held[1], None

    @property
    def _needed(self) -> int:
        return max(WARM_UP_EVENTS, 2 * self.monitor.windows.min_samples)

    def _behind(self, group: Group, history: History) -> Past | None:
        version = self.monitor.reference.version
        if version is None or version == group[0]:
            return history.past_behind()
        other = self.histories.get((version, group[1]))
        return other.whole_past(self.layout) if other is not None and self._is_current(other) else None

    def _is_current(self, history: History) -> bool:
        return history.newest is not None and history.newest.profile.layout.hash == self.layout.hash

    def _warm_up(self) -> Layout | None:
        """Return a new layout, once there is enough traffic to cut bins from."""
        if self._reference_file is not None or reference.is_complete(self.monitor, self.layout):
            return None
        wanted = self.monitor.reference.version
        seen: dict[str, list[Profile]] = {"": []}
        for (version, segment), history in self.histories.items():
            if wanted in (None, version) and self._is_current(history):
                seen.setdefault(segment, []).extend(pane.profile for pane in history.panes)
        events = {segment: sum(one.events for one in profiles) for segment, profiles in seen.items()}
        if events[""] < self._needed:
            return None
        layout = reference.layout_from(self.monitor, merged(self.layout, seen[""]), events)
        if layout.hash == self.layout.hash:
            return None
        self.take_layout(layout)
        return layout

    def _next_pane_ms(self) -> int:
        """Return the start of a pane no source partition has come to yet, with one pane to spare."""
        newest_ms = max(one.last_event_ms for one in self.inbox.progress.values())
        return (newest_ms // self.monitor.windows.pane + 2) * self.monitor.windows.pane

    def _replaced_ms(self, end_ms: int) -> int:
        """Return until when a version must have seen traffic, lest others have replaced it."""
        return end_ms - max(REPLACED_AFTER_MS, 3 * self.monitor.windows.current)

    def _retire(self, end_ms: int, judged: Judged) -> None:
        """Let go of versions and segments that see no traffic any more while others do."""
        current = self.monitor.windows.current
        replaced_ms = self._replaced_ms(end_ms)
        retired_ms = end_ms - max(RETIRED_AFTER_MS, 3 * current)
        for group, history in list(self.histories.items()):
            newest = history.newest
            if newest is None or newest.end_ms > replaced_ms:
                continue
            whole = self.histories.get((group[0], ""))
            serves = whole is not None and whole.newest is not None and whole.newest.end_ms > replaced_ms
            if group[1] and serves and newest.end_ms > retired_ms:
                # Its version goes on without it: nobody knows how it is.
                judged.alerts += self.book.miss(group, newest.end_ms, end_ms)
                continue
            judged.alerts += self.book.retire(group, end_ms)
            if newest.end_ms > retired_ms or group[0] == self.monitor.reference.version:
                continue
            del self.histories[group]
            self.views.pop(group, None)
            self._usual.pop(group, None)
            self._bench.forget(group)
            self.last_verdicts = {key: held for key, held in self.last_verdicts.items() if key[0] != group}
