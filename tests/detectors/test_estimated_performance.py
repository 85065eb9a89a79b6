"""Estimated performance: worse than promised before labels come, and what it says of its own errors."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from detector_windows import SCORE_EDGES, calibrated, number, scored_of, window

from detectors.base import Verdict
from detectors.estimated_performance import EstimatedPerformance, EstimatedPerformanceParams
from detectors.estimation.calibration import Calibration, Hindsight, calibration_of
from detectors.estimation.scored import Scored
from detectors.outcomes.metrics import Metric
from detectors.outcomes.task import Task
from detectors.window import Window


def scores(sharpness: float, size: int = 5_000) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return scores that say what they mean; the less sharp, the nearer to one half."""
    return 1.0 / (1.0 + np.exp(-np.random.default_rng(3).normal(size=size) * sharpness))


def current(sharpness: float = 1.0, size: int = 5_000, found: Calibration | None = None) -> Window:
    column = number(scores(sharpness, size), name="prediction", edges=SCORE_EDGES)
    return replace(window(column), calibration=calibrated() if found is None else found)


def judge(now: Window, metric: str = "accuracy", **params: Any) -> Verdict:
    return EstimatedPerformance(EstimatedPerformanceParams(**params), metric).observe(now, None)


def test_scores_that_say_less_than_promised_fire_before_any_label() -> None:
    found = judge(current(0.3), objective=0.66)
    assert (found.status, found.kind) == ("firing", "EstimatedPerformanceDrop")
    truth = float(np.mean(np.maximum(scores(0.3), 1.0 - scores(0.3))))
    low, high = found.evidence.details["interval"]
    assert low < truth < high
    assert found.evidence.sentence.startswith("accuracy estimated at 0.5")
    assert "against objective 0.66, " in found.evidence.sentence
    assert "5,000 predictions without labels, by 3,000 labels of earlier outcomes" in found.evidence.sentence
    assert judge(current(1.0), objective=0.66).status == "ok"


def test_without_an_objective_the_labelled_predictions_own_metric_is_the_measure() -> None:
    assert judge(current(0.3), "roc_auc").status == "firing"
    assert judge(current(1.0), "roc_auc").status == "ok"
    assert judge(current(0.3), "brier").status == "firing"
    assert judge(current(1.5), "brier").status == "ok", "better is not worse"


def test_a_little_below_is_chance_until_calibration_says_otherwise() -> None:
    few, many = calibrated(5, 300), calibrated(5, 60_000)
    value = judge(current(found=many)).evidence.value or 0.0
    assert judge(current(found=few), objective=value + 0.03).status == "ok"
    assert judge(current(size=100_000, found=many), objective=value + 0.03).status == "firing"


def test_it_says_when_the_last_estimate_was_wrong() -> None:
    estimated = calibrated().usual()
    value = estimated["recall"].value or 0.0
    for realised, is_wrong in ((value, False), (value - 0.3, True)):
        held = Hindsight(0, 60, estimated, {"recall": Metric("recall", realised, 0.01)})
        found = judge(current(found=replace(calibrated(), hindsight=held)), "recall", objective=0.2)
        track = found.evidence.details["hindsight"]
        assert track["error"] == pytest.approx(abs(value - realised))
        assert track["within_interval"] != is_wrong
        assert ("lately it was wrong" in found.evidence.sentence) == is_wrong
    undefined = Hindsight(0, 60, estimated, {"recall": Metric("recall", None)})
    found = judge(current(found=replace(calibrated(), hindsight=undefined)), "recall")
    assert found.evidence.details["hindsight"] is None


def only(low: float, high: float) -> Calibration:
    held = np.linspace(low, high, 400)
    found = calibration_of(Task("score"), {"positive": scored_of(held, held > 0.5)}, "earlier outcomes")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("now", "metric", "said"),
    [
        (Window("churn", events=900), "recall", "no prediction with its label"),
        (current(size=300), "recall", "recall: 300 of 500 predictions"),
        (current(found=calibrated(6, 150)), "recall", "150 of 200 labels to know what scores mean"),
        (current(found=only(0.5, 0.6)), "recall", "% of the scores lie beyond all that have labels"),
        (current(found=only(0.1, 0.49)), "roc_auc", "roc_auc is undefined: one class only"),
        (current(), "pr_auc", "pr_auc is undefined: it cannot be told without labels"),
    ],
)
def test_what_cannot_be_estimated_is_said(now: Window, metric: str, said: str) -> None:
    found = judge(now, metric, **({"unseen": 1.0} if metric == "roc_auc" else {}))
    assert found.status == "insufficient"
    assert said in found.evidence.sentence


def test_there_is_no_calibration_without_labelled_scores() -> None:
    assert calibration_of(Task("score"), {"positive": Scored.of([])}, "earlier outcomes") is None
    assert calibration_of(Task("number"), {}, "earlier outcomes") is None


def test_losses_of_more_classes_than_are_counted_are_undefined() -> None:
    names = tuple(f"class {number}" for number in range(30))
    held = scored_of(scores(1.0), scores(1.0) > 0.4)
    found = calibration_of(Task("probabilities", names), dict.fromkeys(names[:20], held), "earlier outcomes")
    assert found is not None
    told = found.usual()
    assert told["brier"].value is None
    assert "it sums over all classes" in told["brier"].why
    assert told["roc_auc"].value is not None
