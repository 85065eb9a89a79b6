"""The labels of a reference's data: what the model's scores meant in it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detectors.estimation.scored import Scored, score_names
from detectors.outcomes.task import Label, Task, UnusableError, score_bin
from detectors.sentence import quantity
from driftline.history.files import kind_of
from driftline.history.labels import label_column
from streams.batch import Batch
from streams.layout import Layout


class LabelledScores:
    """Counts scores with their truth as the rows of a reference go by.

    Parameters
    ----------
    labels
        The label of each row over all files, None where it has none.
    """

    def __init__(self, task: Task, layout: Layout, labels: Sequence[Label | None]) -> None:
        self._task = task
        self._labels = labels
        names = score_names(task)
        wanted = ["prediction"] if task.kind == "score" else [f"prediction.{name}" for name in names]
        places = {column.name: place for place, column in enumerate(layout.numbers)}
        self._columns = dict(zip(names, (places[name] for name in wanted), strict=True))
        self._counts: dict[str, defaultdict[int, list[int]]] = {
            name: defaultdict(lambda: [0, 0]) for name in names
        }
        self._unusable = 0
        self._first = ""

    def add(self, batch: Batch) -> None:
        """Count the rows of a batch that have a label and scores from 0 to 1."""
        rows = [(row, self._labels[offset]) for row, offset in enumerate(batch.offsets.tolist())]
        for row, label in rows:
            if label is None or label == "" or label != label:
                continue
            try:
                truths = [self._task.is_of(name, label) for name in self._columns]
            except UnusableError as error:
                self._first = self._first or str(error)
                self._unusable += 1
                continue
            self._count(batch.numbers[row, list(self._columns.values())], truths)

    def _count(self, scores: NDArray[np.float64], truths: Sequence[bool]) -> None:
        if not ((scores >= 0.0) & (scores <= 1.0)).all():
            return
        for name, score, truth in zip(self._columns, scores.tolist(), truths, strict=True):
            self._counts[name][score_bin(score)][int(truth)] += 1

    def found(self) -> dict[str, Scored]:
        """Return the labelled scores by class; none where no row has both."""
        counted = {
            name: Scored.of([(place, no, yes) for place, (no, yes) in held.items()])
            for name, held in self._counts.items()
        }
        return counted if any(one.labels for one in counted.values()) else {}

    def remarks(self) -> list[str]:
        """Return what is odd about the labels, in words."""
        return [f"{quantity(self._unusable, 'label')} left out: {self._first}"] if self._unusable else []


def labels_of(files: Sequence[Path], mapping: Mapping[str, str]) -> list[Label | None] | None:
    """Return the labels of tables by row over all files, None where one of them has no such column.

    All are held in memory, some 50 bytes each. Events on the wire have no labels.
    """
    found: list[Label | None] = []
    for path in files:
        held = None if kind_of(path) == "json" else label_column(path, mapping)
        if held is None:
            return None
        found += held
    return found
