"""Outcomes of one pane: what was predicted in it, how much of that has labels, and how good it was."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from detectors.outcomes.tally import Key, Tally, add, summed
from detectors.outcomes.task import UNUSABLE, Task, UnusableError
from streams.joins.pair import Pair

PREDICTIONS: Key = ("predictions",)
LABELS: Key = ("labels",)


def contribution(task: Task, pair: Pair) -> Tally:
    """Return what a pair adds to the panes of its prediction; nothing where that has not come yet."""
    if pair.prediction is None:
        return {}
    tally: Tally = {PREDICTIONS: 1}
    if pair.label is not None:
        tally[LABELS] = 1
        try:
            add(tally, task.outcome(pair.prediction.prediction, pair.label.label))
        except UnusableError:
            tally[UNUSABLE] = 1
    return tally


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Outcomes of predictions made in ``[start_ms, end_ms)``, event time.

    Parameters
    ----------
    tally
        Predictions, labels, and the statistics of those that have both.
    rate
        Share of the ids that were joined (0 to 1).
    final
        Whether the horizon has passed: no label will change it any more.
    """

    start_ms: int
    end_ms: int
    tally: Mapping[Key, int]
    rate: float
    final: bool

    @property
    def maturity(self) -> float:
        """Share of the predictions that have labels (0 to 1); 0 without predictions."""
        predictions = self.tally.get(PREDICTIONS, 0)
        return self.tally.get(LABELS, 0) / predictions if predictions else 0.0

    def is_provisional(self, enough: float) -> bool:
        """Return whether labels are still to come that could change the picture.

        Parameters
        ----------
        enough
            Maturity (0 to 1) from which on it is taken as settled.
        """
        return not self.final and self.maturity < enough


def joined(panes: Sequence[Outcomes], since_ms: int, most: int) -> list[Outcomes]:
    """Return the panes that end after ``since_ms``, neighbours joined into ``most`` at most."""
    found = [one for one in panes if one.end_ms > since_ms]
    each = max(-(-len(found) // most), 1)
    runs = [together(found[start : start + each]) for start in range(0, len(found), each)]
    return [one for one in runs if one is not None]


def together(panes: Iterable[Outcomes]) -> Outcomes | None:
    """Return the outcomes of several panes as one, None for none; its rate is the lowest of theirs."""
    found = list(panes)
    if not found:
        return None
    return Outcomes(
        min(one.start_ms for one in found),
        max(one.end_ms for one in found),
        summed(one.tally for one in found),
        min(one.rate for one in found),
        all(one.final for one in found),
    )
