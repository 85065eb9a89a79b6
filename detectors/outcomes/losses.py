"""The loss of one pane's outcomes: what a model's error is followed by, pane after pane."""

from collections.abc import Mapping
from dataclasses import dataclass

from detectors.outcomes.tally import Key, mean_and_error
from detectors.outcomes.task import OTHER, TaskKind, loss, pairs

#: What a task's loss is called.
LOSS: Mapping[TaskKind, str] = {
    "score": "error_rate", "probabilities": "error_rate", "class": "error_rate", "number": "mae",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PaneLoss:
    """Mean loss of the predictions made in ``[start_ms, end_ms)`` that have labels, and its variance among them."""

    start_ms: int
    end_ms: int
    count: int
    mean: float
    variance: float


def pane_loss(kind: TaskKind, tally: Mapping[Key, int], start_ms: int, end_ms: int) -> PaneLoss | None:
    """Return a pane's loss, None without labels.

    That of a number is its absolute error; of all others it is 1 where the wrong class was predicted, else 0.

    Examples
    --------
    >>> pane_loss("class", {("n",): 4, ("pair", "a", "a"): 3, ("pair", "a", "b"): 1}, 0, 1).mean
    0.25
    """
    count = tally.get(("n",), 0)
    if count == 0:
        return None
    if kind == "number":
        mean, error = mean_and_error(count, *loss(tally, "absolute"))
        return PaneLoss(start_ms, end_ms, count, mean, error**2 * count)
    right = sum(number for truth, said, number in pairs(tally) if truth == said != OTHER)
    share = 1.0 - right / count
    return PaneLoss(start_ms, end_ms, count, share, share * (1.0 - share))
