"""How well the model predicts, by the labels that have come in."""

import math

from pydantic import Field

from detectors.base import Detector, Evidence, Params, Verdict
from detectors.comparison import shortage
from detectors.outcomes.metrics import METRICS, Metric
from detectors.outcomes.window import OutcomeWindow
from detectors.sentence import figure, percent, quantity
from detectors.window import Window

_SHARES = frozenset({"accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc"})
#: A score is cut here: beyond it nobody needs to know by how much.
_WORST = 1e6


class PerformanceParams(Params):
    """Parameters of a performance metric."""

    threshold: float = Field(
        default=3.0, ge=0.0, description="standard errors by which the metric must be worse"
    )
    min_samples: int = Field(default=200, ge=1, description="predictions with labels needed before a verdict")
    tolerance: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="loss against the reference that is let pass, as a share of the reference's value (0 to 1)",
    )
    objective: float | None = Field(
        default=None,
        ge=-1e12,
        le=1e12,
        description="what the metric must keep; from `labels: {objectives: ...}`",
    )


class Performance(Detector[PerformanceParams]):
    """Fires when a performance metric is worse than its objective, or than it used to be, beyond chance.

    Of both comparisons the worse counts. ``score`` is how many standard errors the metric lies on the wrong
    side of the objective; or of the reference's value less ``tolerance``, by the standard error of the
    difference. For shares, such as recall, the standard error is never less than it would be at the
    objective or reference itself, so that two misses of two prove nothing. A bias is bad both ways. What
    binned scores may have moved an area by is in the evidence, and not let pass: scores that are equal, as
    a small tree's are, share a bin without any error, and both sides are binned alike.

    References
    ----------
    Wilson, E. (1927), Probable Inference, the Law of Succession, and Statistical Inference, JASA 22(158).
    """

    name = "performance"
    kind = "PerformanceDrop"
    targets = frozenset({"outcome"})
    params_class = PerformanceParams
    default = True
    severity = "critical"
    observes = "outcome"
    needs_reference = True

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the metric over the window's outcomes."""
        outcomes = window.outcomes
        if outcomes is None or outcomes.labels == 0:
            return self.insufficient(0, f"0 of {window.events:,} predictions have labels that are settled")
        metric = outcomes.metrics.get(self.column)
        if metric is None or metric.value is None:
            why = "this model has no such metric" if metric is None else metric.why
            return self.insufficient(outcomes.labels, f"{self.column} is undefined: {why}")
        if metric.samples < self.params.min_samples:
            lacking = shortage(metric.samples, self.params.min_samples, "label")
            return self.insufficient(metric.samples, f"{self.column}: {lacking}")
        usual = self._usual(reference)
        if self.params.objective is None and usual is None:
            return self.insufficient(
                metric.samples, f"{self.column}: no objective, and no reference of earlier outcomes yet"
            )
        return self._judge(metric, metric.value, usual, outcomes)

    def _usual(self, reference: Window | None) -> Metric | None:
        if reference is None or reference.outcomes is None:
            return None
        metric = reference.outcomes.metrics.get(self.column)
        if metric is None or metric.value is None or metric.samples < self.params.min_samples:
            return None
        return metric

    def _judge(self, metric: Metric, value: float, usual: Metric | None, outcomes: OutcomeWindow) -> Verdict:
        promised, found = self.params.objective, []
        if promised is not None:
            gap = self._worse_by(value, promised)
            found.append((_score(gap, _error(metric, promised)), f"objective {figure(promised)}"))
        if usual is not None and usual.value is not None:
            gap = self._lost(value, usual.value) - self.params.tolerance * abs(usual.value)
            error = math.hypot(_error(metric, usual.value), _error(usual, usual.value))
            found.append((_score(gap, error), f"{figure(usual.value)} before"))
        score, against = max(found)
        sentence = (
            f"{self.column} {figure(value)} against {against}, {figure(score)} standard errors worse, over "
            f"{quantity(metric.samples, 'label')} ({percent(outcomes.labels / outcomes.predictions)} of the "
            f"predictions have theirs{_sampled(outcomes.rate)})"
        )
        details = {
            "objective": promised,
            "reference": None if usual is None else usual.value,
            "standard_error": metric.error,
            "binning_bound": metric.bound,
            "window": [outcomes.start_ms, outcomes.end_ms],
            "labels": outcomes.labels,
            "predictions": outcomes.predictions,
            "waiting": outcomes.waiting,
        }
        return self.verdict(score, metric.samples, Evidence(sentence, value=value, details=details))

    def _worse_by(self, value: float, promised: float) -> float:
        match METRICS[self.column]:
            case "higher":
                return promised - value
            case "lower":
                return value - promised
            case "zero":
                return abs(value) - promised

    def _lost(self, value: float, usual: float) -> float:
        if METRICS[self.column] == "zero":
            return abs(value - usual)
        return self._worse_by(value, usual)


def _error(metric: Metric, at: float) -> float:
    """Return a metric's standard error; of a share, at least what it would be if ``at`` were true."""
    if metric.name not in _SHARES:
        return metric.error
    share = min(max(at, 0.0), 1.0)
    return max(metric.error, math.sqrt(share * (1.0 - share) / max(metric.count, 1)))


def _score(gap: float, error: float) -> float:
    return min(max(gap, 0.0) / max(error, 1e-12), _WORST)


def _sampled(rate: float) -> str:
    return "" if rate >= 1.0 else f"; a sample of {percent(rate)}"
