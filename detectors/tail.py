"""Levels beyond those seen, by a law fitted to the tail."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: The level returned is passed once in this many lengths of the reference.
RETURN_PERIODS = 100
#: So many excesses, or a tenth of the levels, tell the tail.
_EXCESSES = 20
#: With so many separate excesses the tail's shape lies half way between the exponential one and the fitted one:
#: a fit's standard error is about one over their root, and shapes within 0.1 are usual.
_SHAPE_EXCESSES = 100


def return_level(levels: Floats, periods: float = RETURN_PERIODS) -> float:
    """Return the level that spans like these pass once in so many times their number; 0 or above.

    The excesses over a high quantile follow a generalised Pareto distribution, fitted by probability-weighted
    moments; the fewer they are, the nearer its shape is taken to be to the exponential one. Excesses in a row
    are one: a swing of some hours is in many spans, and tells its height only once.

    Parameters
    ----------
    levels
        In the order of time, shape ``(spans,)``.

    References
    ----------
    Hosking, J. and Wallis, J. (1987), Parameter and quantile estimation for the generalized Pareto
    distribution, Technometrics 29(3).

    Examples
    --------
    >>> bounded = np.sin(np.linspace(0, 40, 400))
    >>> round(return_level(bounded), 2)
    1.16
    """
    if not levels.any():
        return 0.0
    ordered = np.sort(levels)
    k = max(min(max(levels.size // 10, _EXCESSES), levels.size // 2), 1)
    start = float(ordered[-k - 1])
    excesses = ordered[-k:] - start
    is_excess = levels > start
    separate = 1 + int(np.count_nonzero(is_excess[1:] & ~is_excess[:-1]))
    shape = _pareto_shape(excesses) * separate / (separate + _SHAPE_EXCESSES)
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
