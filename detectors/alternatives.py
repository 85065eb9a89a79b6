"""The bank of shifts a column's panes are held against: how large, and what a pane must pay to speak for one.

For a direction with score ``s`` and a size ``lambda`` a pane of ``n`` events speaks for a shift by
``lambda * sum(s) - n * cost``. With ``cost >= log E exp(lambda s)`` its exponential has a mean of 1 at most
(an e-value) whatever else the events' distribution is. The cost covers all that is no shift:

- a tilt (`tilt`) by the smallest effect that matters, away from the shares of the reference;
- a tilt as far as the reference itself wanders (`wander`), and on top of it the reference's own error:
  its shares come of ``m`` events, and ``E exp(lambda s)`` exceeds their mean by no more than
  ``sqrt(2 V L / m) + 7 L R / (3 m)``, but for one reference in ``exp(L)`` (V variance, R range).

References
----------
Maurer, A. and Pontil, M. (2009), Empirical Bernstein bounds and sample-variance penalization, COLT, theorem 4.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.tilt import LARGEST_LOG_ODDS, Directions, Family, Floats

#: A reference misleads in a given direction with this probability.
MISLED = 1e-5
#: Sizes go up by factors of two, to this many standard deviations of the score.
LARGEST_SIZE = 2.0
#: The largest size multiplies the odds of two bins by exp(this): beyond, a rare bin's share tells no more.
_LARGEST_STEP = 6.0
#: Share of the weights that goes to the location of a number.
LOCATION_WEIGHT = 0.5
#: A cost nothing can pay: this side of the direction holds no shift of the size that matters.
_BEYOND = 1e9
#: Side (0 upwards, 1 downwards), direction and size: where in a `Bank` an alternative is.
Alternative = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Bank:
    """Alternatives of a column, shape ``(2, directions, sizes)``: upwards and downwards.

    Parameters
    ----------
    sizes, costs
        ``lambda`` and ``cost`` of each, per event.
    log_weights
        Logarithms of their prior weights, which sum to 1.
    margins
        The shift let pass, the larger of smallest effect and wandering; standard deviations of the score,
        shape ``(2, directions)``.
    """

    directions: Directions
    sizes: Floats
    costs: Floats
    log_weights: Floats
    margins: Floats

    def increments(self, counts: NDArray[np.int64]) -> Floats:
        """Return what a pane speaks for each alternative: the logarithm of its e-value, nats.

        ``counts`` are the pane's, in the bins and, last, of missing values, shape ``(..., bins + 1)``: of
        many panes at once, if there are. The result has shape ``(..., 2, directions, sizes)``.
        """
        sums = self.directions.project(counts.astype(np.float64))
        signed = np.stack((sums, -sums), axis=-2)
        rows = counts.sum(axis=-1)[..., None, None, None]
        return np.asarray(self.sizes * signed[..., None] - rows * self.costs)

    def gains(self, counts: NDArray[np.int64], alternative: Alternative) -> Floats:
        """Return what each of some spans speaks for one alternative; counts of shape ``(spans, bins + 1)``."""
        side, direction, _ = alternative
        sums = self.directions.project(counts.astype(np.float64))[:, direction]
        signed = sums if side == 0 else -sums
        return np.asarray(self.sizes[alternative] * signed - counts.sum(axis=1) * self.costs[alternative])


def bank_of(directions: Directions, *, min_effect: float, wander: Floats, rows: int) -> Bank:
    """Return the alternatives of a column.

    Parameters
    ----------
    min_effect
        The smallest shift that matters, standard deviations of a score, above 0.
    wander
        How far the reference wanders, shape ``(2, directions)``.
    rows
        Events of the reference.
    """
    count = max(int(np.log2(LARGEST_SIZE / min_effect)) + 1, 1)
    sizes, costs, start = [], [], 0
    for family in directions.families():
        part = wander[:, start : start + len(family.scores)]
        start += len(family.scores)
        sides = Family(np.vstack((family.scores, -family.scores)), np.vstack((family.shares, family.shares)))
        found = _sizes(sides, min_effect, count)
        sizes.append(found.reshape(2, -1, count))
        costs.append(_costs(sides, found, min_effect, part.reshape(-1), rows).reshape(2, -1, count))
    return Bank(
        directions,
        np.concatenate(sizes, axis=1),
        np.concatenate(costs, axis=1),
        np.log(_weights(directions, count)),
        np.maximum(min_effect, wander),
    )


def _sizes(family: Family, min_effect: float, count: int) -> Floats:
    """Return sizes that double from ``min_effect``; smaller where the score's range is large."""
    doubling = 2.0 ** np.arange(count)
    most = _LARGEST_STEP / family.ranges[:, None] * doubling / doubling[-1]
    return np.asarray(np.minimum(min_effect * doubling, most))


def _costs(family: Family, sizes: Floats, min_effect: float, wander: Floats, rows: int) -> Floats:
    means = np.stack((np.full(len(sizes), min_effect), wander), axis=1)
    tilts = family.tilt_of(means)
    least, usual = (
        family.log_moment(tilt[:, None] + sizes) - family.log_moment(tilt[:, None]) for tilt in tilts.T
    )
    costs = np.maximum(least, usual + np.log1p(_estimation_error(family, sizes, rows)))
    # No tilt has that mean: the margin goes as far as the scores do.
    furthest = family.mean((LARGEST_LOG_ODDS / family.ranges)[:, None])[:, 0]
    is_beyond = means.max(axis=1) >= furthest
    return np.asarray(np.where(is_beyond[:, None], _BEYOND, costs))


def _estimation_error(family: Family, sizes: Floats, rows: int) -> Floats:
    """Return by how much ``E exp(lambda s)`` may exceed the reference's mean, relative to that."""
    level = -np.log(MISLED)
    log_mean = family.log_moment(sizes)
    variance = np.expm1(np.maximum(family.log_moment(2 * sizes) - 2 * log_mean, 0.0))
    highest, lowest = family.scores.max(axis=1)[:, None], family.scores.min(axis=1)[:, None]
    spread = np.exp(sizes * highest - log_mean) - np.exp(sizes * lowest - log_mean)
    return np.asarray(np.sqrt(2 * variance * level / rows) + 7 * level * spread / (3 * rows))


def _weights(directions: Directions, sizes: int) -> Floats:
    rest = len(directions)
    each = np.full(rest, 1 / rest)
    if directions.shapes:
        each = np.full(rest, (1 - LOCATION_WEIGHT) / (rest - 1))
        each[0] = LOCATION_WEIGHT
    return np.repeat(np.stack((each, each))[:, :, None] / (2 * sizes), sizes, axis=2)
