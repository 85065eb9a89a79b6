"""What is judged of outcomes: which metrics, over which window, against which earlier one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from detectors.base import Detector
from detectors.estimation.calibration import Calibration, Hindsight, calibration_of
from detectors.estimation.estimate import Estimate
from detectors.estimation.scored import score_names, scored
from detectors.estimation.track import MOST_PANES, tracks
from detectors.outcomes.losses import LOSS, PaneLoss, pane_loss
from detectors.outcomes.metrics import Metric, metrics
from detectors.outcomes.task import TaskKind
from detectors.outcomes.window import OutcomeWindow
from detectors.registry import DETECTORS, build
from detectors.window import Window
from streams.joins.outcomes import LABELS, PREDICTIONS, Outcomes, joined, together
from streams.joins.plan import JoinPlan, join_plan
from streams.monitor import Labels, Monitor

#: The metrics that are held against their reference where the monitor names no objectives for them.
USUAL: dict[TaskKind, tuple[str, ...]] = {
    "score": ("roc_auc", "brier"),
    "probabilities": ("accuracy", "log_loss"),
    "class": ("accuracy", "f1"),
    "number": ("mae", "bias"),
}
#: What an alert says calibration drift is about.
CALIBRATION = "calibration"
#: Where a calibration comes from, if no reference file has one.
EARLIER = "earlier outcomes"


def outcome_bench(monitor: Monitor, alpha: float = 1e-6) -> "OutcomeBench | None":
    """Return the bench of a model's outcomes, None where its monitor has no ``labels:``."""
    plan = join_plan(monitor)
    if plan is None or monitor.labels is None:
        return None
    return OutcomeBench(monitor, monitor.labels, plan, alpha)


class OutcomeBench:
    """The detectors of a model's outcomes; they keep no state, so that all groups share them.

    Parameters
    ----------
    labels, plan
        Of the monitor, which has ``labels:``.
    alpha
        Probability of a false alarm per look at outcomes that keeps within the weekly budget.
    """

    def __init__(self, monitor: Monitor, labels: Labels, plan: JoinPlan, alpha: float = 1e-6) -> None:
        self._model = monitor.model
        self._labels = labels
        self._plan = plan
        self._alpha = alpha
        self.detectors: list[Detector[Any]] = [
            build(name, params | settings.params, metric)
            for name, cls in DETECTORS.items()
            if cls.observes == "outcome" and (settings := monitor.settings(name)) is not None
            for metric, params in self._columns(name)
        ]

    @property
    def watched(self) -> frozenset[tuple[str, str]]:
        """Detector and metric of all that is judged."""
        return frozenset((one.name, one.column) for one in self.detectors)

    def _columns(self, detector: str) -> list[tuple[str, dict[str, float]]]:
        match detector:
            case "performance":
                return self._metrics()
            case "calibration_drift":
                return [(CALIBRATION, {"alpha": self._alpha})] if score_names(self._plan.task) else []
            case _:
                return [(LOSS[self._plan.task.kind], {})]

    def _metrics(self) -> list[tuple[str, dict[str, float]]]:
        promised = self._labels.objectives
        usual = USUAL[self._plan.task.kind] + (("cost",) if self._labels.costs else ())
        names = dict.fromkeys((*usual, *sorted(promised)))
        return [(name, {"objective": promised[name]} if name in promised else {}) for name in names]

    def windows(
        self, version: str, segment: str, panes: Sequence[Outcomes], given: Calibration | None = None
    ) -> tuple[Window, Window | None]:
        """Return the current window of outcomes, and the one before it as its reference.

        The current one ends with the newest pane whose labels are in (`Outcomes.is_provisional`): the newest
        predictions have the fewest labels, and the quick ones among them are seldom like the others.

        Parameters
        ----------
        panes
            Of one version and segment, oldest first, at least one.
        given
            What scores mean by the reference file; else the current window has what they meant before it.
        """
        settled, since_ms = self.settled(panes)
        now = together(one for one in settled if one.end_ms > since_ms)
        before = together(one for one in settled if one.end_ms <= since_ms)
        waiting = sum(
            one.tally.get(PREDICTIONS, 0) for one in panes if one.is_provisional(self._labels.mature)
        )
        events = waiting + (0 if now is None else now.tally.get(PREDICTIONS, 0))
        current = self._window(version, segment, now, events, waiting, self._losses(settled))
        return (
            replace(current, calibration=given or self._by(before)),
            None if before is None else self._window(version, segment, before, events, 0),
        )

    def calibration(self, panes: Sequence[Outcomes], given: Calibration | None = None) -> Calibration | None:
        """Return what scores mean by the panes whose labels are in, and how an estimate by it did last.

        The last estimate is that of the current window of outcomes, by the panes before it; as nobody knew
        these labels then, it is as good as one made at the time.

        Parameters
        ----------
        panes
            Of one version and segment, oldest first.
        given
            What scores mean by the reference file, which then counts instead.
        """
        settled, since_ms = self.settled(panes)
        recent = together(one for one in settled if one.end_ms > since_ms)
        before = together(one for one in settled if one.end_ms <= since_ms)
        found = given or self._by(together(one for one in (before, recent) if one is not None))
        past = given or self._by(before)
        if found is None or past is None or recent is None:
            return found
        hindsight = Hindsight(
            recent.start_ms,
            recent.end_ms,
            *(whole := self._seen(past, recent)),
            tracks(
                [self._seen(past, one) for one in joined(settled, since_ms, MOST_PANES)], whole, past.level
            ),
        )
        return replace(found, hindsight=hindsight)

    def _seen(self, past: Calibration, outcomes: Outcomes) -> tuple[dict[str, Estimate], dict[str, Metric]]:
        """Return what was to be expected of outcomes, and what they are."""
        task = self._plan.task
        return past.of_labelled(scored(task, outcomes.tally)), self.metrics(outcomes)

    def metrics(self, outcomes: Outcomes) -> dict[str, Metric]:
        """Return what outcomes come to by their labels."""
        return metrics(self._plan.task, outcomes.tally)

    def _by(self, outcomes: Outcomes | None) -> Calibration | None:
        if outcomes is None:
            return None
        return calibration_of(self._plan.task, scored(self._plan.task, outcomes.tally), EARLIER)

    def settled(self, panes: Sequence[Outcomes]) -> tuple[list[Outcomes], int]:
        """Return the panes whose labels are in, and the end (epoch ms) of those before the current window."""
        settled = [one for one in panes if not one.is_provisional(self._labels.mature)]
        end_ms = max((one.end_ms for one in settled), default=panes[-1].end_ms)
        return settled, end_ms - self._labels.window_ms

    def _losses(self, settled: Sequence[Outcomes]) -> tuple[PaneLoss, ...]:
        kind = self._plan.task.kind
        found = [pane_loss(kind, one.tally, one.start_ms, one.end_ms) for one in settled]
        return tuple(one for one in found if one is not None)

    def _window(
        self,
        version: str,
        segment: str,
        found: Outcomes | None,
        events: int,
        waiting: int,
        losses: tuple[PaneLoss, ...] = (),
    ) -> Window:
        if found is None:
            return Window(self._model, version, segment, events=events)
        outcomes = OutcomeWindow(
            found.start_ms,
            found.end_ms,
            metrics(self._plan.task, found.tally, self._labels.costs),
            predictions=found.tally.get(PREDICTIONS, 0),
            labels=found.tally.get(LABELS, 0),
            rate=found.rate,
            waiting=waiting,
            losses=losses,
            scored=scored(self._plan.task, found.tally),
        )
        return Window(
            self._model, version, segment, found.start_ms, found.end_ms, events=events, outcomes=outcomes
        )
