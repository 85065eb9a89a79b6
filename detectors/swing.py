"""How far healthy windows lie from the reference: what its own spans show beyond sampling, and chance on top.

A daily rhythm or a slow swing is normal where the reference has it: a window at the crest of one *is* away from
the reference as a whole. The distances of its spans, less what their sizes explain, say how often it is how far.
A distance here obeys the triangle inequality (or its square root does, as for the population stability index):
a window lies no further from the reference than its true shares do, plus what chance moves it away from those.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.divergence import Counts, Shares, shares
from detectors.tail import return_level
from detectors.wander import LEAST_ROWS

#: With fewer spans there is no telling how far they swing.
LEAST_SPANS = 8
#: Standard errors by which spans must lie further away than chance explains.
_CLEARLY = 4.0
#: Probabilities of swings are told apart in steps of this factor at most.
_STEP = 30.0
#: Any seed does; a fixed one, so that a reference always says the same.
_SEED = 0

#: Distances of spans, shape ``(spans, bins)``, from a reference.
Distances = Callable[[Counts], Shares]


@dataclass(frozen=True, slots=True)
class Swing:
    """How far healthy shares are from the reference, how often.

    Parameters
    ----------
    alpha
        Probability that a healthy window may be beyond `limit`.
    levels
        Distances that ``(alpha / 2) ** (j / steps)`` of the time is spent beyond, ascending, j from 1 to steps;
        all 0 where the reference shows nothing but sampling.
    """

    alpha: float
    levels: tuple[float, ...]

    @property
    def furthest(self) -> float:
        """The largest distance that is normal, chance aside."""
        return max(self.levels, default=0.0)

    @property
    def steps(self) -> list[tuple[float, float]]:
        """Levels, and with what probability chance may take a window further than that when it is there.

        The further a swing, the seldomer it is, and the less chance must do at the same time. Half of
        ``alpha`` is for swings beyond the last level, half for the steps between levels, alike.
        """
        if not self.furthest:
            return [(0.0, self.alpha)]
        steps = len(self.levels)
        reached = (self.alpha / 2) ** (np.arange(steps) / steps)
        return list(zip(self.levels, (self.alpha / 2 / steps / reached).tolist(), strict=True))

    def limit(self, chance: Callable[[float], float]) -> float:
        """Return the distance that a healthy window exceeds with probability ``alpha`` at most.

        Parameters
        ----------
        chance
            The distance from its true shares that a window exceeds with a given probability at most.
        """
        return max(level + chance(probability) for level, probability in self.steps)


def limits(swings: Sequence[Swing], chance: Callable[[Shares], Shares]) -> Shares:
    """Return `Swing.limit` of each of several columns, one at least, shape ``(columns,)``.

    Parameters
    ----------
    chance
        As in `Swing.limit`, of all columns at once: probabilities and distances of shape ``(columns,)``.

    Examples
    --------
    >>> limits([Swing(0.01, ()), Swing(0.01, (0.2, 0.3))], lambda alpha: 1 - alpha).round(4).tolist()
    [0.99, 1.2646]
    """
    each = [swing.steps for swing in swings]
    longest = max(map(len, each))
    filled = np.array([steps + steps[-1:] * (longest - len(steps)) for steps in each])
    return np.asarray(np.max([filled[:, at, 0] + chance(filled[:, at, 1]) for at in range(longest)], axis=0))


@dataclass(frozen=True, slots=True)
class Spans:
    """A reference's spans, and which of them are joined where a window is longer; see `spans_as_long`.

    Parameters
    ----------
    all
        For each length counts in the order of time, shape ``(spans, bins + 1)``; the longest are end to end.
    longest, rows
        Those of the longest length, None where none has any counts, and how many rows a middling one has.
    """

    all: tuple[NDArray[np.int64], ...]
    longest: NDArray[np.int64] | None
    rows: float

    @classmethod
    def of(cls, spans: Sequence[NDArray[np.int64]]) -> "Spans":
        """Return spans; looking for the longest costs more than a window's distance does, so keep them."""
        held = [(_middling_rows(counts), counts) for counts in spans if counts.any()]
        rows, longest = max(held, key=lambda one: one[0], default=(0.0, None))
        return cls(tuple(spans), longest, rows)

    def joined(self, rows: int) -> int:
        """Return how many of the longest have about so many rows together."""
        return round(rows / max(self.rows, 1.0))

    def count(self, rows: int) -> int:
        """Return how many spans `as_long` has."""
        joined = self.joined(rows)
        if self.longest is None:
            return 0
        return sum(map(len, self.all)) if joined < 2 else len(self.longest) // joined

    def as_long(self, rows: int) -> tuple[NDArray[np.int64], ...]:
        """Return spans as long as a window of so many rows."""
        joined = self.joined(rows)
        if self.longest is None:
            return ()
        if joined < 2:
            return self.all
        whole = self.longest[len(self.longest) % joined :]
        return (whole.reshape(-1, joined, whole.shape[1]).sum(axis=1),)


def spans_as_long(spans: Sequence[NDArray[np.int64]], rows: int) -> tuple[NDArray[np.int64], ...]:
    """Return spans, those of the longest length joined in runs of about so many rows if they have fewer.

    A window of a year levels out the seasons that spans of a month show.

    Parameters
    ----------
    spans
        For each length counts in the order of time, shape ``(spans, bins + 1)``; the longest are end to end.
    """
    return Spans.of(spans).as_long(rows)


def _middling_rows(counts: NDArray[np.int64]) -> float:
    return float(np.median(counts.sum(axis=1)))


def swing_of(distances: Distances, bins: Counts, spans: tuple[NDArray[np.int64], ...], alpha: float) -> Swing:
    """Return how far a reference's spans swing.

    Parameters
    ----------
    bins
        Counts of the whole reference.
    spans
        Counts of spans of it, missing values last; for each length an array of shape ``(spans, bins + 1)``.
    """
    held = [counts[:, :-1][counts[:, :-1].sum(axis=1) >= LEAST_ROWS] for counts in spans]
    return swing_of_levels([_levels(distances, one, bins) for one in held if len(one) >= LEAST_SPANS], alpha)


def swing_of_levels(levels: Sequence[Shares], alpha: float) -> Swing:
    """Return how far spans of one or more lengths swing; ``levels`` are their distances, chance apart."""
    steps = int(np.ceil(np.log(2 / alpha) / np.log(_STEP)))
    wanted = (alpha / 2) ** (np.arange(1, steps + 1) / steps)
    furthest = np.zeros(steps)
    for one in levels:
        furthest = np.maximum(furthest, [_exceeded(one, float(p)) for p in wanted])
    return Swing(alpha, tuple(furthest.tolist()))


def _levels(distances: Distances, counts: Counts, bins: Counts) -> Shares:
    """Return the distances of spans from the whole; 0 where chance alone explains them.

    They are shrunk so that their mean square is that of the true ones: sampling must not pass for a swing.
    What chance does to spans of these sizes is seen in spans drawn from the whole.
    """
    n = counts.sum(axis=1)
    drawn = np.random.default_rng(_SEED).multinomial(n, shares(bins))
    squares, by_chance = distances(counts) ** 2, n * distances(drawn) ** 2
    surplus = n * squares - by_chance
    error = by_chance.std() * np.sqrt(2 * len(n))
    if surplus.sum() <= _CLEARLY * error:
        return np.zeros(len(n))
    true = surplus.sum() / n.sum()
    return np.asarray(np.sqrt(squares * true / (true + by_chance.mean() / n)))


def _exceeded(levels: Shares, probability: float) -> float:
    """Return the level above which that part of the time is spent, beyond the data by the tail's law.

    That law is near the exponential one for the squares: a swing whose height is normal has such a tail.
    """
    if not levels.any():
        return 0.0
    periods = 1 / (probability * levels.size)
    if periods > 1:
        return float(np.sqrt(return_level(levels**2, periods)))
    return float(np.quantile(levels, 1 - probability, method="higher"))
