"""Which errors to expect of a model's numbers, and how that did once labels came."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.estimation.calibration import Hindsight
from detectors.estimation.estimate import Estimate
from detectors.estimation.losses import LossModel
from detectors.estimation.track import MOST_PANES, Track, tracks
from detectors.outcomes.metrics import Metric
from streams.history import History, Pane
from streams.joins.book import Group, OutcomeBook
from streams.joins.outcome_bench import OutcomeBench
from streams.joins.outcomes import PREDICTIONS, Outcomes, together
from streams.window import window_of

#: Spans an estimate is followed over at least, where there are as many: with two it can lose its trust.
_LEAST_SPANS = 4
#: Outcomes and panes are taken to be of the same predictions where their numbers differ by no more than this share
#: and, of a sample, so many standard errors.
_SAME_SHARE, _SAME_ERRORS = 0.05, 4.0
_OF_SEGMENTS = "the labels of the reference file are those of all segments together"

Floats = NDArray[np.float64]
#: Version and segment, start and end of a pane (epoch ms), and its events.
RowKey = tuple[Group, int, int, int]
Seen = tuple[dict[str, Estimate], dict[str, Metric]]


class Span(NamedTuple):
    """A span of event time with what was predicted in it, and what came of it."""

    outcomes: Outcomes
    panes: tuple[Pane, ...]


class ExpectedLosses:
    """Holds what to expect of each version, made anew when outcomes are judged.

    Parameters
    ----------
    bench, book
        Of the model's outcomes.
    given
        The errors to expect by the reference file.
    histories
        The closed panes by version and segment: what estimates were made of, and can be made of again.
    """

    def __init__(
        self,
        bench: OutcomeBench,
        book: OutcomeBook,
        given: LossModel | None,
        histories: Mapping[Group, History],
    ) -> None:
        self._bench = bench
        self._book = book
        self._given = given
        self._histories = histories
        self._held: dict[Group, LossModel] | None = None
        self._rows: dict[RowKey, tuple[Floats, int]] = {}

    def take(self, panes: Mapping[Group, Sequence[Outcomes]]) -> None:
        """Know what the book holds by now."""
        self._held = {}
        given, rows = self._given, self._rows
        if given is None or given.why:
            return
        self._rows = {}
        for group, found in panes.items():
            history = self._histories.get(group)
            if not group[1] and history is not None:
                self._held[group] = self._in_hindsight(given, group, found, history, rows)

    def of(self, group: Group) -> LossModel | None:
        """Return which errors to expect of a version; of a segment that nobody knows."""
        if self._given is None:
            return None
        if group[1]:
            return LossModel.unknown(self._given.labels, self._given.source, _OF_SEGMENTS)
        if self._held is None:  # as after a restart, when the book is full already
            self.take(self._book.panes())
        return (self._held or {}).get(group, self._given)

    def tracks(self) -> dict[str, Track]:
        """Return how estimates of each metric did, of versions the one that was furthest off."""
        worst: dict[str, Track] = {}
        for one in (self._held or {}).values():
            for name, track in {} if one.hindsight is None else one.hindsight.tracks.items():
                if name not in worst or worst[name].off < track.off:
                    worst[name] = track
        return worst

    def _in_hindsight(
        self,
        given: LossModel,
        group: Group,
        found: Sequence[Outcomes],
        history: History,
        rows: Mapping[RowKey, tuple[Floats, int]],
    ) -> LossModel:
        settled, since_ms = self._bench.settled(found)
        spans = aligned(settled, history.panes)
        recent = [one for one in spans if one.outcomes.end_ms > since_ms]
        spans = joined(recent if len(recent) >= _LEAST_SPANS else spans[-_LEAST_SPANS:], MOST_PANES)
        for pane in chain.from_iterable(one.panes for one in spans):
            key = _key(group, pane)
            self._rows[key] = rows.get(key) or _row(given, pane)
        # Panes in the bins of another reference file say nothing.
        spans = [one for one in spans if any(self._rows[_key(group, pane)][1] for pane in one.panes)]
        if not spans:
            return given
        seen = [self._seen(given, group, one) for one in spans]
        whole = self._seen(given, group, joined(spans, 1)[0])
        first, last = spans[0].outcomes, spans[-1].outcomes
        held = Hindsight(first.start_ms, last.end_ms, *whole, tracks(seen, whole, given.level))
        return replace(given, hindsight=held)

    def _seen(self, given: LossModel, group: Group, span: Span) -> Seen:
        """Return what was to be expected of a span, and what came of it."""
        realised = self._bench.metrics(span.outcomes)
        parts = [self._rows[_key(group, pane)] for pane in span.panes]
        total = max(sum(size for _, size in parts), 1)
        row = sum((row * (size / total) for row, size in parts), np.zeros(given.effects.shape[2]))
        labelled = max((one.samples for one in realised.values()), default=0)
        return given.of_row(row, labelled), realised


def _key(group: Group, pane: Pane) -> RowKey:
    return group, pane.start_ms, pane.end_ms, pane.profile.events


def _row(model: LossModel, pane: Pane) -> tuple[Floats, int]:
    window = window_of(pane.profile, version="", segment="", start_ms=pane.start_ms, end_ms=pane.end_ms)
    row = model.row(window)
    fits = row.size == model.effects.shape[2]
    return (row, model.predictions(window)) if fits else (np.zeros(model.effects.shape[2]), 0)


def aligned(outcomes: Sequence[Outcomes], panes: Sequence[Pane]) -> list[Span]:
    """Return the spans that outcomes and closed panes both speak of, as short as they can be told apart.

    Closed panes roll up with age, and outcomes have panes of their own length. Spans of which the two do
    not hold the same predictions are left out: some outcomes are not settled, or some panes gone.

    Parameters
    ----------
    outcomes, panes
        Of one version and segment, oldest first.
    """
    found, left, right = [], 0, 0
    while left < len(outcomes) and right < len(panes):
        if outcomes[left].end_ms <= panes[right].start_ms:
            left += 1
            continue
        if panes[right].end_ms <= outcomes[left].start_ms:
            right += 1
            continue
        first, start, end_ms = left, right, 0
        while True:
            if left < len(outcomes) and (left == first or outcomes[left].start_ms < end_ms):
                end_ms, left = max(end_ms, outcomes[left].end_ms), left + 1
            elif right < len(panes) and (right == start or panes[right].start_ms < end_ms):
                end_ms, right = max(end_ms, panes[right].end_ms), right + 1
            else:
                break
        whole = together(outcomes[first:left])
        if whole is not None and _is_same(whole, panes[start:right]):
            found.append(Span(whole, tuple(panes[start:right])))
    return found


def joined(spans: Sequence[Span], most: int) -> list[Span]:
    """Return spans, neighbours joined into ``most`` at most."""
    each = max(-(-len(spans) // most), 1)
    runs = [spans[start : start + each] for start in range(0, len(spans), each)]
    return [
        Span(whole, tuple(chain.from_iterable(one.panes for one in run)))
        for run in runs
        if (whole := together(one.outcomes for one in run)) is not None
    ]


def _is_same(outcomes: Outcomes, panes: Sequence[Pane]) -> bool:
    made = sum(one.profile.events - one.profile.errors for one in panes)
    sampling = (made * outcomes.rate * (1.0 - outcomes.rate)) ** 0.5
    off = abs(outcomes.tally.get(PREDICTIONS, 0) - made * outcomes.rate)
    return bool(off <= _SAME_SHARE * made * outcomes.rate + _SAME_ERRORS * sampling)
