"""Whether scores still mean what they meant: what came true at each score, against labelled scores of before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtri

from detectors.estimation.cells import Cells, Floats
from detectors.estimation.scored import Counts, Scored

#: Labels of either truth that a group expects in the window, so that its share is near normal.
LEAST_EXPECTED = 5.0
_RATES = np.geomspace(0.05, 50.0, 120)


@dataclass(frozen=True, slots=True)
class Reliability:
    """What came true of a window's labelled scores, in groups of neighbouring cells, ascending.

    Arrays have shape ``(groups,)``; shares are from 0 to 1.

    Parameters
    ----------
    lows, highs
        Between these (0 to 1) a group's scores lie.
    labels
        Labels of the window.
    said, came
        Mean score of these, and the share of them that is positive.
    expected
        The share that the reference leads to expect of these scores.
    errors
        Standard error of ``came - expected`` where scores mean what they meant.
    rarer
        Labels of the rarer truth that the window leads to expect.
    deviation
        Standard deviation of the reference's labels, 0 to 0.5; 0 where all are the same.
    """

    lows: Floats
    highs: Floats
    labels: Counts
    said: Floats
    came: Floats
    expected: Floats
    errors: Floats
    rarer: float
    deviation: float

    @property
    def weights(self) -> Floats:
        """Share of the labels that each group has."""
        return self.labels / max(int(self.labels.sum()), 1)

    @property
    def moved(self) -> float:
        """By how much the share that comes true has moved, in the mean over the labels: as a calibration error."""
        return float(self.weights @ np.abs(self.came - self.expected))

    @property
    def moved_overall(self) -> float:
        """The same with its sign: calibration in the large. Groups that moved apart cancel."""
        return float(self.weights @ (self.came - self.expected))

    def moved_by_chance(self, alpha: float) -> float:
        """Return what `moved` exceeds with probability ``alpha`` at most where nothing has moved.

        Chernoff's bound of a sum of folded normals: the least ``(K(r) - ln alpha) / r`` over rates ``r``, with
        ``K(r) = sum(ln 2 + (r s)^2 / 2 + ln Phi(r s))`` and ``s`` the weighted standard errors; more where
        one truth is rare (`_skew`).
        """
        parts = self.weights * self.errors
        size = float(np.sqrt(parts @ parts))
        if not size:
            return 0.0
        scaled = _RATES[:, None] / size * parts
        growth = (np.log(2.0) + scaled**2 / 2 + log_ndtr(scaled)).sum(axis=1)
        return float(np.min((growth - np.log(alpha)) / _RATES) * size) * self._skew(alpha)

    def moved_overall_by_chance(self, alpha: float) -> float:
        """Return what `moved_overall` exceeds, up or down, with probability ``alpha`` where nothing has moved."""
        parts = self.weights * self.errors
        return float(-ndtri(alpha / 2) * np.sqrt(parts @ parts)) * self._skew(alpha)

    def _skew(self, alpha: float) -> float:
        """Return by what factor a rare truth has the longer tail, as a Poisson count's third moment makes it.

        References
        ----------
        Cornish, E. and Fisher, R. (1938), Moments and Cumulants in the Specification of Distributions.
        """
        return 1.0 - float(ndtri(alpha / 2)) / (6.0 * float(np.sqrt(max(self.rarer, LEAST_EXPECTED))))


def reliability(cells: Cells, found: Scored) -> Reliability:
    """Return what came true of labelled scores, against the labels of cells.

    A cell's expected share is that of its reference labels; of scores that lie higher within the cell, by as
    much higher. The share's standard error holds the window's labels and the reference's, by the share of
    both together. Neighbouring cells make a group until it expects `LEAST_EXPECTED` labels of either truth;
    their expectations are added up, so that a group's score may shift within it.

    Parameters
    ----------
    found
        Of the same class as the cells; at least one label.
    """
    size = len(cells.labels)
    places = cells.places(found)
    count = np.bincount(places, found.negatives + found.positives, size).astype(np.float64)
    hits = np.bincount(places, found.positives, size)
    score = np.bincount(places, (found.negatives + found.positives) * found.middles, size)
    known = count > 0
    said = np.where(known, score / np.maximum(count, 1), cells.said)
    expected = count * np.clip(cells.shares + said - cells.said, 0.0, 1.0)
    together = (hits + cells.positives + 0.5) / (count + cells.labels + 1.0)
    variance = count * together * (1.0 - together) * (1.0 + count / np.maximum(cells.labels, 1))
    groups = _groups(count * together, count * (1.0 - together))
    total = np.add.reduceat(count, groups)
    edges = np.concatenate(([0.0], cells.edges, [1.0]))
    whole = (cells.positives.sum() / max(int(cells.labels.sum()), 1)).item()
    held = np.maximum(total, 1.0)
    return Reliability(
        lows=edges[groups],
        highs=edges[[*groups[1:], size]],
        labels=total.astype(np.int64),
        said=np.add.reduceat(score, groups) / held,
        came=np.add.reduceat(hits, groups) / held,
        expected=np.add.reduceat(expected, groups) / held,
        errors=np.sqrt(np.add.reduceat(variance, groups)) / held,
        rarer=float(min((count * together).sum(), (count * (1.0 - together)).sum())),
        deviation=(whole * (1.0 - whole)) ** 0.5,
    )


def _groups(positives: Floats, negatives: Floats) -> Sequence[int]:
    """Return the first cell of each group; what is left over at the end goes to the last."""
    starts, yes, no = [0], 0.0, 0.0
    for place, (more_yes, more_no) in enumerate(zip(positives.tolist(), negatives.tolist(), strict=True)):
        yes, no = yes + more_yes, no + more_no
        rest = min(positives[place + 1 :].sum(), negatives[place + 1 :].sum())
        if min(yes, no) >= LEAST_EXPECTED and rest >= LEAST_EXPECTED:
            starts.append(place + 1)
            yes = no = 0.0
    return starts
