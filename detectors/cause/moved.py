"""Which features moved while something else did, and how much each of them did of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from detectors.cause.drivers import Driver
from detectors.columns import Comparisons
from detectors.comparison import Comparison, means
from detectors.sentence import percent, shorten
from detectors.window import Column, Window

#: A population stability index (nats) below this is no move that could explain another.
LEAST_INDEX = 0.02
#: Probability that chance alone makes any of the features look moved.
_CHANCE = 0.001


@dataclass(frozen=True, slots=True)
class Moved:
    """The features that moved, the furthest first, of so many that could be compared."""

    drivers: tuple[Driver, ...]
    compared: int


def moved(window: Window, reference: Window, shown: int = 3) -> Moved:
    """Return the features whose population stability index says that they moved, beyond what chance explains.

    A feature's share is its part of the sum of these indices. It says what moved at the same time, not what
    the model makes of it.

    Parameters
    ----------
    shown
        Features that get words, the furthest ones.

    Notes
    -----
    All features at once: some numpy calls, whatever their number.
    """
    pairs = [
        (column, usual)
        for name, column in window.features.items()
        if (usual := reference.features.get(name)) is not None and _are_alike(column, usual)
    ]
    if not pairs:
        return Moved((), 0)
    index, limit = _indices(pairs)
    places = [int(at) for at in np.argsort(-index, kind="stable") if index[at] > max(limit[at], LEAST_INDEX)]
    total = float(index[places].sum())
    found = [
        _driver(*pairs[at], share=float(index[at]) / total, with_words=rank < shown)
        for rank, at in enumerate(places)
    ]
    return Moved(tuple(found), len(pairs))


def _are_alike(column: Column, usual: Column) -> bool:
    return (
        column.bins.size > 1
        and column.labels == usual.labels
        and np.array_equal(column.edges, usual.edges)
        and column.count > 0
        and usual.count > 0
    )


def _indices(pairs: list[tuple[Column, Column]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each feature's index, and what chance alone exceeds in any of them with a small probability."""
    sizes = np.array([column.bins.size for column, _ in pairs])
    starts = np.append(0, np.cumsum(sizes)[:-1])
    now = np.concatenate([column.bins for column, _ in pairs]).astype(np.float64)
    usual = np.concatenate([column.bins for _, column in pairs]).astype(np.float64)
    n, m = np.add.reduceat(now, starts), np.add.reduceat(usual, starts)
    bins = np.add.reduceat((now + usual > 0).astype(np.int64), starts)
    # Each side gets an event a bin, spread as the two are together: `divergence.smoothed_shares`.
    spread = (now / np.repeat(n, sizes) + usual / np.repeat(m, sizes)) / 2 * np.repeat(bins, sizes)
    p, q = (now + spread) / np.repeat(n + bins, sizes), (usual + spread) / np.repeat(m + bins, sizes)
    ratio = np.divide(p, q, out=np.ones(p.size), where=q > 0)
    index = np.add.reduceat((p - q) * np.log(ratio), starts)
    limit = (1 / n + 1 / m) * stats.chi2.isf(_CHANCE / len(pairs), np.maximum(bins - 1, 1))
    return index, limit


def _driver(column: Column, usual: Column, *, share: float, with_words: bool) -> Driver:
    before, after = (
        (None, None) if column.kind == "category" else (float(usual.mean), float(column.mean))
    )  # fmt: skip
    found = Comparison(column, usual)
    how = (means(found) or Comparisons([found]).telling_bins[0]) if with_words else ""
    words = f"{shorten(column.name)} {percent(share, 2)}" + (f" ({how})" if how else "")
    return Driver(column.name, share, before, after, words)
