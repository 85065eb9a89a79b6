"""Many runs of the evidence at once, over panes drawn from a known distribution."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm

from detectors.alternatives import Bank, bank_of
from detectors.tilt import directions_of
from detectors.wander import wander

DECILES = norm.ppf(np.arange(1, 10) / 10)
MISSING = 0.02

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def shares(mean: float = 0.0, deviation: float = 1.0, missing: float = MISSING) -> Floats:
    """Return a normal number's shares in ten bins (deciles of the standard normal), and of missing values."""
    below = norm.cdf((DECILES - mean) / deviation)
    return np.append(np.diff([0.0, *below, 1.0]) * (1 - missing), missing)


def bank(reference: Counts, *, min_effect: float = 0.05, spans: tuple[Counts, ...] = ()) -> Bank:
    """Return the alternatives of a number with these reference counts, missing values last."""
    directions = directions_of(reference, is_number=True)
    usual = wander(directions, spans)
    return bank_of(directions, min_effect=min_effect, wander=usual, rows=int(reference.sum()))


def first_alarms(
    held: Bank, draw: Callable[[int], Counts], *, runs: int, panes: int, run_length: float
) -> NDArray[np.int64]:
    """Return the pane of each run's first alarm, counted from 1; ``panes + 1`` where there was none.

    ``draw`` gives pane number ``n`` of all runs, shape ``(runs, bins + 1)``. The sums are kept as they are:
    no rounding, no cap.
    """
    logs = np.zeros((runs, *held.sizes.shape))
    found = np.full(runs, panes + 1)
    for pane in range(panes):
        counts = draw(pane)
        sums = held.directions.project(counts.astype(np.float64))
        signed = np.stack((sums, -sums), axis=1)[..., None]
        logs += held.sizes * signed - counts.sum(axis=1)[:, None, None, None] * held.costs
        evidence = logsumexp(held.log_weights + logs, axis=(1, 2, 3))
        found = np.where((found > panes) & (evidence > np.log(run_length)), pane + 1, found)
        if (found <= panes).all():
            break
        logs = np.logaddexp(0.0, logs)
    return found
