"""How far a healthy column wanders: what its reference shows beyond sampling, span by span.

A daily rhythm or a slow swing is normal where the reference has it. What spans of the reference differ by is
measured in the standard deviations of each direction's score (`tilt`), less what their sizes explain.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.tilt import Directions, Floats

#: The level returned is passed once in this many lengths of the reference.
RETURN_PERIODS = 100
#: Spans smaller than this say nothing.
LEAST_ROWS = 5
#: With so many excesses the tail's shape lies half way between the exponential one and the fitted one.
_SHAPE_EXCESSES = 20
#: Standard errors by which spans must differ more than sampling explains.
_CLEARLY = 4.0


def wander(directions: Directions, spans: Sequence[NDArray[np.int64]]) -> Floats:
    """Return how far the mean score of a healthy span gets, upwards and downwards; 0 for sampling alone.

    Long spans show a slow swing that sampling hides in short ones; short ones show what long ones level out.

    Parameters
    ----------
    spans
        Counts of spans of the reference in the bins and, last, of missing values; for each length of span
        an array of shape ``(spans, bins + 1)``.

    Returns
    -------
    Standard deviations of the score, 0 upwards, shape ``(2, directions)``: upwards, downwards.
    """
    furthest = np.zeros((2, len(directions)))
    for counts in spans:
        held = counts[counts.sum(axis=1) >= LEAST_ROWS].astype(np.float64)
        if len(held) > 1:
            furthest = np.maximum(furthest, _furthest(directions, held))
    return furthest


def _furthest(directions: Directions, counts: Floats) -> Floats:
    n = counts.sum(axis=1)
    means = directions.project(counts) / n[:, None]
    variance = _excess_variance(means, n, _kurtosis(directions))
    # Shrunk so that their variance is that of the true levels: sampling must not pass for wandering.
    levels = means * np.sqrt(variance / (variance + 1 / n[:, None]))
    return np.array([[return_level(column) for column in side.T] for side in (levels, -levels)])


def return_level(levels: Floats, periods: float = RETURN_PERIODS) -> float:
    """Return the level that spans like these pass once in so many times their number; 0 or above.

    The excesses over a high quantile follow a generalised Pareto distribution, fitted by probability-weighted
    moments; the fewer they are, the nearer its shape is taken to be to the exponential one.

    References
    ----------
    Hosking, J. and Wallis, J. (1987), Parameter and quantile estimation for the generalized Pareto
    distribution, Technometrics 29(3).

    Examples
    --------
    >>> bounded = np.sin(np.linspace(0, 40, 400))
    >>> round(return_level(bounded), 2)
    1.03
    """
    if not levels.any():
        return 0.0
    ordered = np.sort(levels)
    k = max(min(max(levels.size // 10, _SHAPE_EXCESSES), levels.size // 2), 1)
    start = float(ordered[-k - 1])
    excesses = ordered[-k:] - start
    shape = _pareto_shape(excesses) * k / (k + _SHAPE_EXCESSES)
    scale = float(excesses.mean()) * (1 - shape)
    beyond = float(k) * periods
    reach = float(np.log(beyond)) if abs(shape) < 1e-9 else (beyond**shape - 1) / shape
    return max(float(ordered[-1]), start + scale * reach, 0.0)


def _pareto_shape(excesses: Floats) -> float:
    """Return the shape by the first two probability-weighted moments, -1 to 0.5; ascending excesses."""
    k = excesses.size
    first = float(excesses.mean())
    if k < 2 or first == 0:
        return 0.0
    second = float(np.sum(np.arange(k - 1, -1, -1) * excesses)) / (k * (k - 1))
    return float(np.clip(2 - first / max(first - 2 * second, 1e-12 * first), -1.0, 0.5))


def _excess_variance(means: Floats, n: Floats, kurtosis: Floats) -> Floats:
    """Return the variance between spans that sampling does not explain (DerSimonian and Laird 1986)."""
    total = n.sum()
    centre = (n[:, None] * means).sum(axis=0) / total
    surplus = (n[:, None] * (means - centre) ** 2).sum(axis=0) - (len(n) - 1)
    error = np.sqrt((2 + np.maximum(kurtosis, 0.0) / n[:, None]).sum(axis=0))
    variance = surplus / (total - (n**2).sum() / total)
    return np.where(surplus > _CLEARLY * error, variance, 0.0)


def _kurtosis(directions: Directions) -> Floats:
    """Return the excess kurtosis of each direction's score; rare bins come in lumps."""
    fourth = [(family.shares * family.scores**4).sum(axis=1) for family in directions.families()]
    return np.concatenate(fourth) - 3
