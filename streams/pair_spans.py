"""Sums over pairs of number columns in spans of a reference: how far correlations wander while all is well."""

import numpy as np
from numpy.typing import NDArray

from streams.batch import Batch
from streams.layout import Layout
from streams.pair_sums import PairSums, span_rows
from streams.spans import EqualSpans

#: More spans of so many columns would make a reference file large.
SPANS = 60
#: A correlation of fewer rows says little.
ROWS_PER_SPAN = 200


class PairSpanCounter:
    """Sums the rows of a period in spans of one length, end to end.

    Parameters
    ----------
    start_ms, end_ms
        The period, epoch ms.
    rows
        Events in it; with fewer than `spans.LEAST_SPANS` times `ROWS_PER_SPAN` there are no spans.
    """

    def __init__(self, layout: Layout, *, start_ms: int, end_ms: int, rows: int, pane_ms: int) -> None:
        self._layout = layout
        most = min(SPANS, rows // ROWS_PER_SPAN, (end_ms - start_ms) // pane_ms)
        self._spans = EqualSpans(start_ms, end_ms, most)
        self._sums: dict[int, PairSums] = {}

    def add(self, batch: Batch) -> None:
        """Count a batch's rows."""
        if not self._spans or not batch.paired:
            return
        for number, mine in self._spans.parts(batch):
            found = PairSums.of(self._layout, batch.paired, batch.numbers[mine])
            held = self._sums.get(number)
            self._sums[number] = found if held is None else held.plus(found)

    def rows(self, positions: tuple[int, ...]) -> NDArray[np.int64]:
        """Return a row for each span with events, in the order of time (`streams.pair_sums.span_rows`)."""
        return span_rows([self._sums[number] for number in sorted(self._sums)], positions)
