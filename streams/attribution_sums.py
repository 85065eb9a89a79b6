"""Sums of what features contributed to predictions, in a profile: how much, and which way.

Sums of floats: they agree to a relative 1e-9 of the sums of sizes, whatever the order, as moments do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.layout import Layout

#: Sizes above this count as this, so that squares stay finite.
LARGEST = 1e140


@dataclass(frozen=True, slots=True)
class AttributionSums:
    """Sums of the rows so far.

    Parameters
    ----------
    events
        Rows that had attributions.
    sums
        Of ``|a|``, ``a`` and ``a²`` of each column, shape ``(3, C)``: the layout's numbers, then its
        categories; 0 for what is no feature.
    """

    events: int
    sums: NDArray[np.float64]

    @classmethod
    def of(cls, layout: Layout, attributions: NDArray[np.float64]) -> "AttributionSums | None":
        """Return the sums of some rows, shape ``(n, F)`` as `Batch.attributions`; None where no row has any."""
        values = attributions[~np.isnan(attributions[:, 0])]
        if not len(values):
            return None
        np.clip(values, -LARGEST, LARGEST, out=values)
        sums = np.zeros((3, len(layout.numbers) + len(layout.categories)))
        sums[:, layout.feature_places] = (
            np.abs(values).sum(axis=0),
            values.sum(axis=0),
            np.einsum("ij,ij->j", values, values),
        )
        return cls(len(values), sums)


def total(parts: Sequence[AttributionSums | None]) -> AttributionSums | None:
    """Return the sum of all there are; None for none."""
    held = [one for one in parts if one is not None]
    if len(held) < 2:
        return held[0] if held else None
    return AttributionSums(sum(one.events for one in held), np.add.reduce([one.sums for one in held]))


def packed(sums: AttributionSums | None, first: int, columns: int) -> tuple[int, bytes] | None:
    """Return the events, and the sums of some columns as bytes, for a part of a profile."""
    if sums is None:
        return None
    return sums.events, sums.sums[:, first : first + columns].astype("<f8").tobytes()


def unpacked(
    parts: Sequence[tuple[int, bytes] | None], newest: tuple[int, bytes] | None
) -> AttributionSums | None:
    """Return the sums that were `packed` column group by column group; the events are the newest's."""
    held = [one for one in parts if one is not None]
    if newest is None or len(held) < len(parts):
        return None
    groups = [np.frombuffer(raw, "<f8").reshape(3, -1) for _, raw in held]
    return AttributionSums(newest[0], np.concatenate(groups, axis=1))
