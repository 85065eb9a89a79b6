"""What detectors of a rising loss share: the series of panes, its segments, and the size of the rise."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
from pydantic import Field

from detectors.base import Detector, Evidence, Params, Verdict
from detectors.comparison import shortage
from detectors.outcomes.losses import PaneLoss
from detectors.sentence import figure, quantity
from detectors.tilt import Floats
from detectors.window import Window

_WORST = 1e6


class LossShiftParams(Params):
    """Parameters of every detector of a rising loss."""

    threshold: float = Field(default=4.0, ge=0.0, description="rise of the loss (standard errors)")
    min_panes: int = Field(
        default=12, ge=4, le=500, description="panes with labels needed before a verdict (4 to 500)"
    )
    pane_samples: int = Field(default=20, ge=2, description="labels a pane must hold for its loss to count")


M = TypeVar("M", bound=LossShiftParams)


class Series:
    """Losses of panes, oldest first, as arrays of shape ``(panes,)``, standardised by the first of them.

    ``scores`` are the means less that of the first ``usual`` panes, in standard errors of a pane; these are
    widened by as much as those panes scatter beyond what their labels' number explains.
    """

    def __init__(self, losses: Sequence[PaneLoss], usual: int) -> None:
        self.count = np.array([one.count for one in losses], dtype=np.float64)
        self.mean = np.array([one.mean for one in losses])
        first = slice(0, usual)
        centre = _weighted(self.count[first], self.mean[first])
        self._within = np.array([one.variance for one in losses])
        within = _weighted(self.count[first], self._within[first])
        spread = within + _weighted(self.count[first], (self.mean[first] - centre) ** 2)
        scores = (self.mean - centre) * np.sqrt(self.count / max(spread, 1e-12))
        scatter = max(float(np.std(scores[first])), 1.0)
        self.scores: Floats = scores / scatter
        #: Variance of one outcome's loss, with the scatter between panes in it.
        self.variance = spread * scatter**2

    def level(self, panes: slice) -> tuple[float, float]:
        """Return the mean loss of some panes, and its standard error.

        By the first panes' variance or their own, whichever is larger: where nothing was wrong, one mistake
        is no proof.
        """
        variance = max(self.variance, _weighted(self.count[panes], self._within[panes]))
        return (
            _weighted(self.count[panes], self.mean[panes]),
            float(np.sqrt(variance / max(self.count[panes].sum(), 1.0))),
        )


class LossShift(Detector[M], Generic[M]):
    """Follows the loss of panes whose labels are in, and fires while it is higher than it has been.

    A change detector cuts the series where the loss has come to another level; ``score`` is how many
    standard errors the newest level lies above the lowest before it. Nothing is kept between windows: the
    series is what the outcomes of the horizon say now, with labels that came late or were corrected.
    """

    kind = "ConceptDrift"
    targets = frozenset({"outcome"})
    observes = "outcome"

    def changes(self, series: Series, start: int) -> int | None:
        """Return the pane by which the loss is seen to have changed since pane ``start``, None if it has not."""
        raise NotImplementedError

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the series of losses up to the newest pane whose labels are in."""
        outcomes = window.outcomes
        losses = [
            one
            for one in (() if outcomes is None else outcomes.losses)
            if one.count >= self.params.pane_samples
        ]
        labels = sum(one.count for one in losses)
        if labels < self.params.min_samples:
            return self.insufficient(
                labels, f"{self.column}: {shortage(labels, self.params.min_samples, 'label')}"
            )
        if len(losses) < self.params.min_panes:
            lacking = shortage(len(losses), self.params.min_panes, "pane")
            return self.insufficient(labels, f"{self.column}: {lacking} with labels")
        return self._judge(losses, labels)

    def _judge(self, losses: Sequence[PaneLoss], labels: int) -> Verdict:
        series = Series(losses, self.params.min_panes)
        starts = self._segments(series)
        begin = max(starts[-1], len(losses) - self.params.min_panes)
        now, now_error = series.level(slice(begin, None))
        if len(starts) == 1:
            sentence = f"{self.column} steady over {quantity(len(losses), 'pane')} with labels"
            return self.verdict(0.0, labels, Evidence(sentence, value=now))
        ends = [*starts[1:], len(losses)]
        levels = [series.level(slice(*span)) for span in zip(starts[:-1], ends[:-1], strict=True)]
        before, error = min(levels)
        score = min(max(now - before, 0.0) / max(float(np.hypot(error, now_error)), 1e-12), _WORST)
        sentence = (
            f"{self.column} {figure(before)} → {figure(now)}, {figure(score)} standard errors, over "
            f"{quantity(len(losses), 'pane')} with labels"
        )
        details = {"before": before, "since_ms": losses[starts[-1]].start_ms, "changes": len(starts) - 1}
        return self.verdict(score, labels, Evidence(sentence, value=now, details=details))

    def _segments(self, series: Series) -> list[int]:
        """Return the first pane of each stretch of one level."""
        starts = [0]
        while (seen := self.changes(series, starts[-1])) is not None:
            cut = starts[-1] + best_cut(series.scores[starts[-1] : seen + 1])
            if cut == starts[-1] or cut >= series.count.size - 1:
                break
            starts.append(cut)
        return starts


def best_cut(scores: Floats) -> int:
    """Return where a series splits best into two levels; 0 where it is too short to be split.

    References
    ----------
    Hinkley, D. (1970), Inference about the change-point in a sequence of random variables, Biometrika 57(1).
    """
    if scores.size < 2:
        return 0
    left = np.arange(1, scores.size)
    gap = np.abs(np.cumsum(scores - scores.mean())[:-1]) / np.sqrt(left * (scores.size - left))
    return int(np.argmax(gap)) + 1


def first_change(scores: Floats, update: Callable[[float], bool]) -> int | None:
    """Return the first place of a series by which ``update`` has found a change."""
    return next((place for place, score in enumerate(scores.tolist()) if update(score)), None)


def _weighted(weights: Floats, values: Floats) -> float:
    return float(weights @ values / max(weights.sum(), 1.0))
