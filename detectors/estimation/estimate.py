"""What a metric would be, had the labels come in: expected before any label."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from detectors.estimation.cells import Cells, Floats, Loss
from detectors.outcomes.task import POSITIVE, TaskKind

#: The metrics that can be estimated, by task.
ESTIMATED: Mapping[TaskKind, tuple[str, ...]] = {
    "score": ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"),
    "probabilities": ("roc_auc", "log_loss", "brier"),
    "class": (),
    "number": ("mae", "rmse"),
}
_OF_SHARES = frozenset({"accuracy", "precision", "recall", "f1", "roc_auc"})


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric as it is expected, and the interval of what labels would show.

    Parameters
    ----------
    value
        None where it is undefined; ``why`` says why.
    error
        Standard error of the estimate against the metric that the labels of the same predictions give.
    low, high
        The interval; a share's lies within 0 and 1.
    """

    name: str
    value: float | None
    error: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """An estimate's value, its change by a further positive of each cell, and what else makes it uncertain."""

    value: float
    slope: Floats
    variance: float = 0.0


def estimates(
    cells: Mapping[str, Cells], counts: Mapping[str, Floats], level: float = 0.95
) -> dict[str, Estimate]:
    """Return the metrics that predictions of known scores are expected to have.

    A cell's *n* scores hold *n c* positives in the mean, where *c* is the share of positives among its
    labelled scores. The metrics are those of `detectors.outcomes.metrics`, of these expected counts:
    accuracy, log loss and Brier score are thereby expected values; ratios (precision, recall, F1, ROC AUC)
    are off by what vanishes as one over the predictions. Scores of a cell are ordered and cost as its
    labelled ones do. With several classes, ROC AUC is the mean of each class against the rest, and log loss
    and Brier score are sums over the classes.

    The interval holds both that the labels of *n* scores scatter, by *n c* (1 - *c*), and that *c* is known
    from *m* labels only, by *n*² *c* (1 - *c*) / *m*, each taken through the metric's slope (delta method),
    as normal. It rests on one assumption: that a score means what it meant. Of a change of that (concept
    drift) nothing is seen here.

    Parameters
    ----------
    cells
        Of labelled scores, by class; that of a score is ``positive``.
    counts
        Predictions in each of the cells, by class.
    level
        Share of windows (0 to 1) whose realised metric lies in the interval.

    References
    ----------
    Białek, J., Kivimäki, J., Kuberski, W. and Perrakis, N. (2024), Estimating Model Performance Under
    Covariate Shift Without Labels, arXiv:2401.08348 (on the assumption, and what to do where it fails).
    NannyML documentation, How it works: Performance Estimation (CBPE).
    """
    is_score = tuple(cells) == (POSITIVE,)
    names = ESTIMATED["score" if is_score else "probabilities"]
    if not any(one.sum() for one in counts.values()):
        return {name: Estimate(name, None, why="there are no predictions") for name in names}
    found: dict[str, Estimate] = {}
    for name in names:
        each = [
            (one, counts[label], _found(name, cells[label], counts[label])) for label, one in cells.items()
        ]
        parts = [
            (got.value, _variance(one, n, got.slope) + got.variance)
            for one, n, got in each
            if got is not None
        ]
        found[name] = _whole(name, parts, level)
    return found


def _whole(name: str, parts: list[tuple[float, float]], level: float) -> Estimate:
    """Return the estimate over classes; its error as of fully dependent ones, hence never too small."""
    if not parts:
        return Estimate(name, None, why=_WHY[name])
    weight = 1.0 / len(parts) if name == "roc_auc" else 1.0
    value = weight * sum(one for one, _ in parts)
    error = weight * sum(max(variance, 0.0) ** 0.5 for _, variance in parts)
    reach = float(ndtri(0.5 + level / 2.0)) * error
    low, high = max(value - reach, 0.0), value + reach
    return Estimate(name, value, error, low, min(high, 1.0) if name in _OF_SHARES else high)


_WHY = {
    "precision": "nothing is predicted positive",
    "recall": "no positive is expected",
    "f1": "nothing is positive, predicted or expected",
    "roc_auc": "one class only is expected: there is nothing to tell apart",
}


def _variance(cells: Cells, counts: Floats, slope: Floats) -> float:
    share = cells.shares
    sample = counts * share * (1.0 - share)
    return float(slope**2 @ (sample + counts**2 * cells.share_variance))


def _found(name: str, cells: Cells, counts: Floats) -> _Found | None:
    positives = counts * cells.shares
    decided = cells.decided.astype(np.float64)
    total, held = float(counts.sum()), float(positives.sum())
    said, hits = float(counts @ decided), float(positives @ decided)
    match name:
        case "accuracy":
            wrong = said - hits + held - hits
            return _Found(1.0 - wrong / total, (2.0 * decided - 1.0) / total)
        case "precision":
            return _Found(hits / said, decided / said) if said else None
        case "recall":
            return _Found(hits / held, (decided - hits / held) / held) if held else None
        case "f1":
            share = 2.0 * hits / (said + held) if said + held else 0.0
            return _Found(share, (2.0 * decided - share) / (said + held)) if said + held else None
        case "roc_auc":
            return _roc_area(cells, positives, counts - positives)
        case "log_loss":
            return _loss(cells, counts, positives, cells.log_loss)
        case _:
            return _loss(cells, counts, positives, cells.brier)


def _roc_area(cells: Cells, positives: Floats, negatives: Floats) -> _Found | None:
    p, q = float(positives.sum()), float(negatives.sum())
    if p < 1e-9 or q < 1e-9:
        return None
    below = np.cumsum(negatives) - negatives
    above = p - np.cumsum(positives)
    value = float(positives @ (below + negatives * cells.order)) / (p * q)
    gain = below + negatives * cells.order - above - positives * cells.order
    within = positives * negatives / (p * q) * cells.order_error
    # The order within a cell is known from its labels, and scatters in the window as it did there.
    fewer = 1.0 + cells.labels / np.maximum(positives + negatives, 1.0)
    return _Found(value, gain / (p * q) - value * (1.0 / p - 1.0 / q), float(within**2 @ fewer))


def _loss(cells: Cells, counts: Floats, positives: Floats, loss: Loss) -> _Found:
    total = float(counts.sum())
    value = float(positives @ loss.positive + (counts - positives) @ loss.negative) / total
    scatter = counts * (1.0 + counts / np.maximum(cells.labels, 1)) @ loss.variance
    return _Found(value, (loss.positive - loss.negative) / total, float(scatter) / total**2)
