"""How sure a model is of its answers: the distribution of its confidence, folded from the bins of its scores."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.window import Column

#: Confidence is told apart in steps of this, from one half to one.
STEP = 0.05
EDGES = np.round(np.arange(11, 20) * STEP, 2)
_UNDECIDED = "below 0.5"
_STEPS = tuple(f"{0.5 + STEP * step:.2f} to {0.55 + STEP * step:.2f}" for step in range(10))
_SCORE_EDGES = np.round(np.arange(1, 20) * STEP, 2)


def confidence(prediction: Mapping[str, Column]) -> Column | str:
    """Return the confidence of a window's or reference's predictions as a column, or why there is none.

    Of a score it is ``max(p, 1 - p)``: bins of 0.05 on both sides of one half are folded together. Of class
    probabilities it is the largest one: above one half only one class can be, so that its bins are those of all
    classes added up, exactly; the rest are ``below 0.5``, where no class has half of it. Spans fold alike.

    Notes
    -----
    Scores that lie on an edge below one half (0.45, say) fold one bin too far in, since a bin holds its lower edge.
    """
    columns = list(prediction.values())
    if not columns or any(one.kind != "number" for one in columns):
        return "a class without probabilities has no confidence"
    if not all(np.array_equal(one.edges, _SCORE_EDGES) for one in columns):
        return "the scores are not counted in bins of 0.05"
    if len(columns) == 1:
        (score,) = columns
        return _column(score, _folded(score.bins[None])[0], [_with_missing(one) for one in score.spans])
    first = columns[0]
    bins = _of_classes([one.bins[None] for one in columns])[0]
    lengths = min(len(one.spans) for one in columns)
    spans = [
        np.hstack((_of_classes([one.spans[at][:, :-1] for one in columns]), first.spans[at][:, -1:]))
        for at in range(lengths)
    ]
    return _column(first, bins, spans, (_UNDECIDED, *_STEPS))


def _folded(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return counts[:, 10:] + counts[:, 9::-1]


def _with_missing(spans: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.hstack((_folded(spans[:, :-1]), spans[:, -1:]))


def _of_classes(counts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return, for rows of counts in the bins of each class, those of the largest probability."""
    sure = np.sum([one[:, 10:] for one in counts], axis=0)
    # Two classes of exactly one half each are in it twice; there is no telling how often, but by the rest.
    rows = np.max([one.sum(axis=1) for one in counts], axis=0)
    sure[:, 0] -= np.minimum(np.maximum(sure.sum(axis=1) - rows, 0), sure[:, 0])
    return np.hstack(((rows - sure.sum(axis=1))[:, None], sure))


def _column(
    one: Column,
    bins: NDArray[np.int64],
    spans: Sequence[NDArray[np.int64]],
    labels: tuple[str, ...] = _STEPS,
) -> Column:
    edges = EDGES if len(labels) == len(_STEPS) else np.concatenate(([0.5], EDGES))
    return Column(
        "confidence",
        "number",
        count=int(bins.sum()),
        missing=one.missing,
        bins=bins,
        edges=edges,
        labels=labels,
        spans=tuple(spans),
    )
