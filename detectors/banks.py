"""The banks of many columns side by side, so that a pane is held against all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import is_

import numpy as np
from numpy.typing import NDArray

from detectors.alternatives import Alternative, Bank
from detectors.columns import side_by_side
from detectors.tilt import Directions, Floats

#: Directions before those of bins; a column has these, or the last of them, or none.
_SHAPES = 2


@dataclass(frozen=True, slots=True)
class Banks:
    """Banks of some columns, one at least, made for the same smallest effect: so all have as many sizes.

    Parameters
    ----------
    whole
        All of them as one, with a leading axis of columns. Where a column has fewer directions or bins than
        others it is filled up with alternatives that weigh nothing.
    """

    banks: tuple[Bank, ...]
    whole: Bank

    @classmethod
    def of(cls, banks: Sequence[Bank]) -> "Banks":
        """Return banks side by side; making this costs more than a pane does, so keep it."""
        widest = max(one.directions.shares.size for one in banks)
        shape = (len(banks), 2, _SHAPES + widest, banks[0].sizes.shape[2])
        shares, scores = np.zeros((len(banks), widest)), np.zeros((len(banks), _SHAPES, widest))
        for at, one in enumerate(banks):
            held = one.directions
            shares[at, : held.shares.size] = held.shares
            scores[at, _SHAPES - len(held.shapes) :, : held.shares.size] = held.scores
        whole = Bank(
            Directions(shares, (), scores),
            _filled(banks, [one.sizes for one in banks], shape, 0.0),
            _filled(banks, [one.costs for one in banks], shape, 0.0),
            _filled(banks, [one.log_weights for one in banks], shape, -np.inf),
            _filled(banks, [one.margins for one in banks], shape[:3], 0.0),
        )
        return cls(tuple(banks), whole)

    def are(self, banks: Sequence[Bank]) -> bool:
        """Return whether these are the very banks."""
        return len(banks) == len(self.banks) and all(map(is_, self.banks, banks))

    def increments(self, counts: Sequence[NDArray[np.int64]]) -> Floats:
        """Return `Bank.increments` of a pane of each column, shape ``(columns, 2, directions, sizes)``."""
        return self.whole.increments(side_by_side(counts))

    def joined(self, sums: Sequence[Floats]) -> Floats:
        """Return what each column has of its alternatives as one array."""
        return _filled(self.banks, sums, self.whole.sizes.shape, 0.0)

    def parted(self, sums: Floats) -> list[Floats]:
        """Return what `joined` was given."""
        return [one[_place(bank)] for one, bank in zip(sums, self.banks, strict=True)]

    def leads(self, weighted: Floats) -> list[Alternative]:
        """Return the alternative of each column that has most."""
        flat = weighted.reshape(len(weighted), -1).argmax(axis=1)
        found = np.stack(np.unravel_index(flat, weighted.shape[1:]), axis=1).tolist()
        firsts = (_SHAPES - len(bank.directions.shapes) for bank in self.banks)
        return [(side, place - first, size) for (side, place, size), first in zip(found, firsts, strict=True)]


def _filled(banks: Sequence[Bank], arrays: Sequence[Floats], shape: tuple[int, ...], rest: float) -> Floats:
    whole = np.full(shape, rest)
    for row, bank, one in zip(whole, banks, arrays, strict=True):
        row[_place(bank)] = one
    return whole


def _place(bank: Bank) -> tuple[slice, slice]:
    """Return where a bank's directions are among those of the widest; all have the same sizes."""
    first = _SHAPES - len(bank.directions.shapes)
    return slice(None), slice(first, first + len(bank.directions))
