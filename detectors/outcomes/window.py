"""What a detector sees of outcomes: the metrics of one window of predictions whose labels are in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from detectors.outcomes.losses import PaneLoss
from detectors.outcomes.metrics import Metric

if TYPE_CHECKING:  # which knows of outcomes itself
    from detectors.estimation.scored import Scored


@dataclass(frozen=True, slots=True)
class OutcomeWindow:
    """Outcomes of predictions made in ``[start_ms, end_ms)``, event time.

    Parameters
    ----------
    metrics
        By name.
    predictions, labels
        How many there are within the sample; ``labels`` of them have theirs.
    rate
        Share of the ids that were joined (0 to 1).
    waiting
        Predictions after this window, whose labels are still to come.
    losses
        Of each pane with labels, this window's and the earlier ones that are still held, oldest first.
    scored
        Scores with their truth, by class; none for a class or a number.
    """

    start_ms: int
    end_ms: int
    metrics: Mapping[str, Metric]
    predictions: int
    labels: int
    rate: float = 1.0
    waiting: int = 0
    losses: tuple[PaneLoss, ...] = ()
    scored: Mapping[str, "Scored"] = field(default_factory=dict)
