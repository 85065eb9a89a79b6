"""What features contribute to predictions: sums over a window, their ranking, and how far two rankings lie apart.

References
----------
Järvelin, K. and Kekäläinen, J. (2002), Cumulated Gain-Based Evaluation of IR Techniques, ACM TOIS 20(4).
Lundberg, S. and Lee, S. (2017), A Unified Approach to Interpreting Model Predictions, NeurIPS (mean |SHAP value|).
Hardt, M. et al. (2021), Amazon SageMaker Clarify: Machine Learning Bias Detection and Explainability in the Cloud,
KDD (nDCG of a live ranking of attributions against that of training).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Attributions:
    """Sums of what ``F`` features contributed to the predictions of a window.

    Parameters
    ----------
    names
        The features.
    events
        Events that carried attributions; a feature that one of them does not name contributed 0.
    sums
        Of ``|a|``, ``a`` and ``a²``, in the unit of the attributions, shape ``(3, F)``.
    spans
        Of a reference: spans of it, each a row of its events, the sums of ``|a|`` and those of ``a``; for each
        length of span one array in the order of time, shape ``(spans, 1 + 2 F)``. Empty where it has no times.
    """

    names: tuple[str, ...]
    events: int
    sums: Floats
    spans: tuple[Floats, ...] = ()

    def only(self, names: Sequence[str]) -> "Attributions":
        """Return the same of some features, in the order given."""
        if tuple(names) == self.names:
            return self
        place = np.array([self.names.index(name) for name in names], dtype=np.intp)
        inner = np.concatenate((np.zeros(1, np.intp), 1 + place, 1 + len(self.names) + place))
        spans = tuple(rows[:, inner] for rows in self.spans)
        return Attributions(tuple(names), self.events, self.sums[:, place], spans)

    def is_counted_as(self, other: "Attributions") -> bool:
        """Return whether all sums are the same; trailing references are made anew."""
        return self is other or (
            self.names == other.names
            and self.events == other.events
            and np.array_equal(self.sums, other.sums)
            and len(self.spans) == len(other.spans)
            and all(map(np.array_equal, self.spans, other.spans))
        )

    def means(self) -> Floats:
        """Return the mean size ``|a|`` and the mean ``a`` of each feature, shape ``(2, F)``."""
        return np.asarray(self.sums[:2] / max(self.events, 1))

    def variances(self) -> Floats:
        """Return the variances of ``|a|`` and of ``a``, shape ``(2, F)``."""
        squares = self.sums[2] / max(self.events, 1)
        return np.asarray(np.maximum(squares - self.means() ** 2, 0.0))


def ranks(sizes: Floats, like: Floats | None = None) -> Ranks:
    """Return the rank of each feature by its size, 1 for the largest, shape ``(F,)``.

    Equal ones stand as in ``like``, and where that is equal too in the order they have.

    Examples
    --------
    >>> ranks(np.array([0.1, 0.7, 0.7])).tolist(), ranks(np.array([0.1, 0.7, 0.7]), np.array([1, 2, 3])).tolist()
    ([3, 1, 2], [3, 2, 1])
    """
    order = np.lexsort((np.zeros(sizes.size) if like is None else -like, -sizes))
    found = np.empty(sizes.size, np.int64)
    found[order] = np.arange(1, sizes.size + 1)
    return found


def discounts(places: Ranks) -> Floats:
    """Return ``1 / log2(1 + rank)``, what a rank is worth."""
    return np.asarray(1.0 / np.log2(1.0 + places))


def ndcg(usual: Floats, places: Ranks) -> float:
    """Return the normalised discounted cumulative gain of a ranking: 1 where it is that of the gains.

    ``sum(gain / log2(1 + rank))`` over the features, by the same of the best ranking. The gains are the
    reference's mean sizes, and the logarithm is to base 2, so that the first rank counts whole. 1 where all
    gains are 0.

    Parameters
    ----------
    usual
        The gain of each feature, 0 or more, shape ``(F,)``.
    places
        The rank of each, 1 upwards, shape ``(F,)``.

    Examples
    --------
    >>> ndcg(np.array([3.0, 1.0]), np.array([1, 2])), round(ndcg(np.array([3.0, 1.0]), np.array([2, 1])), 4)
    (1.0, 0.7967)
    """
    best = float(np.sum(usual * discounts(ranks(usual))))
    return float(np.sum(usual * discounts(places))) / best if best > 0 else 1.0
