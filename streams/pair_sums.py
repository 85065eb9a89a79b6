"""Sums over pairs of number columns in a profile: which columns belong together, and how much.

Whole numbers all, so that they are the same to the bit in any order; `detectors.pairs` says what they mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.pairs import normal_scores
from streams.layout import Layout

Counts = NDArray[np.int64]
#: Products a multiplication may take before OpenBLAS shares them out over threads.
_PRODUCTS_AT_A_TIME = 200_000


@dataclass(frozen=True, slots=True)
class PairSums:
    """Sums of the rows so far.

    Parameters
    ----------
    positions
        The number columns, by their place in the layout, ascending; ``d`` of them.
    counts, gram
        As in `detectors.pairs.Pairs`.
    """

    positions: tuple[int, ...]
    counts: Counts
    gram: Counts

    @classmethod
    def of(cls, layout: Layout, positions: Sequence[int], numbers: NDArray[np.float64]) -> "PairSums":
        """Return the sums of some rows, shape ``(n, N)``, the layout's number columns.

        Notes
        -----
        Products of whole numbers below 2^53 are exact in floating point: 1e8 rows at a time are safe.
        """
        values = numbers.T[list(positions)]
        d, n = values.shape
        rows = np.empty((1 + 2 * d, n))
        rows[0] = 1.0
        scores = rows[1 : 1 + d]
        _score(layout, positions, values, scores)
        missing = np.isnan(values)
        has_gaps = bool(missing.any())
        if has_gaps:
            scores[missing] = 0.0
        np.multiply(scores, scores, out=rows[1 + d :])
        gram = _products(rows)
        if has_gaps:
            held = (~missing).astype(np.float64)
            counts = _products(held)
        else:
            counts = np.full((d, d), n, np.int64)
        return cls(tuple(positions), counts, gram)

    def plus(self, other: "PairSums") -> "PairSums":
        """Return the sum; a pair that one of them lacks has the rows of the other."""
        if self.positions == other.positions:
            return PairSums(self.positions, self.counts + other.counts, self.gram + other.gram)
        every = tuple(sorted({*self.positions, *other.positions}))
        return self._among(every).plus(other._among(every))

    def row(self) -> Counts:
        """Return the sums as a row of `detectors.pairs.Pairs.spans`."""
        return np.concatenate((self.counts.reshape(-1), self.gram.reshape(-1)))

    def _among(self, every: tuple[int, ...]) -> "PairSums":
        place = np.searchsorted(every, self.positions)
        d = len(every)
        counts, gram = np.zeros((d, d), np.int64), np.zeros((1 + 2 * d, 1 + 2 * d), np.int64)
        inner = np.concatenate((np.zeros(1, np.intp), 1 + place, 1 + d + place))
        counts[np.ix_(place, place)] = self.counts
        gram[np.ix_(inner, inner)] = self.gram
        return PairSums(every, counts, gram)


def total(parts: Sequence[PairSums | None]) -> PairSums | None:
    """Return the sum of all there are; None for none."""
    held = [one for one in parts if one is not None]
    if len({one.positions for one in held}) == 1:
        counts = np.add.reduce([one.counts for one in held])
        return PairSums(held[0].positions, counts, np.add.reduce([one.gram for one in held]))
    found: PairSums | None = None
    for one in held:
        found = one if found is None else found.plus(one)
    return found


def span_rows(parts: Sequence[PairSums | None], positions: tuple[int, ...]) -> Counts:
    """Return a row of each that has these columns, shape ``(spans, d * d + (1 + 2 d) ** 2)``."""
    d = len(positions)
    rows = [one.row() for one in parts if one is not None and one.positions == positions]
    return np.array(rows, np.int64).reshape(-1, d * d + (1 + 2 * d) ** 2)


def _products(rows: NDArray[np.float64]) -> Counts:
    """Return ``rows @ rows.T`` of whole numbers, some columns at a time.

    So few that the linear algebra library leaves them to one thread: several wait for each other by spinning,
    which took fifty times the CPU.
    """
    found = np.zeros((len(rows), len(rows)))
    step = max(_PRODUCTS_AT_A_TIME // len(rows) ** 2, 1)
    for low in range(0, rows.shape[1], step):
        part = rows[:, low : low + step]
        found += part @ part.T.copy()
    return np.rint(found).astype(np.int64)


def _score(
    layout: Layout, positions: Sequence[int], values: NDArray[np.float64], scores: NDArray[np.float64]
) -> None:
    """Write each value's score; comparing with each edge is faster than searching among a few."""
    edges = layout.edge_table[list(positions)]
    bins = np.zeros(values.shape, np.uint8)
    for column in edges.T:
        bins += (values >= column[:, None]).view(np.uint8)
    for row, place, position in zip(scores, bins, positions, strict=True):
        np.take(normal_scores(len(layout.number_edges[position]) + 1), place, out=row)
