"""What a regression's errors are expected to be: a sum of effects of the bins that a window's values lie in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from detectors.estimation.calibration import Hindsight
from detectors.estimation.estimate import Estimate
from detectors.tally import MISSING
from detectors.window import Column, Kind, Window

Floats = NDArray[np.float64]

#: The losses that are expected, in the order of a `LossModel`'s arrays, by the metric each makes.
LOSSES: Mapping[str, int] = {"mae": 0, "rmse": 1}
#: Labelled values a bin needs, lest nothing is known of its values.
SEEN_LABELS = 10
#: A sketch's values are known to this, relative; what lies beyond a limit by less may lie within it.
_SKETCH_ERROR = 0.02
#: Of the usual scatter, what is taken at least, whatever the bins of a window say.
_LEAST_SCATTER = 0.1


@dataclass(frozen=True, slots=True)
class Rise:
    """What a column adds to an expected loss.

    Parameters
    ----------
    name
        The column.
    by
        How much it adds, in the loss's unit; negative where it lessens it.
    where
        The bin that adds most, ``missing`` for missing values.
    kind
        Of the column.
    usual, current
        Share of the rows in that bin (0 to 1), where labels are in and in the window.
    """

    name: str
    by: float
    where: str
    kind: Kind
    usual: float
    current: float


@dataclass(frozen=True, slots=True)
class LossColumn:
    """One column whose bins say something of the error.

    Parameters
    ----------
    name
        A feature, or ``prediction``.
    labels
        Its bins, as `Column.labels`.
    counts
        Labelled rows in each cell, shape ``(cells,)``: the bins, ascending, and last the missing values.
    below, above
        Edges, ascending, by which the lowest bin and the highest are cut into cells of their own; for tails
        are where errors grow. Values in these are told apart by the sketch.
    lowest, highest
        Between these there were labels; infinite for a category.
    """

    name: str
    labels: tuple[str, ...]
    counts: Floats
    below: tuple[float, ...] = ()
    above: tuple[float, ...] = ()
    lowest: float = -np.inf
    highest: float = np.inf

    def cells(self, column: Column | None) -> Floats | None:
        """Return the share of a column's rows in each cell; None where it is counted in other bins."""
        if column is None or not column.rows or column.labels != self.labels:
            return None
        bins = column.bins
        found = np.empty(self.counts.size)
        low, high = len(self.below) + 1, found.size - len(self.above) - 2
        found[low:high], found[-1] = bins[1:-1], column.missing
        found[:low], found[high:-1] = bins[0], bins[-1]
        if self.below or self.above:
            marks = (*self.below, column.edges[0], column.edges[-1], *self.above)
            until = np.zeros(len(column.sketch_counts) + 1, np.int64)
            column.sketch_counts.cumsum(out=until[1:])
            bounds = until[[0, *column.sketch_values.searchsorted(marks), -1]]
            parts = bounds[1:] - bounds[:-1]
            found[:low] = _shared(parts[:low], bins[0], low - 1)
            found[high:-1] = _shared(parts[low + 1 :], bins[-1], 0)
        return found / column.rows

    def rise(self, column: Column, cells: Floats, effects: Floats) -> Rise:
        """Return what the column adds to the expected loss, each cell held against the column's usual effect."""
        usual = self.counts / self.counts.sum()
        parts = (cells - usual) * (effects - float(usual @ effects))
        last = len(self.labels) - 1
        lengths = [len(self.below) + 1, *[1] * (last - 1), len(self.above) + 1, 1]
        bins = np.repeat(np.arange(len(lengths)), lengths)
        most = int(np.argmax(np.bincount(bins, parts)))
        where = [*self.labels, MISSING][most]
        held = bins == most
        return Rise(
            self.name,
            float(parts.sum()),
            where,
            column.kind,
            float(usual[held].sum()),
            float(cells[held].sum()),
        )

    def unseen(self, column: Column, cells: Floats) -> float:
        """Return the share of a column's rows (0 to 1) of which no label tells.

        These are values in bins with hardly a label, numbers beyond those with labels, and of the bin of all
        other categories what it holds more than usual.
        """
        share = float(cells[self.counts < SEEN_LABELS].sum())
        if column.kind == "category":
            usual = float(self.counts[-2] / self.counts.sum()) if self.counts[-2] >= SEEN_LABELS else 1.0
            return share + max(float(cells[-2]) - usual, 0.0)
        if not (column.minimum < self.lowest or column.maximum > self.highest):
            return share
        values = column.sketch_values
        slack = _SKETCH_ERROR * np.abs(values)
        beyond = (values + slack < self.lowest) | (values - slack > self.highest)
        return max(share, float(column.sketch_counts[beyond].sum()) / column.rows)


def _shared(sketched: NDArray[np.int64], total: int, nearest: int) -> Floats:
    """Return a bin's count, shared among the parts it is cut into as its sketched values are."""
    held = int(sketched.sum())
    if not held:  # its values are few, and sketched as if they lay in the next bin
        sketched[nearest] = held = 1
    return np.asarray(sketched * (total / held))


@dataclass(frozen=True, slots=True)
class _Look:
    """What a window is by a model's columns: their cells, and the first column that has none."""

    window: Window
    cells: tuple[Floats, ...]
    misfit: str


@dataclass(frozen=True, slots=True)
class LossModel:
    """What absolute and squared error to expect of predictions, by the bins they and their features lie in.

    The expected loss of an event is a base plus one effect for each column, that of the bin its value lies
    in. So the mean over a window is the base plus, for each column, its bins' shares times their effects:
    it needs no more than the counts that a profile holds anyway. Arrays have the losses of `LOSSES` first;
    cells are those of all ``columns``, one column after the other.

    Parameters
    ----------
    effects
        Shape ``(2, 1 + blocks, 1 + cells)``: by all labelled rows, then without each block of them; the
        base, then the effects.
    scatter
        Shape ``(2, 1 + cells)``: the variance of a loss about what is expected of it, as base and effects.
    wander
        Shape ``(2,)``: by how much the mean loss of spans of the reference varied about what was expected
        without them, beyond chance; a variance.
    usual_loss, usual_error
        Shape ``(2,)``: mean loss of the labelled rows, and its standard error.
    skill
        Shape ``(2,)``: share of the variance of held-out losses that is told by the bins; at 0 or below
        nothing is estimated.
    labels
        Labelled rows.
    source
        Where they come from, in words.
    why
        Why nothing can be expected at all; else empty.
    level
        Share of windows (0 to 1) whose realised metric the interval of an estimate holds.
    hindsight
        How the estimate did last, if that is known.

    Notes
    -----
    Effects add up: what two features do only together is seen as far as the prediction's own bin tells of
    it. And as with all estimates before labels, that an error comes with these inputs is taken to stay as it
    was: of a change of that (concept drift) nothing is seen here.
    """

    columns: tuple[LossColumn, ...]
    effects: Floats
    scatter: Floats
    wander: Floats
    usual_loss: Floats
    usual_error: Floats
    skill: Floats
    labels: int
    source: str
    why: str = ""
    level: float = 0.95
    hindsight: Hindsight | None = None
    _last: list[_Look] = field(default_factory=list, init=False, repr=False, compare=False)

    purpose: ClassVar[str] = "to know which errors to expect"

    @classmethod
    def unknown(cls, labels: int, source: str, why: str) -> "LossModel":
        """Return the model that says why there is none."""
        none = np.zeros(2)
        return cls((), np.zeros((2, 1, 1)), np.zeros((2, 1)), none, none, none, none, labels, source, why)

    def predictions(self, window: Window) -> int:
        """Return how many predictions a window has."""
        column = window.prediction.get("prediction")
        return 0 if column is None else column.count

    def why_not(self, window: Window) -> str:
        """Return why nothing can be said of a window; empty where something can."""
        if self.why:
            return f"no estimate, because {self.why}"
        for one in self.columns:
            if one.cells(window.column(one.name)) is None:
                return (
                    f"no estimate, because {one.name!r} is not counted in the bins that labels are known of"
                )
        return ""

    def unseen(self, window: Window) -> tuple[float, str]:
        """Return the largest share of a column's values that no label tells of (0 to 1), and whose they are."""
        found = [(one.unseen(column, cells), one.name) for one, column, cells in self._held(window)]
        share, name = max(found, default=(0.0, "prediction"))
        return share, f"the values of {name!r}"

    def of_window(self, window: Window) -> dict[str, Estimate]:
        """Return MAE and RMSE as the window's values lead to expect them.

        The interval holds that losses scatter about what is expected of them, that effects are known from so
        many labels only (the blocks' jackknife), and that the reference's own spans wandered.
        """
        return self.of_row(self.row(window), self.predictions(window))

    def row(self, window: Window) -> Floats:
        """Return what expected losses are linear in, shape ``(1 + cells,)``: a one, and each cell's share."""
        return np.concatenate((np.ones(1), *self._look(window).cells))

    def of_row(self, row: Floats, size: int) -> dict[str, Estimate]:
        """Return the same of a `row`, or a mean of several.

        Parameters
        ----------
        size
            Predictions that the metric is about.
        """
        return {name: self._estimate(name, row, max(size, 1)) for name in LOSSES}

    def usual(self) -> dict[str, Estimate]:
        """Return the metrics of the labelled rows themselves."""
        return {
            name: self._metric(name, float(self.usual_loss[place]), float(self.usual_error[place]))
            for name, place in LOSSES.items()
        }

    def rises(self, window: Window, metric: str) -> list[Rise]:
        """Return what each column adds to the expected loss (of RMSE the squared one), that which adds most first.

        They sum to the difference of a window's expected loss from the reference's.
        """
        effects, at, found = self.effects[LOSSES[metric], 0, 1:], 0, []
        for one, column, cells in self._held(window):
            found.append(one.rise(column, cells, effects[at : at + cells.size]))
            at += cells.size
        return sorted(found, key=lambda one: (-one.by, one.name))

    def _held(self, window: Window) -> Iterator[tuple[LossColumn, Column, Floats]]:
        for one, cells in zip(self.columns, self._look(window).cells, strict=False):
            column = window.column(one.name)
            if column is not None:
                yield one, column, cells

    def _look(self, window: Window) -> _Look:
        """Return what a window is by the columns; the last one is kept, for each metric asks of it."""
        if not self._last or self._last[0].window is not window:
            found, misfit = [], ""
            for one in self.columns:
                cells = one.cells(window.column(one.name))
                if cells is None:
                    misfit = one.name
                    break
                found.append(cells)
            self._last[:] = [_Look(window, tuple(found), misfit)]
        return self._last[0]

    def _estimate(self, name: str, row: Floats, size: int) -> Estimate:
        place = LOSSES[name]
        if self.skill[place] <= 0.0:
            return Estimate(name, None, why="neither features nor predictions tell how large the error is")
        whole, *without = self.effects[place] @ row
        spread = np.asarray(without) - np.mean(without)
        known = (len(without) - 1) / len(without) * float(spread @ spread)
        least = _LEAST_SCATTER * self._usual_scatter(place)
        scatter = max(float(self.scatter[place] @ row), least) / size
        return self._metric(name, float(whole), (scatter + known + float(self.wander[place])) ** 0.5)

    def _usual_scatter(self, place: int) -> float:
        shares = [one.counts / one.counts.sum() for one in self.columns]
        return float(self.scatter[place] @ np.concatenate((np.ones(1), *shares)))

    def _metric(self, name: str, loss: float, error: float) -> Estimate:
        reach = float(ndtri(0.5 + self.level / 2.0)) * error
        loss, low, high = (max(one, 0.0) for one in (loss, loss - reach, loss + reach))
        if name == "mae":
            return Estimate(name, loss, error, low, high)
        root = loss**0.5
        return Estimate(name, root, error / (2.0 * root) if root else error**0.5, low**0.5, high**0.5)
