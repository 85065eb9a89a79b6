"""Counting a column in the bins a shift is looked for in: the layout's, the rarest pooled, and one for missing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.window import Column

#: Bins kept apart; a column with more has its rarest counted together.
BINS_KEPT = 128
MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Tally:
    """Where each bin of a layout is counted, shape ``(bins,)``, and what the counts' bins are called."""

    places: NDArray[np.intp]
    labels: tuple[str, ...]

    def counts(self, column: Column) -> NDArray[np.int64]:
        """Return a column's counts, missing values last, shape ``(len(labels),)``."""
        whole = np.append(column.bins, column.missing)
        return np.asarray(self._pooled(whole[None, :])[0])

    def spans(self, column: Column) -> tuple[NDArray[np.int64], ...]:
        """Return the counts of a reference's spans, each of shape ``(spans, len(labels))``."""
        return tuple(self._pooled(spans) for spans in column.spans)

    def _pooled(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(self.places) + 1 == len(self.labels):
            return counts
        pooled = np.zeros((len(counts), len(self.labels)), np.int64)
        np.add.at(pooled.T, self.places, counts[:, :-1].T)
        pooled[:, -1] = counts[:, -1]
        return pooled


def tally_of(reference: Column) -> Tally:
    """Return how to count a column like the reference.

    Examples
    --------
    >>> column = Column("plan", "category", count=9, missing=1, bins=np.array([5, 4]), labels=("free", "other"))
    >>> tally = tally_of(column)
    >>> tally.labels, tally.counts(column).tolist()
    (('free', 'other', 'missing'), [5, 4, 1])
    """
    if reference.bins.size <= BINS_KEPT:
        return Tally(np.arange(reference.bins.size), (*reference.labels, MISSING))
    kept = np.sort(np.argsort(-reference.bins, kind="stable")[: BINS_KEPT - 1])
    places = np.full(reference.bins.size, BINS_KEPT - 1)
    places[kept] = np.arange(BINS_KEPT - 1)
    return Tally(places, (*(reference.labels[at] for at in kept), "(rarer ones)", MISSING))
