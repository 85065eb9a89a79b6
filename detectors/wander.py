"""How far a healthy column wanders: what its reference shows beyond sampling, span by span.

A daily rhythm or a slow swing is normal where the reference has it. What spans of the reference differ by is
measured in the standard deviations of each direction's score (`tilt`), less what their sizes explain.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.tail import return_level
from detectors.tilt import Directions, Family, Floats

#: Spans smaller than this say nothing.
LEAST_ROWS = 5
#: Standard errors by which spans must differ more than sampling explains.
_CLEARLY = 4.0
#: With fewer spans no axis is looked for.
_SPANS_FOR_AXIS = 8
#: Parts of the way along the axis that are looked at; a direction may turn before its end.
_ON_THE_WAY = np.array([0.25, 0.5, 0.75, 1.0])


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
        if len(held) >= _SPANS_FOR_AXIS:
            furthest = np.maximum(furthest, _implied(directions, held))
    return furthest


def _furthest(directions: Directions, counts: Floats) -> Floats:
    n = counts.sum(axis=1)
    means = directions.project(counts) / n[:, None]
    variance = _excess_variance(means, n, _kurtosis(directions))
    # Shrunk so that their variance is that of the true levels: sampling must not pass for wandering.
    levels = means * np.sqrt(variance / (variance + 1 / n[:, None]))
    return np.array([[return_level(column) for column in side.T] for side in (levels, -levels)])


def _implied(directions: Directions, counts: Floats) -> Floats:
    """Return how far all directions get when the axis that spans move along most gets as far as it does.

    A swing of the mean moves the spread and single bins too, though seldom so far that they show it
    themselves. In between lie the tilts of that axis (`tilt`).
    """
    implied = np.zeros((2, len(directions)))
    shares = directions.shares
    scores, levels = _axis(shares, counts)
    if not levels.any():
        return implied
    sides = Family(np.stack((scores, -scores)), np.stack((shares, shares)))
    furthest = np.array([[return_level(levels)], [return_level(-levels)]])
    for side, tilt in zip(sides.scores, sides.tilt_of(furthest)[:, 0], strict=True):
        tilted = shares * np.exp(np.outer(_ON_THE_WAY * tilt, side))
        means = directions.project(tilted / tilted.sum(axis=1, keepdims=True))
        implied = np.maximum(implied, (means.max(axis=0), -means.min(axis=0)))
    return implied


def _axis(shares: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Return the standardised score of the axis that spans move along most, and its level in each span.

    Sampling alone moves spans along an axis found by themselves. So every other span must clearly move along
    the one found by the rest; else the levels are 0.
    """
    n = counts.sum(axis=1)
    moves = (counts / n[:, None] - shares) / np.sqrt(shares)
    found = _leading(moves[::2], n[::2])
    told = _excess_variance(
        moves[1::2] @ found[:, None], n[1::2], _kurtosis_of(found / np.sqrt(shares), shares)
    )
    leading = _leading(moves, n)
    scores, means = leading / np.sqrt(shares), moves @ leading
    if not told[0]:
        return scores, np.zeros(len(n))
    variance = _excess_variance(means[:, None], n, _kurtosis_of(scores, shares))[0]
    return scores, means * np.sqrt(variance / (variance + 1 / n))


def _leading(moves: Floats, n: Floats) -> Floats:
    """Return the direction of unit length in which the weighted moves have most variance."""
    return np.asarray(np.linalg.eigh((moves * n[:, None]).T @ moves)[1][:, -1])


def _kurtosis_of(scores: Floats, shares: Floats) -> Floats:
    return np.array([shares @ scores**4 - 3])


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
