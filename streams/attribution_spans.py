"""Sums of attributions in spans of a reference: how far they wander while all is well."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.attribution_sums import AttributionSums
from streams.batch import Batch
from streams.layout import Layout
from streams.spans import EqualSpans

#: Spans at most, and fewer with many features, lest a reference file become large.
SPANS, SPAN_VALUES = 60, 60_000
#: A mean of fewer events says little.
ROWS_PER_SPAN = 100


class AttributionSpanCounter:
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
        most = min(SPANS, SPAN_VALUES // (1 + 2 * len(layout.features)))
        most = min(most, rows // ROWS_PER_SPAN, (end_ms - start_ms) // pane_ms)
        self._spans = EqualSpans(start_ms, end_ms, most)
        self._sums: dict[int, NDArray[np.float64]] = {}

    def add(self, batch: Batch) -> None:
        """Count a batch's rows."""
        if not self._spans or batch.attributions is None:
            return
        for number, mine in self._spans.parts(batch):
            found = AttributionSums.of(self._layout, batch.attributions[mine])
            if found is not None:
                self._sums[number] = self._sums.get(number, 0.0) + span_row(self._layout, found)

    def rows(self) -> NDArray[np.float64]:
        """Return a `span_row` for each span with attributions, in the order of time."""
        rows = [self._sums[number] for number in sorted(self._sums)]
        return np.array(rows).reshape(-1, 1 + 2 * len(self._layout.features))


def span_row(layout: Layout, sums: AttributionSums) -> NDArray[np.float64]:
    """Return a span as `detectors.attributions.Attributions.spans` has it, shape ``(1 + 2 F,)``."""
    return np.concatenate(([sums.events], sums.sums[:2, layout.feature_places].reshape(-1)))


def span_rows(layout: Layout, parts: Sequence[AttributionSums | None]) -> NDArray[np.float64]:
    """Return a row for each that has attributions, shape ``(spans, 1 + 2 F)``."""
    rows = [span_row(layout, one) for one in parts if one is not None]
    return np.array(rows).reshape(-1, 1 + 2 * len(layout.features))
