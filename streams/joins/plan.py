"""How a model's labels are joined: from its monitor file."""

from dataclasses import dataclass

from detectors.outcomes.task import Task
from streams.monitor import Monitor


@dataclass(frozen=True, slots=True)
class JoinPlan:
    """What a model's join is told.

    Parameters
    ----------
    horizon_ms
        How long a prediction waits for its label, and a label for its prediction, in event time.
    pane_ms
        Length of a pane of outcomes, by the time of the prediction.
    sample
        Share of the ids (0 to 1) that are joined at all.
    most_ids
        Ids held at a time, per joins partition; beyond it the rate is halved.
    """

    model: str
    task: Task
    horizon_ms: int
    pane_ms: int
    sample: float = 1.0
    most_ids: int = 100_000


def join_plan(monitor: Monitor) -> JoinPlan | None:
    """Return a model's plan, None where its monitor has no ``labels:``."""
    labels = monitor.labels
    if labels is None:
        return None
    task = Task(monitor.prediction.type, monitor.prediction.classes or (), labels.positive, labels.decision)
    return JoinPlan(monitor.model, task, labels.horizon, labels.pane, labels.sample, labels.max_waiting)
