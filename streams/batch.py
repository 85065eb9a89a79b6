"""A batch: the rows of one model as columns, whatever they came from (Kafka records or a table)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.matching import Held, MatchKey
from streams.sketch import mixed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one model in arrival order; all arrays have one entry (or row) per event.

    Parameters
    ----------
    offsets
        Source offset of each row, ascending (a table's row numbers).
    ts_ms, record_ms
        Event time, and the broker's time of the record; epoch milliseconds.
    id_hashes
        64-bit hash of each id (`hash_ids`).
    errors
        True where the prediction failed.
    numbers
        Shape ``(n, N)``, NaN where missing; the layout's number columns.
    texts
        Per category column of the layout, each row's category; None where missing.
    versions, segments
        Each row's model version; per segment name of the monitor, each row's value.
    ids, answers
        Each row's id and prediction as they came, where the model's labels are joined; else empty.
    paired
        The number columns, by place, whose pairs are counted (`streams.pair_sums`).
    held
        The rows held against their owner's patterns, once these have been looked at (`streams.folding`).
    attributions
        Shape ``(n, F)``, the layout's features (`Layout.features`): what each contributed, 0 where the event
        names others alone, NaN all along a row that has none. None where no row has any.
    """

    offsets: NDArray[np.int64]
    ts_ms: NDArray[np.int64]
    record_ms: NDArray[np.int64]
    id_hashes: NDArray[np.uint64]
    errors: NDArray[np.bool_]
    numbers: NDArray[np.float64]
    texts: Sequence[Sequence[str | None]]
    versions: Sequence[str]
    segments: Sequence[Sequence[str]] = field(default=())
    ids: Sequence[str] = ()
    answers: Sequence[Any] = ()
    paired: tuple[int, ...] = ()
    held: Mapping[MatchKey, Held] = field(default_factory=dict)
    attributions: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    def take(self, rows: NDArray[np.intp]) -> "Batch":
        """Return the given rows, in the given order."""
        return Batch(
            offsets=self.offsets[rows],
            ts_ms=self.ts_ms[rows],
            record_ms=self.record_ms[rows],
            id_hashes=self.id_hashes[rows],
            errors=self.errors[rows],
            numbers=self.numbers[rows],
            texts=[_taken(texts, rows) for texts in self.texts],
            versions=_taken(self.versions, rows),
            segments=[_taken(values, rows) for values in self.segments],
            ids=_taken(self.ids, rows) if self.ids else (),
            answers=_taken(self.answers, rows) if self.answers else (),
            paired=self.paired,
            held={key: held.taken(rows) for key, held in self.held.items()},
            attributions=None if self.attributions is None else self.attributions[rows],
        )

    def between(self, low: int, high: int) -> "Batch":
        """Return rows ``low`` to ``high``, without copying their columns."""
        rows = slice(low, high)
        return Batch(
            offsets=self.offsets[rows],
            ts_ms=self.ts_ms[rows],
            record_ms=self.record_ms[rows],
            id_hashes=self.id_hashes[rows],
            errors=self.errors[rows],
            numbers=self.numbers[rows],
            texts=[texts[rows] for texts in self.texts],
            versions=self.versions[rows],
            segments=[values[rows] for values in self.segments],
            ids=self.ids[rows],
            answers=self.answers[rows],
            paired=self.paired,
            held={key: held.taken(rows) for key, held in self.held.items()},
            attributions=None if self.attributions is None else self.attributions[rows],
        )


def _taken(values: Sequence[T], rows: NDArray[np.intp]) -> list[T]:
    return [values[row] for row in rows.tolist()]


def stacked(batches: Sequence[Batch]) -> Batch:
    """Return the rows of all batches, one batch after the other; all are of one model, none is held yet."""
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in batches])
        for name in ("offsets", "ts_ms", "record_ms", "id_hashes", "errors")
    }
    return Batch(
        **arrays,
        # Column by column in memory, as they are read.
        numbers=np.concatenate([one.numbers.T for one in batches], axis=1).T,
        texts=[list(chain(*column)) for column in zip(*(one.texts for one in batches), strict=True)],
        versions=list(chain.from_iterable(one.versions for one in batches)),
        segments=[list(chain(*values)) for values in zip(*(one.segments for one in batches), strict=True)],
        ids=list(chain.from_iterable(one.ids for one in batches)),
        answers=list(chain.from_iterable(one.answers for one in batches)),
        paired=batches[0].paired,
        attributions=_stacked_attributions(batches),
    )


def _stacked_attributions(batches: Sequence[Batch]) -> NDArray[np.float64] | None:
    features = next((one.attributions.shape[1] for one in batches if one.attributions is not None), None)
    if features is None:
        return None
    return np.concatenate(
        [
            np.full((len(one), features), np.nan) if one.attributions is None else one.attributions
            for one in batches
        ]
    )


def hash_ids(ids: Sequence[str]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each id: the same in every process, batch and run.

    Examples
    --------
    >>> bool(hash_ids(["a", "a rather longer id"])[0] == hash_ids(["a"])[0])
    True
    """
    if not ids:
        return np.zeros(0, np.uint64)
    try:
        text = np.array(ids, dtype="S")
    except UnicodeEncodeError:
        text = np.array([one.encode("utf-8", "surrogatepass") for one in ids], dtype="S")
    width = -(-max(text.itemsize, 1) // 8)
    return hash_words(text.astype(f"S{8 * width}").view(np.uint64).reshape(len(ids), width))


def hash_words(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the hash of each id, given as its bytes padded with zeros to 64-bit words, shape ``(n, w)``."""
    result = np.zeros(len(words), np.uint64)
    for word in words.T:
        # Padding must not change a hash: it is as wide as the longest id of the batch.
        result = np.where(word != 0, mixed(result ^ word), result)
    return result
