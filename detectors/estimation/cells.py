"""What a score means: the share of positives among labelled scores, in cells of the score.

Cells are cut where a profile's histogram can tell scores apart: at each 0.05, and below that, where the
scores of rare classes crowd, four times in each halving. Neighbours are pooled until a cell has enough
labels, never across the decision threshold.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.estimation.scored import Counts, Scored
from detectors.outcomes import ranking
from detectors.outcomes.task import LEAST_PROBABILITY
from detectors.window import Column

Floats = NDArray[np.float64]

#: Labels a cell has at least, where there are as many on its side of the decision threshold.
CELL_LABELS = 20
_STEPS = tuple(round(0.05 * step, 2) for step in range(1, 20))
_SMALL = tuple(2.0**-octave * part for octave in range(20, 4, -1) for part in (1.0, 1.25, 1.5, 1.75))
_EDGES = np.array(sorted({*_STEPS, *(edge for edge in _SMALL if edge < _STEPS[0])}))


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss's mean in each cell, of positives and of negatives, and its variance within these."""

    positive: Floats
    negative: Floats
    variance: Floats


@dataclass(frozen=True, slots=True)
class Cells:
    """Labelled scores of one class by cell, ascending; arrays have shape ``(cells,)``.

    Parameters
    ----------
    edges
        Scores between the cells, shape ``(cells - 1,)``; a cell begins with its lower edge.
    labels, positives, said
        Scores with labels, those of them that are positive, and the mean of these scores (0 to 1).
    decided
        Whether the cell's scores count as predicted positive.
    lowest, highest
        Between these (0 to 1) there were labels; what scores beyond mean is not known.
    log_loss, brier
        What a score of the cell costs.
    order, order_error
        Probability that a positive of a cell scores above a negative of the same, and its standard error.
    """

    edges: Floats
    labels: Counts
    positives: Counts
    said: Floats
    decided: NDArray[np.bool_]
    lowest: float
    highest: float
    log_loss: Loss
    brier: Loss
    order: Floats
    order_error: Floats

    @property
    def shares(self) -> Floats:
        """Share of positives of each cell (0 to 1)."""
        return self.positives / np.maximum(self.labels, 1)

    @property
    def share_variance(self) -> Floats:
        """Variance of that share by the labels it rests on; as if half a label of each kind came on top."""
        likely = (self.positives + 0.5) / (self.labels + 1.0)
        return likely * (1.0 - likely) / np.maximum(self.labels, 1)

    def counts(self, column: Column) -> Floats:
        """Return how many scores of a histogram lie in each cell.

        Exact for edges that are edges of the column's bins too; a cell cut elsewhere gets what the sketch
        has on its side, so up to a sketch bucket (3 %) beside it.
        """
        values, weights = _spread(column)
        places = np.searchsorted(self.edges, values, side="right")
        return _sum(places, weights, len(self.labels))

    def counts_of(self, found: Scored) -> Floats:
        """Return how many of some labelled scores lie in each cell, whatever their labels say."""
        return _sum(self.places(found), found.negatives + found.positives, len(self.labels))

    def places(self, found: Scored) -> Counts:
        """Return the cell of each bin of some labelled scores."""
        return np.searchsorted(self.edges, found.bounds[1], side="right")

    def unseen(self, column: Column) -> float:
        """Return the share of a histogram's scores (0 to 1) beyond those that labels are known of."""
        values, weights = _spread(column)
        beyond = weights[(values < self.lowest) | (values >= self.highest)].sum()
        return float(beyond / max(weights.sum(), 1.0))


def cells_of(found: Scored, *, decision: float | None, one_of_many: bool = False) -> Cells:
    """Return the cells of labelled scores, at least one label among them.

    Parameters
    ----------
    decision
        Scores from here on (0 to 1) count as predicted positive; None where no threshold decides.
    one_of_many
        Whether the class is one of several, of which only the true one's probability is in the log loss.
    """
    grid = np.union1d(_EDGES, [decision] if decision else [])
    # The bin of a score that is an edge, as round scores are, holds the edge: so its highest score counts.
    places = np.searchsorted(grid, found.bounds[1], side="right")
    held = _total(places, found.negatives + found.positives, grid.size + 1)
    starts = np.concatenate(([0.0], grid))
    decided = starts >= (2.0 if decision is None else decision)
    group = _pooled(held, decided)
    size = int(group[-1]) + 1
    cuts = np.flatnonzero(np.diff(group))
    member = group[places]
    first = np.searchsorted(group, np.arange(size))
    occupied = np.flatnonzero(held)
    ends = np.concatenate((grid, [2.0]))
    middle = found.middles
    labels = _total(member, found.negatives + found.positives, size)
    order = [
        ranking.roc_area(found.negatives[member == one], found.positives[member == one])
        for one in range(size)
    ]
    return Cells(
        edges=grid[cuts],
        labels=labels,
        positives=_total(member, found.positives, size),
        said=_sum(member, (found.negatives + found.positives) * middle, size) / np.maximum(labels, 1),
        decided=decided[first],
        lowest=float(starts[occupied[0]]),
        highest=float(ends[occupied[-1]]),
        log_loss=_loss(found, member, size, -_log(middle), -_log(1.0 - middle) * (not one_of_many)),
        brier=_loss(found, member, size, (1.0 - middle) ** 2, middle**2),
        order=np.array([0.5 if area is None else area.value for area in order]),
        order_error=np.array([0.3 if area is None else area.error for area in order]),
    )


def _pooled(held: Counts, decided: NDArray[np.bool_]) -> Counts:
    """Return the cell each grid interval goes to."""
    group = np.zeros(held.size, dtype=np.int64)
    number, labels = 0, 0
    for place in range(held.size):
        is_side = place > 0 and decided[place] != decided[place - 1]
        if is_side or (labels >= CELL_LABELS and _rest(held, decided, place) >= CELL_LABELS):
            number, labels = number + 1, 0
        group[place] = number
        labels += int(held[place])
    return group


def _rest(held: Counts, decided: NDArray[np.bool_], place: int) -> int:
    return int(held[place:][decided[place:] == decided[place]].sum())


def _total(member: Counts, counts: Counts, size: int) -> Counts:
    return _sum(member, counts, size).astype(np.int64)


def _sum(member: Counts, weights: NDArray[Any], size: int) -> Floats:
    return np.bincount(member, weights, minlength=size).astype(np.float64)


def _loss(found: Scored, member: Counts, size: int, positive: Floats, negative: Floats) -> Loss:
    """Return a loss by cell; of a truth a cell has no label of, by its scores of the other."""
    everything = found.positives + found.negatives
    means, variance = [], np.zeros(size)
    for values, counts in ((positive, found.positives), (negative, found.negatives)):
        mean, spread, total = _moments(member, values, counts, size)
        usual, _, _ = _moments(member, values, everything, size)
        means.append(np.where(total > 0, mean, usual))
        variance += spread * total
    labels = np.maximum(_sum(member, everything, size), 1.0)
    return Loss(means[0], means[1], variance / labels)


def _moments(member: Counts, values: Floats, counts: Counts, size: int) -> tuple[Floats, Floats, Floats]:
    total = _sum(member, counts, size)
    safe = np.maximum(total, 1.0)
    mean = _sum(member, counts * values, size) / safe
    square = _sum(member, counts * (values - mean[member]) ** 2, size) / safe
    return mean, square, total


def _log(probability: Floats) -> Floats:
    return np.log(np.maximum(probability, LEAST_PROBABILITY))


def _spread(column: Column) -> tuple[Floats, Floats]:
    """Return scores and weights: the sketch's within each bin, scaled to the bin's own count."""
    values, counts = column.sketch_values, column.sketch_counts.astype(np.float64)
    if not column.bins.size:
        return values, counts
    place = np.searchsorted(column.edges, values, side="right")
    within = np.bincount(place, counts, minlength=column.bins.size)
    scaled = counts * (column.bins / np.maximum(within, 1.0))[place]
    # A bin whose scores all lie in a bucket that has its middle in the next bin.
    lone = np.flatnonzero((within == 0) & (column.bins > 0))
    marks = np.concatenate(([0.0], column.edges, [1.0]))
    return (
        np.concatenate((values, (marks[lone] + marks[lone + 1]) / 2)),
        np.concatenate((scaled, column.bins[lone].astype(np.float64))),
    )
