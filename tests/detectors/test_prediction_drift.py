"""Drift of what the model answers."""

import numpy as np
from detector_windows import category, make, number, window

from detectors.psi import Psi


def scores(a: float, b: float, size: int) -> np.ndarray:
    return np.random.default_rng(0).beta(a, b, size)


EDGES = np.linspace(0.1, 0.9, 9)
USUAL = window(number(scores(2, 2, 20_000), name="prediction", edges=EDGES))


def test_moved_scores_fire_as_prediction_drift() -> None:
    current = window(number(scores(5, 2, 3000), name="prediction", edges=EDGES))
    verdict = make("prediction_drift").observe(current, USUAL)
    assert (verdict.status, verdict.kind, verdict.column) == ("firing", "PredictionDrift", "prediction")
    assert "at or above 0.6" in verdict.evidence.sentence


def test_slightly_moved_scores_do_not() -> None:
    current = window(number(scores(2.2, 2, 3000), name="prediction", edges=EDGES))
    assert make("prediction_drift").observe(current, USUAL).status == "ok"


def test_classes_are_judged_too() -> None:
    usual = window(category([9000, 1000], name="prediction", listed=["no", "yes"]))
    current = window(category([400, 600], name="prediction", listed=["no", "yes"]))
    assert make("prediction_drift").observe(current, usual).status == "firing"


def test_it_judges_by_the_rule_of_the_psi() -> None:
    current = window(number(scores(5, 2, 3000), name="prediction", edges=EDGES))
    by_psi = Psi(Psi.params_class(), "prediction").observe(current, USUAL)
    verdict = make("prediction_drift").observe(current, USUAL)
    assert (verdict.score, verdict.threshold) == (by_psi.score, by_psi.threshold)
