"""A sample of rows, bounded, that depends on their row numbers alone."""

import numpy as np
from numpy.typing import NDArray

from streams.sketch import mixed


class Sample:
    """A sample of rows, bounded, the same for the same row numbers in any chunking; all rows if they fit.

    Parameters
    ----------
    columns
        Values a row has.
    rows
        Rows kept at most.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self._rows = rows
        self._limit = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
        self._ranks: list[NDArray[np.uint64]] = [np.zeros(0, np.uint64)]
        self._parts: list[NDArray[np.float64]] = [np.zeros((0, columns))]
        self._held = 0
        self.is_all = True

    def add(self, offsets: NDArray[np.int64], numbers: NDArray[np.float64]) -> None:
        """Offer rows, shape ``(n, columns)``."""
        ranks = mixed(offsets.astype(np.uint64))
        kept = ranks <= self._limit
        self._ranks.append(ranks[kept])
        self._parts.append(numbers[kept])
        self._held += int(np.count_nonzero(kept))
        if self._held >= 2 * self._rows:
            self.values()

    def values(self) -> NDArray[np.float64]:
        """Return the rows of the sample."""
        ranks, numbers = np.concatenate(self._ranks), np.concatenate(self._parts)
        if len(ranks) > self._rows:
            self.is_all = False
            chosen = np.argpartition(ranks, self._rows)[: self._rows]
            ranks, numbers = ranks[chosen], numbers[chosen]
            self._limit = ranks.max()
        self._ranks, self._parts, self._held = [ranks], [numbers], len(ranks)
        return numbers
