"""What a column's statistics say of its cumulative distribution, and how far two of those lie apart.

A column knows ``F`` exactly at the edges of its bins and of its sketch's buckets, and at its least and its
greatest value; in between ``F`` is drawn as a line. So two samples of numbers far from zero (a pressure
in hPa) are told apart by their bins, and the far ends of a heavy tail by the sketch.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.window import Column

Numbers = NDArray[np.float64]

#: The sketch's buckets: 32 of equal width between two powers of two, one for all below 2**-32.
BUCKETS_PER_OCTAVE = 32
SMALLEST = 2.0**-32
LARGEST = 2.0**64
#: Numbers beyond this count as this, as they do in a column's moments.
FARTHEST = 1e140


def bucket_bounds(values: Numbers) -> tuple[Numbers, Numbers]:
    """Return the lower and upper bound of the sketch buckets that hold some values, shape ``(n,)``.

    Examples
    --------
    >>> low, high = bucket_bounds(np.array([-3.0, 0.0, 1.01]))
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([-3.0625, -0.0, 1.0], [-3.0, 0.0, 1.0312])
    """
    magnitude = np.minimum(np.abs(values), LARGEST)
    mantissa, exponent = np.frexp(magnitude)
    step = np.floor(mantissa * 2 * BUCKETS_PER_OCTAVE)
    near, far = (np.ldexp(side / (2 * BUCKETS_PER_OCTAVE), exponent) for side in (step, step + 1))
    far = np.where(magnitude >= LARGEST, FARTHEST, far)
    is_zero, is_negative = magnitude < SMALLEST, values < 0
    low = np.where(is_zero, -SMALLEST, np.where(is_negative, -far, near))
    return low, np.where(is_zero, SMALLEST, np.where(is_negative, -near, far))


@dataclass(frozen=True, slots=True)
class Cumulative:
    """A cumulative distribution as a line through ``shares`` at ascending ``knots``; from 0 to 1."""

    knots: Numbers
    shares: Numbers

    def __call__(self, points: Numbers) -> Numbers:
        """Return the share of values below each point."""
        return np.interp(points, self.knots, self.shares)

    @property
    def error(self) -> float:
        """The Wasserstein distance, in the column's unit, to the values it was drawn from: this at most."""
        return float(np.sum(np.diff(self.knots) * np.diff(self.shares)) / 2)


def cumulative_of(column: Column) -> Cumulative:
    """Return a column's cumulative distribution; it must hold numbers."""
    least, greatest = (float(np.clip(x, -FARTHEST, FARTHEST)) for x in (column.minimum, column.maximum))
    low, high = bucket_bounds(column.sketch_values)
    first, last = np.diff(low, prepend=-np.inf) > 0, np.diff(low, append=np.inf) > 0
    counts, total = column.sketch_counts, max(int(column.sketch_counts.sum()), 1)
    until = np.cumsum(counts)
    binned = np.cumsum(column.bins)[:-1] / max(int(column.bins.sum()), 1)
    knots = np.concatenate([low[first], high[last], column.edges[: binned.size]])
    shares = np.concatenate([(until - counts)[first] / total, until[last] / total, binned])
    inside = (knots > least) & (knots < greatest)
    knots, shares = knots[inside], shares[inside]
    order = np.lexsort((shares, knots))
    return Cumulative(
        np.concatenate([[least], knots[order], [greatest]]),
        np.concatenate([[0.0], np.maximum.accumulate(np.clip(shares[order], 0.0, 1.0)), [1.0]]),
    )


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, and by how much that of the raw values may differ from it."""

    value: float
    error: float


def wasserstein_distance(one: Cumulative, two: Cumulative, moved: float) -> Estimate:
    """Return the area between two cumulative distributions, in the column's unit.

    The area is ``|moved| + 2 min(A, B)``, A the part where ``one`` lies above and B where it lies below; only
    A and B are taken from the lines. The raw values' distance lies no farther from the area between the lines
    than both `Cumulative.error`, and not below ``|moved|``; the estimate is kept within these limits.

    Parameters
    ----------
    moved
        The difference of the two means, known exactly; in the column's unit.

    Examples
    --------
    >>> line = np.array([0.0, 1.0])
    >>> wasserstein_distance(Cumulative(line, line), Cumulative(line + 3.0, line), 3.0)
    Estimate(value=3.0, error=1.0)
    """
    width, left, right = _gap(one, two)
    crossing = left * right < 0
    steepness = np.where(crossing, np.abs(left) + np.abs(right), 1.0)
    # In a gap the difference is a line: a trapezium, or two triangles where it crosses nought.
    above = np.where(
        crossing, np.maximum(left, right) ** 2 / (2 * steepness), np.maximum(left + right, 0.0) / 2
    )
    below = np.where(
        crossing, np.minimum(left, right) ** 2 / (2 * steepness), np.maximum(-left - right, 0.0) / 2
    )
    over, under = float(np.sum(width * above)), float(np.sum(width * below))
    lowest = max(abs(moved), over + under - one.error - two.error)
    highest = max(over + under + one.error + two.error, lowest)
    value = min(max(abs(moved) + 2 * min(over, under), lowest), highest)
    return Estimate(value, max(value - lowest, highest - value))


def null_wasserstein_distance(
    current: Column, reference: Column, one: Cumulative, two: Cumulative, alpha: float
) -> float:
    """Return the distance that two samples of one distribution exceed with probability ``alpha`` at most.

    The distance is the largest difference of the two means of any function with slope 1 at most. Given the
    values of both sides together (H their distribution, s their standard deviation, R their range), with k
    the smaller of the two sample sizes, the smaller sample lies from H at most
    ``e + sqrt(2 (s^2 + 2 R e) L / k) + R L / (3 k)``, ``L = -ln(alpha)``, ``e = integral of sqrt(H (1 - H) / k)``,
    and the other side in proportion. ``one`` and ``two`` are the columns' `cumulative_of`.

    References
    ----------
    Bousquet, O. (2002), A Bennett Concentration Inequality and its Application to Suprema of Empirical
    Processes, Comptes Rendus Mathématique 334(6). Tolstikhin, I., Blanchard, G. and Kloft, M. (2014),
    Localized Complexities for Transductive Learning, COLT, theorem 1, for samples without replacement.
    """
    n, m = current.count, reference.count
    few, log = min(n, m), -math.log(alpha)
    middle, width = _middles(one, two)
    together = (n * one(middle) + m * two(middle)) / (n + m)
    mean = float(np.sum(width * np.sqrt(together * (1 - together)))) / math.sqrt(few)
    span = max(one.knots[-1], two.knots[-1]) - min(one.knots[0], two.knots[0])
    variance = pooled_variance(current, reference) + 2 * span * mean
    beyond = math.sqrt(2 * variance * log / few) + span * log / (3 * few)
    return float((1 + few / max(n, m)) * (mean + beyond))


def pooled_variance(one: Column, two: Column) -> float:
    """Return the population variance of two columns' values together."""
    n, m = one.count, two.count
    between = n * m / (n + m) ** 2 * (one.mean - two.mean) ** 2
    return (n * one.variance + m * two.variance) / (n + m) + between


def _middles(one: Cumulative, two: Cumulative) -> tuple[Numbers, Numbers]:
    knots = np.unique(np.concatenate([one.knots, two.knots]))
    return (knots[1:] + knots[:-1]) / 2, np.diff(knots)


def _gap(one: Cumulative, two: Cumulative) -> tuple[Numbers, Numbers, Numbers]:
    """Return the width of each gap between knots, and by how much ``one`` is above ``two`` at its ends."""
    middle, width = _middles(one, two)
    early, late = (one(points) - two(points) for points in (middle - width / 4, middle + width / 4))
    # Both may jump at a knot, so the ends are found from a quarter and three quarters of the way.
    return width, (3 * early - late) / 2, (3 * late - early) / 2
