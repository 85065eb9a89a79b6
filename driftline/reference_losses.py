"""The labels of a regression's reference: which errors came with which features and predictions."""

import math
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detectors.estimation.loss_fit import LEAST_ROWS, fit
from detectors.estimation.losses import LossColumn, LossModel
from detectors.outcomes.task import Label
from detectors.sentence import figure, quantity
from driftline.sample import Sample
from streams import sketch
from streams.batch import Batch
from streams.layout import Layout, NumberColumn

#: Labelled rows the errors are learnt from, at most; and numbers of them held at a time.
MOST_ROWS = 100_000
MOST_VALUES = 20_000_000
#: Shares of an outermost bin's values at which it is cut, from outside in, and the rows a part has at least.
_TAIL_SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
_TAIL_ROWS = 30
#: Errors above this count as this, so that their fourth power is a number still.
_LARGEST = 1e70
_OFFSET, _TIME, _PREDICTED, _TRUTH, _OWN = range(5)

Floats = NDArray[np.float64]


class LabelledErrors:
    """Takes a sample of the rows of a reference that have a label, with what they were predicted by.

    Parameters
    ----------
    labels
        The label of each row over all files, None where it has none; text that spells a number is one.
    """

    def __init__(self, layout: Layout, labels: Sequence[Label | None]) -> None:
        self._layout = layout
        self._truths, self._odd = _numbers(labels)
        self._unusable = 0
        self._predicted = [one.name for one in layout.numbers].index("prediction")
        self._taken = [
            place for place, one in enumerate(layout.numbers) if one.edges and one.role != "latency"
        ]
        self._listed = [
            place for place, one in enumerate(layout.categories) if one.values and one.role == "feature"
        ]
        columns = _OWN + len(self._taken) + len(self._listed)
        self._sample = Sample(columns, min(MOST_ROWS, MOST_VALUES // columns))

    def add(self, batch: Batch) -> None:
        """Take in the rows of a batch that have both a label and a prediction."""
        truths, predicted = self._truths[batch.offsets], batch.numbers[:, self._predicted]
        self._unusable += int(np.count_nonzero(self._odd[batch.offsets]))
        held = np.flatnonzero(~np.isnan(truths) & ~np.isnan(predicted))
        if not held.size:
            return
        codes = [
            np.array([known.get(one, len(known) - 1) for one in batch.texts[place]], dtype=np.float64)
            for place in self._listed
            for known in (self._layout.codes[place],)
        ]
        rows = (batch.offsets, batch.ts_ms, predicted, truths, *batch.numbers[:, self._taken].T, *codes)
        self._sample.add(batch.offsets[held], np.column_stack(rows)[held])

    @cached_property
    def model(self) -> LossModel:
        """Which errors to expect, or why none can be, once all rows are in."""
        source = "the reference file"
        rows = self._sample.values()
        rows = rows[np.lexsort((rows[:, _OFFSET], rows[:, _TIME]))]
        truths = rows[:, _TRUTH]
        if len(rows) >= LEAST_ROWS and np.ptp(truths) == 0.0:
            why = f"the label is {figure(float(truths[0]))} in all {len(rows):,} rows of {source} with labels"
            return LossModel.unknown(len(rows), source, why)
        columns, codes = [], [np.zeros((len(rows), 0), np.int64)]
        for column, places in self._columns(rows):
            columns.append(column)
            codes.append(places[:, None])
        absolute = np.minimum(np.abs(rows[:, _PREDICTED] - truths), _LARGEST)
        return fit(columns, np.concatenate(codes, axis=1), absolute, source)

    def remarks(self) -> list[str]:
        """Return what is odd about the labels, in words."""
        odd = f"{quantity(self._unusable, 'label')} left out: no finite numbers" if self._unusable else ""
        why = self.model.why
        return [*([odd] if odd else []), *([f"no error can be expected before labels: {why}"] if why else [])]

    def _columns(self, rows: Floats) -> Iterator[tuple[LossColumn, NDArray[np.int64]]]:
        """Yield each column with the cell of each row in it."""
        for at, place in enumerate(self._taken, _OWN):
            yield _number(self._layout.numbers[place], rows[:, at])
        for at, place in enumerate(self._listed, _OWN + len(self._taken)):
            spec, codes = self._layout.categories[place], rows[:, at].astype(np.int64)
            cells = len(spec.labels) + 1
            yield LossColumn(spec.name, spec.labels, np.zeros(cells)), codes % cells


def _number(spec: NumberColumn, values: Floats) -> tuple[LossColumn, NDArray[np.int64]]:
    edges = np.asarray(spec.edges)
    held = ~np.isnan(values)
    # A window's values are known by their sketch alone, within a bin.
    known = sketch.bucket_values(sketch.buckets(np.where(held, values, 0.0)))
    places = np.searchsorted(edges, values, side="right")
    first, last = held & (places == 0), held & (places == len(edges))
    below = _cuts(known[first], _TAIL_SHARES)
    above = _cuts(known[last], tuple(1.0 - share for share in reversed(_TAIL_SHARES)))
    inner = places + len(below)
    codes = np.where(first, np.searchsorted(below, known, side="right"), inner)
    codes = np.where(last, len(below) + len(edges) + np.searchsorted(above, known, side="right"), codes)
    cells = len(below) + len(edges) + 1 + len(above)
    codes[~held] = cells
    column = LossColumn(
        spec.name, spec.labels, np.zeros(cells + 1), below, above,
        *((float(values[held].min()), float(values[held].max())) if held.any() else ()),
    )  # fmt: skip
    return column, codes


def _cuts(values: Floats, shares: tuple[float, ...]) -> tuple[float, ...]:
    """Return where to cut a bin, so that each part has its rows; ascending, none where it has too few."""
    if not values.size:
        return ()
    found: list[float] = []
    ordered = np.sort(values)
    for cut in np.unique(np.quantile(ordered, shares, method="nearest")).tolist():
        before = int(np.searchsorted(ordered, cut)) - int(np.searchsorted(ordered, found[-1]) if found else 0)
        after = len(ordered) - int(np.searchsorted(ordered, cut))
        if before >= _TAIL_ROWS and after >= _TAIL_ROWS:
            found.append(cut)
    return tuple(found)


def _numbers(labels: Sequence[Label | None]) -> tuple[Floats, NDArray[np.bool_]]:
    """Return labels as numbers, NaN where there is none, and where one is odd."""
    found = np.full(len(labels), np.nan)
    odd = np.zeros(len(labels), np.bool_)
    for row, label in enumerate(labels):
        if label is None or label == "" or label != label:
            continue
        try:
            number = math.nan if isinstance(label, bool) else float(label)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            found[row] = number
        else:
            odd[row] = True
    return found, odd
