"""Columns side by side: their bins in one array, so that a few calls on it judge them all.

A column of fewer bins than the widest is filled up with empty ones at the end, which no measure of
`divergence` minds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from detectors.comparison import Comparison
from detectors.divergence import Counts, Shares, shares
from detectors.sentence import figure, percent, shorten


def side_by_side(counts: Sequence[Counts]) -> Counts:
    """Return counts of shape ``(bins,)`` each, one at least, as rows filled up with zeros: ``(columns, bins)``.

    Examples
    --------
    >>> side_by_side([np.array([5, 4]), np.array([1, 2, 3])]).tolist()
    [[5, 4, 0], [1, 2, 3]]
    """
    sizes = np.array([one.size for one in counts])
    table = np.zeros((len(counts), int(sizes.max())), np.int64)
    table[np.arange(table.shape[1]) < sizes[:, None]] = np.concatenate(counts)
    return table


@dataclass(frozen=True)
class Comparisons:
    """Columns of a window beside the same of the reference: one at least, each counted in its pair's bins."""

    pairs: Sequence[Comparison]

    @cached_property
    def counts(self) -> tuple[Counts, Counts]:
        """Bin counts of the window and of the reference, shape ``(columns, bins)``."""
        current, reference = zip(*(pair.counts for pair in self.pairs), strict=True)
        return side_by_side(current), side_by_side(reference)

    @cached_property
    def shares(self) -> tuple[Shares, Shares]:
        """Both as shares of one."""
        current, reference = self.counts
        return shares(current), shares(reference)

    @cached_property
    def sizes(self) -> tuple[Counts, Counts]:
        """Values of the window and of the reference in the bins, shape ``(columns,)``."""
        current, reference = self.counts
        return current.sum(axis=1), reference.sum(axis=1)

    @cached_property
    def telling_bins(self) -> list[str]:
        """Return where the two distributions of each column differ most, with both shares.

        For numbers the edge that parts them best, for categories the two that moved most.
        """
        now, usually = (np.cumsum(side, axis=1) for side in self.shares)
        interior = np.array([[pair.current.edges.size] for pair in self.pairs])
        apart = np.where(np.arange(now.shape[1]) < interior, np.abs(now - usually), -1.0)
        places = apart.argmax(axis=1)
        rows = np.arange(len(places))
        figures = (one.tolist() for one in (places, now[rows, places], usually[rows, places]))
        return [
            _telling_categories(pair) if pair.current.kind == "category" else _telling_edge(pair, *found)
            for pair, *found in zip(self.pairs, *figures, strict=True)
        ]


def _telling_edge(pair: Comparison, place: int, now: float, usually: float) -> str:
    edges = pair.current.edges
    if edges.size == 0 or edges.size != pair.current.bins.size - 1:
        return ""
    edge = figure(float(edges[place]))
    if now >= usually:
        return f"{percent(now)} below {edge} (reference {percent(usually)})"
    return f"{percent(1 - now)} at or above {edge} (reference {percent(1 - usually)})"


def _telling_categories(pair: Comparison) -> str:
    labels, p, q = pair.current.labels, pair.current.shares, pair.reference.shares
    order = [
        int(i) for i in np.argsort(-np.abs(p - q), kind="stable")[:2] if p[i] != q[i] and i < len(labels)
    ]
    return ", ".join([f"{shorten(labels[i], 32)} {percent(p[i])} (reference {percent(q[i])})" for i in order])
