"""Closed panes of one model, version and segment: the current window, and what lies behind it.

Panes older than the current window roll up (5 min, 1 h, 1 d), so that a week stays some dozens of
profiles.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.attribution_spans import span_rows as attribution_rows
from streams.layout import Layout
from streams.monitor import DAY_MS, Windows
from streams.pair_sums import span_rows
from streams.profile import Profile, merged
from streams.sliding import Sliding
from streams.spans import LONG_SPANS, rows_of

HORIZON_MS = 7 * DAY_MS
_HOUR_MS = 3600 * 1000
#: (age at which a pane rolls up, length it rolls up to), finest first.
_ROLLUPS = ((0, 300_000), (_HOUR_MS, _HOUR_MS), (DAY_MS, DAY_MS))
#: Lengths of spans that are told apart when it comes to how far they differ.
_SPAN_LENGTHS = (300_000, _HOUR_MS, DAY_MS, sys.maxsize)


@dataclass(frozen=True, slots=True)
class Pane:
    """A closed span of event time, epoch ms, and what was in it."""

    start_ms: int
    end_ms: int
    profile: Profile


@dataclass(frozen=True, slots=True)
class Past:
    """A past to compare with: merged, and the counts of its panes by their length (`streams.spans`)."""

    profile: Profile
    spans: tuple[NDArray[np.int64], ...]
    pair_spans: tuple[NDArray[np.int64], ...] = ()
    attribution_spans: tuple[NDArray[np.float64], ...] = ()

    @classmethod
    def of(cls, layout: Layout, panes: Sequence[Pane]) -> "Past":
        """Return the past of some panes, oldest first."""
        whole = merged(layout, [pane.profile for pane in panes])
        spans, pair_spans, attribution_spans = [], [], []
        for longest_ms in _SPAN_LENGTHS:
            alike = [one.profile for one in panes if _span_length(one) == longest_ms]
            if len(alike) > 1:
                spans.append(rows_of(alike[-LONG_SPANS:]))
                if whole.pairs is not None:
                    sums = [one.pairs for one in alike[-LONG_SPANS:]]
                    pair_spans.append(span_rows(sums, whole.pairs.positions))
                if whole.attributions is not None:
                    held = [one.attributions for one in alike[-LONG_SPANS:]]
                    attribution_spans.append(attribution_rows(layout, held))
        return cls(whole, tuple(spans), tuple(pair_spans), tuple(attribution_spans))


def _span_length(pane: Pane) -> int:
    """Return the length of the kind of span a pane is, rolled up in part or whole."""
    length_ms = pane.end_ms - pane.start_ms
    return next(longest_ms for longest_ms in _SPAN_LENGTHS if length_ms <= longest_ms)


def _joined(panes: Sequence[Pane]) -> Pane:
    """Return panes, one after the other and one at least, as one."""
    if len(panes) == 1:
        return panes[0]
    whole = merged(panes[0].profile.layout, [pane.profile for pane in panes])
    return Pane(panes[0].start_ms, panes[-1].end_ms, whole)


class History:
    """Closed panes, oldest first; all of one layout (another layout starts it anew)."""

    def __init__(
        self, windows: Windows, panes: Sequence[Pane] = (), *, trailing_ms: int = HORIZON_MS
    ) -> None:
        self._windows = windows
        self._trailing_ms = trailing_ms
        self._behind: tuple[int, Past] | None = None
        self.sliding = Sliding()
        # As they were held before, rolled up or not: adding them one by one could part or join others.
        self.panes = [one for one in panes if one.profile.layout.hash == panes[-1].profile.layout.hash]

    @property
    def newest(self) -> Pane | None:
        """The newest closed pane."""
        return self.panes[-1] if self.panes else None

    def add(self, pane: Pane) -> None:
        """Add a pane newer than all before it, and roll up or forget what is old."""
        newest = self.newest
        if newest is not None and newest.profile.layout.hash != pane.profile.layout.hash:
            self.panes.clear()
            self._behind = None
        self.panes.append(pane)
        self._roll_up(pane.end_ms)

    def current(self) -> Sequence[Pane]:
        """Return the panes of the current window: its length, or further back until it has enough events."""
        return self.panes[self._current_from() :]

    def behind(self) -> Profile | None:
        """Return what lies before the current window, merged; None when that is nothing.

        It moves on once per length of the current window, by event time alone, and reaches back as far as
        the trailing reference does.
        """
        past = self.past_behind()
        return None if past is None else past.profile

    def past_behind(self) -> Past | None:
        """Return `behind` with its spans."""
        if self._current_from() == 0:
            return None
        boundary_ms = self._boundary_ms()
        if self._behind is None or self._behind[0] != boundary_ms:
            oldest_ms = boundary_ms - self._trailing_ms
            before = [pane for pane in self.panes if oldest_ms < pane.end_ms <= boundary_ms]
            self._behind = (boundary_ms, Past.of(self.panes[0].profile.layout, before))
        return self._behind[1] if self._behind[1].profile.events else None

    def all(self, layout: Layout) -> Profile:
        """Return everything held, merged."""
        return self.whole_past(layout).profile

    def whole_past(self, layout: Layout) -> Past:
        """Return `all` with its spans."""
        return Past.of(layout, self.panes)

    def _current_from(self) -> int:
        if not self.panes:
            return 0
        end_ms = self.panes[-1].end_ms
        events, index = 0, len(self.panes)
        while index > 0:
            pane = self.panes[index - 1]
            inside = pane.start_ms >= end_ms - self._windows.current
            if not inside and (events >= self._windows.min_samples or pane.start_ms < end_ms - HORIZON_MS):
                break
            events += pane.profile.events
            index -= 1
        return index

    def _boundary_ms(self) -> int:
        """Return where `behind` ends: the current window's start, floored to a multiple of its length."""
        start_ms = self.panes[self._current_from()].start_ms
        return start_ms // self._windows.current * self._windows.current

    def _roll_up(self, end_ms: int) -> None:
        horizon = end_ms - max(HORIZON_MS, self._trailing_ms, self._windows.current) - DAY_MS
        kept = (
            [pane for pane in self.panes if pane.end_ms > horizon]
            if self.panes[0].end_ms <= horizon
            else self.panes
        )
        # After a silence the current window reaches back: what it needs must not bring in what is older.
        # Nor may what `behind` holds be joined with what it does not: a restore would not tell them apart.
        boundary_ms = self._boundary_ms()
        rolled: list[list[Pane]] = []
        for pane in kept:
            length = self._length_at(end_ms - pane.end_ms)
            if (
                rolled
                and pane.end_ms <= boundary_ms
                and length > self._windows.pane
                and pane.end_ms - pane.start_ms < length
                and rolled[-1][0].start_ms // length == pane.start_ms // length
                and rolled[-1][-1].end_ms - rolled[-1][0].start_ms < length
                and self._length_at(end_ms - rolled[-1][-1].end_ms) >= length
            ):
                rolled[-1].append(pane)
            else:
                rolled.append([pane])
        self.panes = [_joined(panes) for panes in rolled]

    def _length_at(self, age_ms: int) -> int:
        """Return how long panes of this age are; those of the current window stay as they are."""
        if age_ms < self._windows.current:
            return self._windows.pane
        return max(length for from_age_ms, length in _ROLLUPS if age_ms >= from_age_ms)
