"""Pairs of number columns: what windows count of them, and the correlations that follow.

A value counts as the normal score of its bin, a whole number, so that sums are exact in any order. Bins of a
reference hold equal shares, or nearly: the correlation of scores is then van der Waerden's rank correlation,
which no monotone change of a unit moves, and no outlier rules.

References
----------
van der Waerden, B. L. (1952), Order tests for the two-sample problem and their power, Indagationes Mathematicae 14.
Muirhead, R. (1982), Aspects of Multivariate Statistical Theory, Wiley.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

#: Scores are whole numbers of this fraction of a standard deviation.
SCORE_UNIT = 1 / 32
#: Scores end here (standard deviations), however many bins there are.
SCORE_END = 3.0
#: Correlations nearer to 1 are taken for this one: beyond, Fisher's transformation has no end.
_NEAREST_TO_ONE = 0.9995
#: Covers the steps of scores, and tails that hang together more than an elliptical law (t of 3 degrees) has it.
_LEAST_EXCESS = 1.3


@lru_cache(maxsize=256)
def normal_scores(bins: int) -> Floats:
    """Return the score of each bin, whole numbers in units of `SCORE_UNIT`, ascending, shape ``(bins,)``.

    The normal quantile of the middle of the bin's place among them.

    Examples
    --------
    >>> normal_scores(4).tolist()
    [-37.0, -10.0, 10.0, 37.0]
    """
    scores = special.ndtri((np.arange(bins) + 0.5) / bins)
    found = np.rint(np.clip(scores, -SCORE_END, SCORE_END) / SCORE_UNIT)
    found.setflags(write=False)
    return np.asarray(found)


@dataclass(frozen=True)
class Pairs:
    """Sums over the rows of a window, by column and by pair of ``d`` number columns.

    Parameters
    ----------
    names
        The columns.
    counts
        Rows in which both columns of a pair have a value, shape ``(d, d)``.
    gram
        Sums of products of ``1``, the scores, and the squares of the scores, shape ``(1 + 2 d, 1 + 2 d)``;
        the score of a value that is missing is 0.
    spans
        Of a reference: the same of spans of it, as rows of `span_row`, for each length of span one array in
        the order of time, shape ``(spans, d * d + (1 + 2 d) ** 2)``. Empty where its events have no times.
    """

    names: tuple[str, ...]
    counts: Counts
    gram: Counts
    spans: tuple[Counts, ...] = field(default=())

    def only(self, names: Sequence[str]) -> "Pairs":
        """Return the same of some of its columns, in the order given."""
        if tuple(names) == self.names:
            return self
        place = np.array([self.names.index(name) for name in names], dtype=np.intp)
        d = len(self.names)
        inner = np.concatenate((np.zeros(1, np.intp), 1 + place, 1 + d + place))
        spans = []
        for rows in self.spans:
            counts, gram = parted(rows, d)
            kept = counts[:, place][:, :, place], gram[:, inner][:, :, inner]
            spans.append(np.concatenate([one.reshape(len(rows), -1) for one in kept], axis=1))
        return Pairs(
            tuple(names), self.counts[np.ix_(place, place)], self.gram[np.ix_(inner, inner)], tuple(spans)
        )

    @cached_property
    def of_pairs(self) -> "Correlations":
        """The correlation of each pair."""
        return correlations(self.counts, self.gram)


@dataclass(frozen=True, slots=True)
class Correlations:
    """Of each pair of columns, in the order of ``numpy.triu_indices(d, 1)``; any leading shape.

    Parameters
    ----------
    rows
        Rows that have both.
    values
        Their correlation, -1 to 1; NaN where one of them does not vary.
    excess
        How much larger the variance of a correlation is than that of normal values, 1.3 upwards:
        ``E[u² v²] / (1 + (k - 1) r²)`` of the standardised scores with their kurtosis k, 3 at most. That is
        exact for elliptical distributions and pairs without correlation (Muirhead 1982, section 5.1.4).
    """

    rows: Counts
    values: Floats
    excess: Floats

    @property
    def fisher(self) -> Floats:
        """Fisher's transformation: normal with a variance of ``excess / rows``."""
        return np.asarray(np.arctanh(np.clip(self.values, -_NEAREST_TO_ONE, _NEAREST_TO_ONE)))


def parted(rows: Counts, columns: int) -> tuple[Counts, Counts]:
    """Return counts and gram of rows of spans, shapes ``(spans, d, d)`` and ``(spans, 1 + 2 d, 1 + 2 d)``."""
    cut, side = columns * columns, 1 + 2 * columns
    return rows[:, :cut].reshape(-1, columns, columns), rows[:, cut:].reshape(-1, side, side)


def correlations(counts: Counts, gram: Counts) -> Correlations:
    """Return the correlations that sums come to; both may have the same leading axes."""
    d = counts.shape[-1]
    left, right = np.triu_indices(d, 1)
    own = np.maximum(np.diagonal(counts, axis1=-2, axis2=-1), 1)
    mean, squares = gram[..., 0, 1 : 1 + d] / own, gram[..., 0, 1 + d :] / own
    spread = np.sqrt(np.maximum(squares - mean**2, 0.0))
    rows = counts[..., left, right]
    n = np.maximum(rows, 1)
    products = gram[..., 1 + left, 1 + right] / n
    scale = spread[..., left] * spread[..., right]
    each = np.arange(d)
    with np.errstate(divide="ignore", invalid="ignore"):
        away = products - mean[..., left] * mean[..., right]
        values = np.where(scale > 0, np.clip(away / scale, -1.0, 1.0), np.nan)
        fourth = _fourth(gram, n, mean, squares, left, right) / scale**2
        kurtosis = _fourth(gram, own, mean, squares, each, each) / spread**4
        usual = np.clip(np.sqrt(kurtosis[..., left] * kurtosis[..., right]), 1.0, 3.0) - 1
        excess = np.where(scale > 0, np.maximum(fourth / (1 + usual * values**2), _LEAST_EXCESS), np.nan)
    return Correlations(rows, values, excess)


def _fourth(
    gram: Counts, n: Counts, mean: Floats, squares: Floats, left: NDArray[np.intp], right: NDArray[np.intp]
) -> Floats:
    """Return the mean of ``(x - a)² (y - b)²`` with the means a and b, from moments about 0."""
    d = mean.shape[-1]
    a, b = mean[..., left], mean[..., right]
    return np.asarray(
        gram[..., 1 + d + left, 1 + d + right] / n
        - 2 * b * gram[..., 1 + d + left, 1 + right] / n
        - 2 * a * gram[..., 1 + left, 1 + d + right] / n
        + b**2 * squares[..., left]
        + a**2 * squares[..., right]
        + 4 * a * b * gram[..., 1 + left, 1 + right] / n
        - 3 * a**2 * b**2
    )
