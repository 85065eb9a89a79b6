"""What a model's scores meant where labels are in: what its metrics are estimated by, and how well that went."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from detectors.estimation.cells import Cells, Floats, cells_of
from detectors.estimation.estimate import Estimate, estimates
from detectors.estimation.scored import Scored
from detectors.estimation.track import Track
from detectors.outcomes.metrics import Metric
from detectors.outcomes.task import RANKED_CLASSES, Task
from detectors.window import Column, Window

_LOSSES = ("log_loss", "brier")


@dataclass(frozen=True, slots=True)
class Hindsight:
    """An estimate of predictions made in ``[start_ms, end_ms)``, and what their labels showed later.

    ``estimated`` are the metrics as they are estimated from the scores of those predictions that have
    labels by now, by the labels of others; ``realised`` are those by their own labels. ``tracks`` say of each
    metric how its estimates of single panes did.
    """

    start_ms: int
    end_ms: int
    estimated: Mapping[str, Estimate]
    realised: Mapping[str, Metric]
    tracks: Mapping[str, Track] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What scores mean.

    Parameters
    ----------
    cells
        Labelled scores by class; that of a score is ``positive``.
    labels
        How many they are.
    source
        Where they come from, in words.
    is_whole
        Whether every class has its scores here; losses are sums over all of them.
    level
        Share of windows (0 to 1) whose realised metric the interval of an estimate holds.
    hindsight
        How the same estimate did last, if that is known.
    """

    cells: Mapping[str, Cells]
    labels: int
    source: str
    is_whole: bool = True
    level: float = 0.95
    hindsight: Hindsight | None = None

    purpose: ClassVar[str] = "to know what scores mean"

    def why_not(self, window: Window) -> str:
        """Return why nothing can be said of a window; empty, as the metrics themselves say it."""
        return ""

    def of_window(self, window: Window) -> dict[str, Estimate]:
        """Return the metrics as the predictions of a window lead to expect them."""
        held = {name: self._column(window.prediction, name) for name in self.cells}
        known = {name: column for name, column in held.items() if column is not None}
        return self._estimates({name: self.cells[name].counts(column) for name, column in known.items()})

    def of_labelled(self, found: Mapping[str, Scored]) -> dict[str, Estimate]:
        """Return the metrics as some labelled scores would lead to expect them without their labels."""
        return self._estimates({name: one.counts_of(found[name]) for name, one in self.cells.items()})

    def usual(self) -> dict[str, Estimate]:
        """Return the metrics of the labelled scores themselves."""
        return self._estimates({name: one.labels.astype(float) for name, one in self.cells.items()})

    def predictions(self, window: Window) -> int:
        """Return how many predictions of a window have the scores this is about."""
        held = [self._column(window.prediction, name) for name in self.cells]
        return min((0 if column is None else column.count for column in held), default=0)

    def unseen(self, window: Window) -> tuple[float, str]:
        """Return the largest share of the scores, over the classes, that no label is known of, and in words whose."""
        held = [(one, self._column(window.prediction, name)) for name, one in self.cells.items()]
        share = max((one.unseen(column) for one, column in held if column is not None), default=0.0)
        return share, "the scores"

    def _column(self, prediction: Mapping[str, Column], name: str) -> Column | None:
        if len(self.cells) == 1 and "prediction" in prediction:
            return prediction["prediction"]
        return prediction.get(f"prediction.{name}")

    def _estimates(self, counts: Mapping[str, Floats]) -> dict[str, Estimate]:
        found = estimates({name: self.cells[name] for name in counts}, counts, self.level)
        if self.is_whole:
            return found
        why = f"it sums over all classes, and the scores of {RANKED_CLASSES} have their labels counted"
        return {
            name: Estimate(name, None, why=why) if name in _LOSSES else one for name, one in found.items()
        }


def calibration_of(task: Task, found: Mapping[str, Scored], source: str) -> Calibration | None:
    """Return the calibration by labelled scores, None where there are none.

    Parameters
    ----------
    found
        By class, see `detectors.estimation.scored.scored`.
    """
    if not found or not all(one.labels for one in found.values()):
        return None
    is_score = task.kind == "score"
    decision = task.decision if is_score else None
    return Calibration(
        {name: cells_of(one, decision=decision, one_of_many=not is_score) for name, one in found.items()},
        max(one.labels for one in found.values()),
        source,
        is_whole=is_score or len(task.classes) <= RANKED_CLASSES,
    )
