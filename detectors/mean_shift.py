"""What detectors of a shift in a series of pane means share: scale, series, the shift's size, the state."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from pydantic import Field

from detectors.base import Detector, Evidence, Params, Verdict
from detectors.comparison import shortage
from detectors.sentence import against, figure, shorten
from detectors.window import Column, Window

#: Panes of the series kept; the newest half stays when it is full.
SERIES_LIMIT = 512


class ChangeDetector(Protocol):
    """What a change detector of river looks like from here."""

    @property
    def drift_detected(self) -> bool:
        """Whether the last value completed a change."""

    def update(self, x: float) -> object:
        """Take the next value."""


class MeanShiftParams(Params):
    """Parameters of every detector of a mean shift."""

    threshold: float = Field(
        default=0.25,
        ge=0.0,
        description="shift of the mean worth an alert (standard deviations of the values)",
    )
    min_panes: int = Field(
        default=30, ge=2, le=SERIES_LIMIT // 2, description="panes needed before a verdict (2 to 256)"
    )
    pane_samples: int = Field(default=30, ge=1, description="values a pane must hold for its mean to count")
    hold_panes: int = Field(
        default=360, ge=1, description="panes after which a shift that stays is taken as the new usual level"
    )


@dataclass(slots=True)
class SeriesState:
    """State between panes; everything in it is JSON-able.

    ``centre`` and ``scale`` are those of the reference when the series began, or of the first panes where
    there is none. They stay, so that a reference that moves on does not look like a shift.
    ``anchor`` is the usual level while a shift is held, ``level`` the one after it.
    """

    centre: float = 0.0
    scale: float | None = None
    warm_values: int = 0
    warm_panes: int = 0
    warm_mean: float = 0.0
    warm_squares: float = 0.0
    series: list[float] = field(default_factory=list)
    values: int = 0
    panes: int = 0
    anchor: float | None = None
    level: float = 0.0
    held: int = 0
    last_end_ms: int | None = None


M = TypeVar("M", bound=MeanShiftParams)


class MeanShiftDetector(Detector[M], Generic[M]):
    """Feeds the means of a column's panes, standardised, to a change detector of river.

    When that reports a change, the series is cut where it splits best, and the size of the shift from the
    level before is the score, for as long as it stays (at most ``hold_panes``). River's detectors can't be
    written as JSON, so the state is their input since the last reset, and restoring replays it.
    """

    also = frozenset({"FeatureDrift", "PredictionDrift"})

    def __init__(self, params: M, column: str = "") -> None:
        super().__init__(params, column)
        self._state = SeriesState()
        self._change = self.change_detector()

    def change_detector(self) -> ChangeDetector:
        """Return a fresh change detector."""
        raise NotImplementedError

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Take in the newest pane's mean and judge the level the series has come to."""
        pane, state = window.pane, self._state
        whole = window.column(self.column)
        if whole is not None and whole.kind == "category":
            return self.insufficient(whole.count, f"{shorten(self.column)}: categories have no mean")
        if pane is not None and (state.last_end_ms is None or pane.end_ms > state.last_end_ms):
            state.last_end_ms = pane.end_ms
            column = pane.column(self.column)
            usual = None if reference is None else reference.column(self.column)
            if column is not None and column.count >= self.params.pane_samples and np.isfinite(column.mean):
                self._take(column, usual)
        return self._judge()

    def snapshot(self) -> Any:
        """Return the state, with the change detector's input since its last reset."""
        return asdict(self._state)

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up a `snapshot` by replaying the series."""
        self._state = SeriesState(**{**snapshot, "series": list(snapshot["series"])})
        self._replay()

    def _take(self, column: Column, reference: Column | None) -> None:
        state = self._state
        state.values += column.count
        state.panes += 1
        if state.scale is None:
            self._settle(reference)
        if state.scale is None:
            self._warm_up(column)
            return
        state.held = max(state.held - 1, 0)
        if state.held == 0:
            state.anchor = None
        value = (column.mean - state.centre) / state.scale
        state.series.append(value)
        self._change.update(value)
        if self._change.drift_detected:
            self._shift()
        elif len(state.series) >= SERIES_LIMIT:
            state.series = state.series[SERIES_LIMIT // 2 :]
            self._replay()

    def _settle(self, reference: Column | None) -> None:
        """Fix centre and scale by the reference, if it has a spread."""
        if reference is not None and np.isfinite(reference.mean) and reference.variance > 0:
            self._state.centre, self._state.scale = reference.mean, reference.standard_deviation

    def _warm_up(self, column: Column) -> None:
        """Fix centre and scale by the first panes together, once they are enough and have a spread."""
        state = self._state
        total = state.warm_values + column.count
        step = column.mean - state.warm_mean
        state.warm_squares += (
            column.variance * column.count + step**2 * column.count * state.warm_values / total
        )
        state.warm_mean += step * column.count / total
        state.warm_values, state.warm_panes = total, state.warm_panes + 1
        if state.warm_panes >= self.params.min_panes and state.warm_squares > 0:
            state.centre, state.scale = state.warm_mean, float(np.sqrt(state.warm_squares / total))

    def _shift(self) -> None:
        """Begin the series anew after the change, remembering the level before it."""
        state = self._state
        place = change_point(state.series)
        before, state.level = float(np.mean(state.series[:place])), float(np.mean(state.series[place:]))
        if state.anchor is None:
            state.anchor = before
        state.held = self.params.hold_panes
        state.series = []
        self._replay()

    def _replay(self) -> None:
        self._change = self.change_detector()
        for value in self._state.series:
            self._change.update(value)

    def _judge(self) -> Verdict:
        state, name = self._state, shorten(self.column)
        if state.panes < self.params.min_panes:
            return self.insufficient(
                state.values, f"{name}: {shortage(state.panes, self.params.min_panes, 'pane')}"
            )
        if state.values < self.params.min_samples:
            return self.insufficient(
                state.values, f"{name}: {shortage(state.values, self.params.min_samples, 'value')}"
            )
        if state.scale is None:
            return self.insufficient(state.values, f"{name}: constant so far, there is no scale to judge by")
        if state.anchor is None:
            sentence = f"{name}: mean steady over {state.panes:,} panes"
            return self.verdict(0.0, state.values, Evidence(sentence, value=0.0))
        return self._judge_shift(state.anchor, state.centre, state.scale)

    def _level(self) -> float:
        """Return the level after the shift: that of the panes since, once they are enough.

        The change itself may rest on one pane, half in and half out, or on a blip that is over.
        """
        state = self._state
        return float(np.mean(state.series)) if len(state.series) >= self.params.min_panes else state.level

    def _judge_shift(self, anchor: float, centre: float, scale: float) -> Verdict:
        level = self._level()
        score = abs(level - anchor)
        before, after = centre + scale * anchor, centre + scale * level
        sentence = (
            f"{shorten(self.column)}: mean {figure(before)} → {figure(after)}, a shift of "
            f"{against(score, self.params.threshold)} standard deviations"
        )
        evidence = Evidence(sentence, value=after, details={"mean": [before, after]})
        return self.verdict(score, self._state.values, evidence)


def change_point(series: list[float]) -> int:
    """Return where a series splits best into two levels, by the largest weighted gap of their means.

    References
    ----------
    Hinkley, D. (1970), Inference about the change-point in a sequence of random variables, Biometrika 57(1).

    Examples
    --------
    >>> change_point([0.0, 0.1, 0.0, 2.0, 2.1])
    3
    """
    values = np.asarray(series, dtype=np.float64)
    left = np.arange(1, values.size)
    deviations = np.cumsum(values - values.mean())[:-1]
    gap = np.abs(deviations) / np.sqrt(left * (values.size - left))
    return int(np.argmax(gap)) + 1
