"""How well the model predicts by what it is given and answers, while the labels are still to come."""

import math
from dataclasses import replace
from typing import Any

import msgspec
from pydantic import Field

from detectors.base import Detector, Evidence, Params, Verdict
from detectors.comparison import shortage
from detectors.estimation.calibration import Calibration
from detectors.estimation.estimate import ESTIMATED, Estimate
from detectors.estimation.losses import LossModel
from detectors.estimation.track import Track
from detectors.outcomes.metrics import METRICS
from detectors.sentence import figure, percent, quantity
from detectors.window import Window

#: A score is cut here, as that of `performance`.
_WORST = 1e6


class EstimatedPerformanceParams(Params):
    """Parameters of an estimated performance metric."""

    threshold: float = Field(
        default=3.0, ge=0.0, description="standard errors by which the estimate must be worse"
    )
    min_labels: int = Field(
        default=200, ge=1, description="predictions with labels needed to know what to expect"
    )
    tolerance: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="without an objective: loss against the labelled predictions' metric that is let pass, "
        "as a share of it (0 to 1)",
    )
    unseen: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="share of scores, or of a feature's values, beyond all that have labels (0 to 1) above which "
        "nothing is said",
    )
    objective: float | None = Field(
        default=None,
        ge=-1e12,
        le=1e12,
        description="what the metric must keep; from `labels: {objectives: ...}`",
    )


def _nothing(metric: str) -> str:
    """Return why nothing is known at all."""
    if metric in ESTIMATED["number"]:
        return "no estimate, because no reference file with a column 'label' says which errors to expect"
    return "no prediction with its label says yet what scores mean"


class EstimatedPerformance(Detector[EstimatedPerformanceParams]):
    """Fires when a metric is expected to be worse than its objective, before the labels have come.

    Of scores, confidence-based performance estimation: among labelled predictions, the share of positives at
    each score is known; the current window's scores then tell how many of its predictions to expect right. Of
    numbers, direct loss estimation: among the labelled rows of the reference file it is known which errors
    come with which bins of the features and of the prediction (`LossModel`); the window's counts in these bins
    then tell which MAE and RMSE to expect.

    ``score`` is how many standard errors the estimate lies on the wrong side of the objective; without one, of
    the labelled predictions' own metric less ``tolerance``. It sees what a change of the inputs does to the
    metric. It does not see that the same inputs have come to mean something else (concept drift): so estimates of
    the last predictions whose labels are in are held against what these show, pane by pane. Where these fall
    outside the interval more often than promised (`Track.is_trusted`), the estimate is not to be trusted: it
    fires no more, and what it fires is taken back, until it does what it promises again.

    References
    ----------
    Białek, J., Kivimäki, J., Kuberski, W. and Perrakis, N. (2024), Estimating Model Performance Under
    Covariate Shift Without Labels, arXiv:2401.08348 (on the assumption, and what to do where it fails).
    NannyML documentation, How it works: Direct Loss Estimation.
    """

    name = "estimated_performance"
    kind = "EstimatedPerformanceDrop"
    targets = frozenset({"outcome"})
    params_class = EstimatedPerformanceParams
    severity = "warning"

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge what the metric is expected to be over the window's predictions."""
        found = window.calibration or window.loss_model
        if found is None:
            return self.insufficient(0, f"{self.column}: {_nothing(self.column)}")
        samples = found.predictions(window)
        if samples < self.params.min_samples:
            lacking = shortage(samples, self.params.min_samples, "prediction")
            return self.insufficient(samples, f"{self.column}: {lacking}")
        if why := found.why_not(window):
            return self.insufficient(samples, f"{self.column}: {why}")
        if found.labels < self.params.min_labels:
            lacking = shortage(found.labels, self.params.min_labels, "label")
            return self.insufficient(samples, f"{self.column}: {lacking} {found.purpose}")
        unseen, whose = found.unseen(window)
        if unseen > self.params.unseen:
            why = f"{percent(unseen)} of {whose} lie beyond all that have labels"
            return self.insufficient(samples, f"{self.column}: {why}")
        estimate = found.of_window(window).get(self.column)
        if estimate is None or estimate.value is None:
            why = "it cannot be told without labels" if estimate is None else estimate.why
            return self.insufficient(samples, f"{self.column} is undefined: {why}")
        said = self._judge(found, estimate, estimate.value, samples, unseen)
        track = None if found.hindsight is None else found.hindsight.tracks.get(self.column)
        if track is None or track.is_trusted or said.status == "insufficient":
            return said
        return self._withdrawn(said, track)

    def _withdrawn(self, said: Verdict, track: Track) -> Verdict:
        sentence = (
            f"{self.column}: the estimate ({figure(said.evidence.value or 0.0)}) is not to be trusted: labels "
            f"fell outside its interval in {track.misses} of the last {quantity(track.panes, 'pane')} "
            f"(promised {percent(track.promised)}), {figure(track.realised)} where "
            f"{figure(track.estimated)} was estimated"
        )
        evidence = replace(said.evidence, sentence=sentence)
        return msgspec.structs.replace(
            said, status="insufficient", score=0.0, evidence=evidence, withdrawn=True
        )

    def _judge(
        self, found: Calibration | LossModel, estimate: Estimate, value: float, samples: int, unseen: float
    ) -> Verdict:
        usual = found.usual().get(self.column)
        error = estimate.error
        promised, against = self.params.objective, f"objective {figure(self.params.objective or 0.0)}"
        if promised is None:
            if usual is None or usual.value is None:
                return self.insufficient(samples, f"{self.column}: no objective, and undefined before")
            error = math.hypot(error, usual.error)
            promised, against = self._let_pass(usual.value), f"{figure(usual.value)} where labels are in"
        gap = promised - value if METRICS[self.column] == "higher" else value - promised
        score = min(max(gap, 0.0) / max(error, 1e-12), _WORST)
        said, track = self._hindsight(found)
        sentence = (
            f"{self.column} estimated at {figure(value)} ({figure(estimate.low)} to {figure(estimate.high)}) "
            f"against {against}, {figure(score)} standard errors worse, over "
            f"{quantity(samples, 'prediction')} without labels, by {quantity(found.labels, 'label')} of "
            f"{found.source}{said}"
        )
        details: dict[str, Any] = {
            "objective": self.params.objective,
            "estimate": value,
            "interval": [estimate.low, estimate.high],
            "level": found.level,
            "standard_error": estimate.error,
            "reference": None if usual is None else usual.value,
            "labels": found.labels,
            "calibrated_by": found.source,
            "unseen": unseen,
            "hindsight": track,
        }
        return self.verdict(score, samples, Evidence(sentence, value=value, details=details))

    def _let_pass(self, usual: float) -> float:
        margin = self.params.tolerance * abs(usual)
        return usual - margin if METRICS[self.column] == "higher" else usual + margin

    def _hindsight(self, found: Calibration | LossModel) -> tuple[str, dict[str, Any] | None]:
        """Return what the last estimate came to once its labels were in: in words where it was wrong."""
        last = found.hindsight
        if last is None:
            return "", None
        estimate, realised = last.estimated.get(self.column), last.realised.get(self.column)
        if estimate is None or realised is None or estimate.value is None or realised.value is None:
            return "", None
        off = abs(estimate.value - realised.value)
        is_held = estimate.low <= realised.value <= estimate.high
        track = {
            "window": [last.start_ms, last.end_ms],
            "estimate": estimate.value,
            "interval": [estimate.low, estimate.high],
            "realised": realised.value,
            "error": off,
            "within_interval": is_held,
        }
        if followed := last.tracks.get(self.column):
            track |= {
                "panes": followed.panes,
                "misses": followed.misses,
                "promised": round(followed.promised, 6),
                "trusted": followed.is_trusted,
            }
        words = f"; lately it was wrong: {figure(estimate.value)}, labels showed {figure(realised.value)}"
        return "" if is_held else words, track
