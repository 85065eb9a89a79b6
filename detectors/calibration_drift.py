"""Scores that do not mean any more what they meant, by the labels that have come in."""

from typing import Any, NamedTuple

from pydantic import Field

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.estimation.calibration import Calibration
from detectors.estimation.reliability import Reliability, reliability
from detectors.outcomes.task import POSITIVE
from detectors.outcomes.window import OutcomeWindow
from detectors.sentence import figure, percent, quantity, shorten
from detectors.significance import SignificanceParams
from detectors.window import Window


class CalibrationDriftParams(SignificanceParams):
    """Parameters of calibration drift."""

    threshold: float = Field(
        default=0.1,
        ge=0.0,
        le=2.0,
        description="move of the share that comes true at a score, in the mean (standard deviations of the "
        "reference's labels); 0.1 is five in a hundred where half the labels are positive",
    )
    min_samples: int = Field(default=200, ge=1, description="predictions with labels needed before a verdict")
    min_labels: int = Field(
        default=200, ge=1, description="predictions with labels needed to know what scores meant"
    )


class _Reading(NamedTuple):
    """One class seen one way: score and limit in standard deviations of the labels."""

    score: float
    limit: float
    name: str
    is_overall: bool
    found: Reliability


class CalibrationDrift(Detector[CalibrationDriftParams]):
    """Fires when scores have come to mean something else: more, or less, of them come true than did.

    What came true at each score is held against the labelled scores of the reference file, else of earlier
    outcomes; not against what the score says, so that a model which was never calibrated is none the worse.
    Two ways: cell by cell of the score (``sum of n_b / n |c_b - e_b|``, as the expected calibration error is
    made) and as a whole (``|sum of n_b / n (c_b - e_b)|``, calibration in the large, which sees smaller
    moves in one direction); ``c`` is the share that came true, ``e`` the share expected of these scores.
    ``score`` is the one that goes further beyond its limit, in standard deviations of the reference's
    labels. The threshold in force is the larger of ``threshold`` and what chance alone exceeds with
    probability ``alpha`` at the labels of both sides, shared out over the two ways and the classes. A change
    of the inputs alone, by which other scores come, is none.

    References
    ----------
    Guo, C. et al. (2017), On Calibration of Modern Neural Networks, ICML (the expected calibration error).
    Van Calster, B. et al. (2019), Calibration: the Achilles heel of predictive analytics, BMC Medicine 17
    (calibration in the large).
    """

    name = "calibration_drift"
    kind = "CalibrationDrift"
    targets = frozenset({"outcome"})
    params_class = CalibrationDriftParams
    default = True
    observes = "outcome"

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge what came true of the window's scores."""
        outcomes, usual = window.outcomes, window.calibration
        if outcomes is None or outcomes.labels == 0:
            return self.insufficient(0, f"0 of {window.events:,} predictions have labels that are settled")
        labels = max((one.labels for one in outcomes.scored.values()), default=0)
        if labels < self.params.min_samples:
            return self.insufficient(
                labels, f"{self.column}: {shortage(labels, self.params.min_samples, 'label')}"
            )
        if usual is None:
            return self.insufficient(labels, f"{self.column}: nothing says yet what scores meant before")
        if usual.labels < self.params.min_labels:
            lacking = shortage(usual.labels, self.params.min_labels, "label")
            return self.insufficient(labels, f"{self.column}: {lacking} to know what scores meant before")
        readings = self._readings(outcomes, usual)
        if not readings:
            why = "all labels of before are the same: there is nothing to hold scores against"
            return self.insufficient(labels, f"{self.column}: {why}")
        return self._judge(max(readings, key=_beyond), usual, labels)

    def _readings(self, outcomes: OutcomeWindow, usual: Calibration) -> list[_Reading]:
        known = {name: one for name, one in outcomes.scored.items() if one.labels and name in usual.cells}
        alpha = self.params.alpha / (2 * max(len(known), 1))
        readings = []
        for name, scored in known.items():
            found = reliability(usual.cells[name], scored)
            if found.deviation:
                ways = (
                    (found.moved, found.moved_by_chance(alpha), False),
                    (abs(found.moved_overall), found.moved_overall_by_chance(alpha), True),
                )
                readings += [
                    _Reading(
                        moved / found.deviation,
                        max(self.params.threshold, chance / found.deviation),
                        name,
                        is_overall,
                        found,
                    )
                    for moved, chance, is_overall in ways
                ]
        return readings

    def _judge(self, worst: _Reading, usual: Calibration, labels: int) -> Verdict:
        found = worst.found
        place = int((found.weights * abs(found.came - found.expected)).argmax())
        came, expected = (float(found.weights @ one) for one in (found.came, found.expected))
        who = "" if worst.name == POSITIVE else f" of {shorten(worst.name, 32)}"
        overall = (
            f"{percent(came)} of the labels{who} positive where these scores used to have {percent(expected)}"
        )
        at = f"{figure(float(found.lows[place]))} to {figure(float(found.highs[place]))}"
        cell = (
            f"of scores{who} from {at} {percent(float(found.came[place]))} came true "
            f"(expected {percent(float(found.expected[place]))})"
        )
        sentence = (
            f"{self.column}: {overall}; {cell}; {figure(worst.score)} standard deviations against "
            f"{figure(worst.limit)}, by {quantity(labels, 'label')} and {usual.labels:,} of {usual.source}"
        )
        details: dict[str, Any] = {
            "class": worst.name,
            "way": "as a whole" if worst.is_overall else "score by score",
            "moved": found.moved,
            "moved_overall": found.moved_overall,
            "reference_labels": usual.labels,
            "calibrated_by": usual.source,
            "scores": [
                [round(float(value), 4) for value in row]
                for row in zip(
                    found.lows, found.highs, found.labels, found.said, found.came, found.expected, strict=True
                )
            ],
        }
        evidence = Evidence(sentence, value=found.moved_overall, details=details)
        return self.verdict(worst.score, labels, evidence, threshold=worst.limit)


def _beyond(one: _Reading) -> float:
    return one.score / max(one.limit, 1e-12)
