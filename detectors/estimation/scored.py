"""Scores whose labels are in: how many were positive, by narrow bins of the score."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.outcomes.tally import Key
from detectors.outcomes.task import POSITIVE, RANKED_CLASSES, Task, score_bounds

Counts = NDArray[np.int64]
#: Score bin, labels that were not of the class, labels that were.
Row = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of one class with their truth, by ascending bin of `score_bin`; shape ``(n,)`` each."""

    places: Counts
    negatives: Counts
    positives: Counts

    @classmethod
    def of(cls, rows: list[Row]) -> "Scored":
        """Return what rows say, in any order."""
        found = np.array(sorted(rows), dtype=np.int64).reshape(-1, 3)
        return cls(found[:, 0], found[:, 1], found[:, 2])

    @property
    def labels(self) -> int:
        """How many scores have their label."""
        return int(self.negatives.sum() + self.positives.sum())

    @property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The lowest and the highest score of each bin."""
        found = np.array([score_bounds(int(place)) for place in self.places]).reshape(-1, 2)
        return found[:, 0], found[:, 1]

    @property
    def middles(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        low, high = self.bounds
        return np.asarray((low + high) / 2)

    def rows(self) -> list[Row]:
        """Return it as rows, as they are stored."""
        columns = (self.places.tolist(), self.negatives.tolist(), self.positives.tolist())
        return list(zip(*columns, strict=True))


def score_names(task: Task) -> tuple[str, ...]:
    """Return the classes whose scores are counted with their truth; none for a class or a number."""
    if task.kind == "score":
        return (POSITIVE,)
    return task.classes[:RANKED_CLASSES] if task.kind == "probabilities" else ()


def scored(task: Task, tally: Mapping[Key, int]) -> dict[str, Scored]:
    """Return the labelled scores of a tally of outcomes, by class.

    Examples
    --------
    >>> task = Task("score")
    >>> scored(task, task.outcome(0.25, True))["positive"].rows()
    [(2305, 0, 1)]
    """
    found: dict[str, dict[int, list[int]]] = {name: {} for name in score_names(task)}
    for key, count in tally.items():
        if key[0] == "bin" and key[1] in found:
            found[key[1]].setdefault(int(key[2]), [0, 0])[int(key[3])] += count
    return {
        name: Scored.of([(place, both[0], both[1]) for place, both in rows.items()])
        for name, rows in found.items()
    }
