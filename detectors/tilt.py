"""Exponential tilts: the ways a column's distribution over its bins can shift, and by how much.

A direction gives each bin a score ``s`` with mean 0 and variance 1 under the reference's shares ``p``. Tilting
by ``theta`` makes shares ``p exp(theta s - psi(theta))`` with ``psi(theta) = log sum p exp(theta s)``: small
tilts move the mean of ``s`` by ``theta`` standard deviations, and it grows with ``theta`` throughout.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Shape = Literal["location", "scale", "share"]

#: Halvings that find a tilt by its mean to 13 digits.
_HALVINGS = 45
#: The largest tilt looked at multiplies the odds of two bins by no more than exp(this).
LARGEST_LOG_ODDS = 30.0


@dataclass(frozen=True, slots=True)
class Family:
    """Scores of some directions, shape ``(directions, values)``, and the shares they have in the reference."""

    scores: Floats
    shares: Floats

    @property
    def ranges(self) -> Floats:
        """The largest score less the smallest, shape ``(directions,)``."""
        return np.asarray(self.scores.max(axis=1) - self.scores.min(axis=1))

    def log_moment(self, tilts: Floats) -> Floats:
        """Return ``psi`` at tilts of shape ``(directions, tilts)``."""
        exponents = self._exponents(tilts)
        highest = exponents.max(axis=2)
        total = (self.shares[:, None, :] * np.exp(exponents - highest[:, :, None])).sum(axis=2)
        return np.asarray(highest + np.log(total))

    def mean(self, tilts: Floats) -> Floats:
        """Return the mean of the score under tilts of shape ``(directions, tilts)``."""
        exponents = self._exponents(tilts)
        weights = self.shares[:, None, :] * np.exp(exponents - exponents.max(axis=2, keepdims=True))
        return np.asarray((weights * self.scores[:, None, :]).sum(axis=2) / weights.sum(axis=2))

    def tilt_of(self, means: Floats) -> Floats:
        """Return the tilts, 0 upwards, that have these means; the largest looked at where none has.

        Parameters
        ----------
        means
            Means of the score, 0 upwards, shape ``(directions, means)``.
        """
        most = np.broadcast_to(LARGEST_LOG_ODDS / self.ranges[:, None], means.shape)
        return self._tilt_of_two(means, most) if self.scores.shape[1] == 2 else self._tilt(means, most)

    def _tilt(self, means: Floats, most: Floats) -> Floats:
        low, high = np.zeros(means.shape), most
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            is_above = self.mean(middle) > means
            low, high = np.where(is_above, low, middle), np.where(is_above, middle, high)
        return high

    def _tilt_of_two(self, means: Floats, most: Floats) -> Floats:
        """Return the tilts where a score has two values: a mean is a share of the first, and shares have odds."""
        gap = (self.scores[:, 0] - self.scores[:, 1])[:, None]
        share = np.clip((means - self.scores[:, 1:]) / gap, 0.0, 1.0)
        odds = special.logit(share) - special.logit(self.shares[:, :1])
        return np.asarray(np.clip(odds / gap, 0.0, most))

    def _exponents(self, tilts: Floats) -> Floats:
        return tilts[:, :, None] * self.scores[:, None, :]


@dataclass(frozen=True)
class Directions:
    """The directions of one column: its location and scale (numbers), and the share of each bin.

    Those of many columns side by side have a leading axis more, and shares of 0 where they are filled up (`banks`).

    Parameters
    ----------
    shares
        The reference's shares of the bins and, last, of missing values, none 0; shape ``(bins + 1,)``.
    shapes
        What the first directions are; those after them are the share of one bin each, in order.
    scores
        Standardised scores of those first directions, shape ``(len(shapes), bins + 1)``.
    """

    shares: Floats
    shapes: tuple[Shape, ...]
    scores: Floats

    def __len__(self) -> int:
        return len(self.shapes) + len(self.shares)

    @cached_property
    def deviations(self) -> Floats:
        """Standard deviation of one event's being in a bin, shape ``(bins + 1,)``; 1 where there is none."""
        return np.where(self.shares > 0, np.sqrt(self.shares * (1 - self.shares)), 1.0)

    def project(self, counts: Floats) -> Floats:
        """Return the sum of each direction's score over the events; counts of shape ``(..., bins + 1)``."""
        total = counts.sum(axis=-1, keepdims=True)
        by_bin = (counts - total * self.shares) / self.deviations
        return np.concatenate((np.matmul(self.scores, counts[..., None])[..., 0], by_bin), axis=-1)

    def families(self) -> tuple[Family, ...]:
        """Return the directions upwards as families, in order: those of shape, those of one bin each."""
        by_bin = np.stack((1 - self.shares, -self.shares), axis=1) / self.deviations[:, None]
        bins = Family(by_bin, np.stack((self.shares, 1 - self.shares), axis=1))
        if not self.shapes:
            return (bins,)
        return Family(self.scores, np.broadcast_to(self.shares, self.scores.shape)), bins


def directions_of(counts: NDArray[np.int64], *, is_number: bool) -> Directions:
    """Return the directions of a column by its reference's counts in the bins and, last, of missing values.

    One event is spread evenly over the bins, so that no share is 0. It is not spread as the mean of both
    sides is, as for the population stability index: the pane to be judged must have no say in what
    is expected of it. Numbers have a location, the normal scores of the bins' middle ranks, and a scale,
    the square of that; a missing value stands in the middle of both.

    Examples
    --------
    >>> found = directions_of(np.array([500, 500, 0]), is_number=True)
    >>> len(found), found.shapes
    (4, ('location',))
    """
    shares = (counts + 1 / counts.size) / (counts.sum() + 1)
    present = shares[:-1] / shares[:-1].sum()
    ranks = special.ndtri(np.clip(np.cumsum(present) - present / 2, 1e-12, 1 - 1e-12))
    wanted: list[tuple[Shape, Floats]] = []
    if is_number and present.size > 1:
        wanted.append(("location", ranks))
        # Of two bins the square says no more than the location does.
        if present.size > 2:
            wanted.append(("scale", ranks**2))
    scores = np.zeros((len(wanted), counts.size))
    for row, (_, values) in zip(scores, wanted, strict=True):
        row[:-1] = values - present @ values
        row /= np.sqrt(shares @ row**2)
    return Directions(shares, tuple(shape for shape, _ in wanted), scores)
