"""Counts of a reference's spans: how far it wanders while all is well.

A row is one span: counts in all bins of the numbers, of the categories, then the missing values of each number
and each category, as the layout orders them.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from streams.batch import Batch
from streams.layout import Layout
from streams.profile import Profile

LONG_SPANS = 400
SHORT_SPANS = 200
#: With fewer spans there is no telling how far they wander.
LEAST_SPANS = 8
#: Events a long span, and a short one, should have in the mean.
ROWS_PER_LONG, ROWS_PER_SHORT = 50, 10

Counts = NDArray[np.int64]


class EqualSpans:
    """A period cut into spans of one length, end to end: none where there would be fewer than `LEAST_SPANS`.

    Parameters
    ----------
    start_ms, end_ms
        The period, epoch ms.
    most
        Spans to cut it into.
    """

    def __init__(self, start_ms: int, end_ms: int, most: int) -> None:
        self._start_ms = start_ms
        self._count = most if most >= LEAST_SPANS else 0
        self._length_ms = -(-(end_ms - start_ms) // max(self._count, 1))

    def __bool__(self) -> bool:
        return self._count > 0

    def parts(self, batch: Batch) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Yield the number of each span a batch has rows in, and which rows these are, shape ``(rows,)``."""
        span = (batch.ts_ms - self._start_ms) // self._length_ms
        for number in np.unique(span).tolist():
            yield number, span == number


def width(layout: Layout) -> int:
    """Return the entries of a row."""
    bins = int(layout.number_offsets[-1] + layout.category_offsets[-1])
    return bins + len(layout.numbers) + len(layout.categories)


def rows_of(profiles: Iterable[Profile]) -> Counts:
    """Return a row for each profile of one layout, shape ``(profiles, width)``."""
    return np.array([_row(one) for one in profiles], dtype=np.int64)


def number_spans(layout: Layout, rows: Counts, position: int) -> Counts:
    """Return one number column's counts, missing values last, shape ``(spans, bins + 1)``."""
    start, end = layout.number_offsets[position : position + 2]
    missing = int(layout.number_offsets[-1] + layout.category_offsets[-1]) + position
    return np.column_stack((rows[:, start:end], rows[:, missing]))


def category_spans(layout: Layout, rows: Counts, position: int) -> Counts:
    """Return one category column's counts, missing values last, shape ``(spans, bins + 1)``."""
    numbers, categories = int(layout.number_offsets[-1]), int(layout.category_offsets[-1])
    start, end = layout.category_offsets[position : position + 2] + numbers
    missing = numbers + categories + len(layout.numbers) + position
    return np.column_stack((rows[:, start:end], rows[:, missing]))


def missing_of(profile: Profile, present: int, role: str) -> int:
    """Return rows without a value; a failed prediction is an error, not a missing value."""
    expected = profile.events - (0 if role == "feature" else profile.errors)
    return max(expected - present, 0)


def counters(layout: Layout, *, start_ms: int, end_ms: int, rows: int, pane_ms: int) -> list["SpanCounter"]:
    """Return what counts the rows of a period in long spans, end to end, and in short ones, evenly spread.

    Short ones are of the length of a pane. None are too few, or have too few rows, to say anything.

    Parameters
    ----------
    start_ms, end_ms
        The period, epoch ms.
    rows
        Events in it.
    """
    period_ms = end_ms - start_ms
    made = []
    long = min(LONG_SPANS, rows // ROWS_PER_LONG, period_ms // pane_ms)
    if long >= LEAST_SPANS:
        length_ms = -(-period_ms // long)
        made.append(SpanCounter(layout, start_ms + np.arange(long) * length_ms, length_ms))
        is_shorter = SHORT_SPANS * pane_ms * 2 <= period_ms and 2 * pane_ms <= length_ms
        if is_shorter and rows * pane_ms >= ROWS_PER_SHORT * period_ms:
            apart_ms = period_ms // SHORT_SPANS
            made.append(SpanCounter(layout, start_ms + np.arange(SHORT_SPANS) * apart_ms, pane_ms))
    return made


class SpanCounter:
    """Counts rows by the span they fall in.

    Parameters
    ----------
    starts_ms
        Where the spans start, epoch ms, ascending; they do not overlap.
    length_ms
        Their length.
    """

    def __init__(self, layout: Layout, starts_ms: Counts, length_ms: int) -> None:
        self._layout = layout
        self._starts_ms = starts_ms
        self._length_ms = length_ms
        self.counts: Counts = np.zeros((len(starts_ms), width(layout)), np.int64)

    def add(self, batch: Batch) -> None:
        """Count the rows of a batch that lie in a span."""
        span = np.searchsorted(self._starts_ms, batch.ts_ms, side="right") - 1
        inside = np.flatnonzero((span >= 0) & (batch.ts_ms < self._starts_ms[span] + self._length_ms))
        if not len(inside):
            return
        batch = batch if len(inside) == len(batch) else batch.take(inside)
        starts = span[inside] * self.counts.shape[1]
        found = np.concatenate([*self._numbers(batch, starts), *self._categories(batch, starts)])
        self.counts += np.bincount(found, minlength=self.counts.size).reshape(self.counts.shape)

    def _numbers(self, batch: Batch, starts: Counts) -> Iterable[Counts]:
        layout = self._layout
        missing = int(layout.number_offsets[-1] + layout.category_offsets[-1])
        for position, column in enumerate(layout.numbers):
            values = batch.numbers[:, position]
            is_missing = np.isnan(values)
            places = np.searchsorted(layout.number_edges[position], values, side="right")
            yield (starts + layout.number_offsets[position] + places)[~is_missing]
            yield starts[_counts_as_missing(is_missing, batch, column.role)] + missing + position

    def _categories(self, batch: Batch, starts: Counts) -> Iterable[Counts]:
        layout = self._layout
        numbers = int(layout.number_offsets[-1])
        missing = numbers + int(layout.category_offsets[-1]) + len(layout.numbers)
        for position, (texts, known) in enumerate(zip(batch.texts, layout.codes, strict=True)):
            other = len(known) - 1
            codes = np.fromiter((known.get(text, other) for text in texts), np.int64, count=len(batch))
            is_missing = codes < 0
            yield (starts + numbers + layout.category_offsets[position] + codes)[~is_missing]
            role = layout.categories[position].role
            yield starts[_counts_as_missing(is_missing, batch, role)] + missing + position


def _counts_as_missing(is_missing: NDArray[np.bool_], batch: Batch, role: str) -> NDArray[np.bool_]:
    return is_missing if role == "feature" else is_missing & ~batch.errors


def _row(profile: Profile) -> Counts:
    layout = profile.layout
    numbers = [
        missing_of(profile, int(count), column.role)
        for count, column in zip(profile.count, layout.numbers, strict=True)
    ]
    offsets = layout.category_offsets
    categories = [
        missing_of(profile, int(profile.category_counts[offsets[at] : offsets[at + 1]].sum()), column.role)
        for at, column in enumerate(layout.categories)
    ]
    return np.concatenate((profile.bins, profile.category_counts, numbers, categories)).astype(np.int64)
