"""Fitting a `LossModel`: which bins come with which errors, by ridge regression on labelled rows."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.special import fdtrc

from detectors.estimation.losses import Floats, LossColumn, LossModel
from detectors.sentence import figure, quantity

#: With fewer labelled rows nothing is fitted.
LEAST_ROWS = 500
#: Blocks of rows, end to end in time, each of which is held out once.
BLOCKS = 10
#: Cells that are fitted at most; of more columns, those whose bins say most of the error are taken.
MOST_CELLS = 500
#: Probability of telling so much by chance, above which a column's bins are taken to say nothing.
CHANCE = 0.01
#: Rows' worth of doubt that an effect is shrunk by; the best of them on held-out rows is taken.
RIDGES = (1.0, 10.0, 100.0, 1000.0)
#: Spans that the reference's wandering is seen by, at most, and the rows each has at least.
SPANS, SPAN_ROWS = 400, 100

Codes = NDArray[np.int64]


def fit(columns: Sequence[LossColumn], codes: Codes, absolute: Floats, source: str) -> LossModel:
    """Return what errors to expect.

    Effects are ridge estimates for indicators of all bins, the base not shrunk, the penalty chosen by the
    squared error on held-out blocks. Blocks are contiguous, so that rows that are alike because they follow
    each other lie on one side; what they say of the errors is therefore what it would be for a later time.

    Parameters
    ----------
    columns
        What could say something of the error; their ``counts`` are not looked at.
    codes
        Cell of each row in each column, shape ``(n, len(columns))``, rows in the order of their times.
    absolute
        Absolute error of each row, finite, shape ``(n,)``.

    References
    ----------
    Hoerl, A. and Kennard, R. (1970), Ridge Regression: Biased Estimation for Nonorthogonal Problems,
    Technometrics 12(1).
    Künsch, H. (1989), The Jackknife and the Bootstrap for General Stationary Observations, Annals of
    Statistics 17(3) (leaving out blocks).
    NannyML documentation, How it works: Direct Loss Estimation (the idea; with gradient boosting there).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> codes = rng.integers(0, 2, (4_000, 1))
    >>> errors = np.abs(rng.normal(size=4_000)) * (1.0 + codes[:, 0])
    >>> model = fit([LossColumn("x", ("low", "high"), np.zeros(3))], codes, errors, "doctest")
    >>> base, low, high, _ = model.effects[0, 0].tolist()
    >>> round(base + low, 1), round(base + high, 1)
    (0.8, 1.6)
    """
    rows = len(absolute)
    if rows < LEAST_ROWS:
        why = f"of {source} only {quantity(rows, 'row')} can be used for it, with a label; {LEAST_ROWS} are needed"
        return LossModel.unknown(rows, source, why)
    if np.ptp(absolute) == 0.0:
        why = f"the error is {figure(float(absolute[0]))} in all {rows:,} rows of {source} with labels"
        return LossModel.unknown(rows, source, why)
    losses = np.column_stack((absolute, absolute**2))
    told = _telling(columns, codes, losses)
    if not told:
        why = "neither features nor predictions tell how large the error is"
        return LossModel.unknown(rows, source, why)
    held = [
        replace(columns[at], counts=_counts(codes[:, at], columns[at].counts.size).astype(np.float64))
        for at in told
    ]
    return _fitted(held, _indicators([one.counts.size for one in held], codes[:, told]), losses, source)


def _counts(codes: Codes, cells: int) -> Codes:
    return np.bincount(codes, minlength=cells)


def _telling(columns: Sequence[LossColumn], codes: Codes, losses: Floats) -> list[int]:
    """Return the columns whose bins differ in their mean loss, those that tell most first, within the cap."""
    centred = losses - losses.mean(axis=0)
    total = np.einsum("ij,ij->j", centred, centred)
    ranked = []
    for at, column in enumerate(columns):
        counts = _counts(codes[:, at], column.counts.size)
        groups = int(np.count_nonzero(counts))
        if groups < 2:
            continue
        sums = np.array([np.bincount(codes[:, at], one, minlength=counts.size) for one in centred.T])
        between = (sums**2 / np.maximum(counts, 1)).sum(axis=1)
        freedom = len(losses) - groups
        within = np.maximum(total - between, 1e-12 * total)
        chance = fdtrc(groups - 1, freedom, between / (groups - 1) / (within / freedom))
        if chance.min() < CHANCE:
            told = 1.0 - within / freedom / (total / (len(losses) - 1))
            ranked.append((-float(told.max()), at))
    kept, cells = [], 0
    for _, at in sorted(ranked):
        cells += columns[at].counts.size
        if cells > MOST_CELLS:
            break
        kept.append(at)
    return kept


def _indicators(sizes: Sequence[int], codes: Codes) -> sparse.csr_array:
    """Return a one, then an indicator for every cell, of each row."""
    starts = 1 + np.cumsum([0, *sizes[:-1]])
    places = np.column_stack((np.zeros(len(codes), np.int64), codes + starts))
    ends = np.arange(len(codes) + 1) * places.shape[1]
    shape = (len(codes), 1 + sum(sizes))
    return sparse.csr_array((np.ones(places.size), places.reshape(-1), ends), shape=shape)


def _fitted(columns: Sequence[LossColumn], rows: sparse.csr_array, losses: Floats, source: str) -> LossModel:
    cuts = np.linspace(0, len(losses), BLOCKS + 1).astype(np.int64)
    blocks = [slice(low, high) for low, high in itertools.pairwise(cuts.tolist())]
    grams = np.array([(rows[one].T @ rows[one]).toarray() for one in blocks])
    sums = np.array([rows[one].T @ losses[one] for one in blocks])
    gram, total = grams.sum(axis=0), sums.sum(axis=0)
    # The base's own indicator is 1 in every row: its sum is the rows', and those of the losses.
    means = [(total[0] - sums[at, 0]) / (gram[0, 0] - grams[at, 0, 0]) for at in range(BLOCKS)]
    plain = np.concatenate([losses[one] - mean for one, mean in zip(blocks, means, strict=True)])
    best = np.full(2, np.inf)
    effects = np.zeros((2, 1 + BLOCKS, rows.shape[1]))
    left = np.zeros_like(losses)
    ridges = np.zeros(2)
    for ridge in RIDGES:
        whole = _solved(gram, total, ridge)
        without = [_solved(gram - grams[at], total - sums[at], ridge) for at in range(BLOCKS)]
        found = np.concatenate([losses[one] - rows[one] @ without[at] for at, one in enumerate(blocks)])
        for loss, missed in enumerate((found**2).sum(axis=0)):
            if missed < best[loss]:
                best[loss], ridges[loss] = missed, ridge
                effects[loss] = np.array([one[:, loss] for one in (whole, *without)])
                left[:, loss] = found[:, loss]
    squares = rows.T @ left**2
    spans = max(min(SPANS, len(losses) // SPAN_ROWS), BLOCKS)
    return LossModel(
        columns=tuple(columns),
        effects=effects,
        scatter=np.array([_solved(gram, squares[:, [one]], ridges[one])[:, 0] for one in (0, 1)]),
        wander=_wander(np.array_split(left, spans)),
        usual_loss=losses.mean(axis=0),
        usual_error=np.array([losses[one].mean(axis=0) for one in blocks]).std(axis=0, ddof=1) / BLOCKS**0.5,
        skill=1.0 - best / (plain**2).sum(axis=0),
        labels=len(losses),
        source=source,
    )


def _solved(gram: Floats, sums: Floats, ridge: float) -> Floats:
    penalty = np.full(len(gram), ridge)
    penalty[0] = 0.0
    found: Floats = np.asarray(linalg.solve(gram + np.diag(penalty), sums, assume_a="pos"))
    return found


def _wander(spans: Sequence[Floats]) -> Floats:
    """Return the variance of the spans' means, less what chance within each makes of it."""
    chance = np.array([one.var(axis=0, ddof=1) / len(one) for one in spans])
    seen = np.array([one.mean(axis=0) ** 2 for one in spans])
    found: Floats = np.maximum((seen - chance).mean(axis=0), 0.0)
    return found
