"""Confidence: folded from the bins of scores and of classes, and judged where it has moved."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from detector_windows import SCORE_EDGES, category, make, number, window

from detectors.base import Verdict
from detectors.confidence import confidence
from detectors.window import Column, Window
from streams.bench import Bench
from streams.monitor import Monitor

Floats = np.ndarray[Any, np.dtype[np.float64]]
STEPS = np.round(np.arange(11) * 0.05 + 0.5, 2)


def beta(a: float, b: float, size: int = 5_000, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).beta(a, b, size)


def scores(values: Floats) -> Window:
    return window(number(values, name="prediction", edges=SCORE_EDGES))


def classes(rows: Floats) -> Window:
    named = {f"prediction.{at}": number(rows[:, at], edges=SCORE_EDGES) for at in range(rows.shape[1])}
    return replace(window(events=len(rows)), prediction=named)


def judge(now: Window, usual: Window | None) -> Verdict:
    return make("confidence_drift").observe(now, usual)


def test_of_a_score_it_is_what_the_raw_scores_say() -> None:
    values = beta(2, 3)
    found = confidence(scores(values).prediction)
    assert isinstance(found, Column)
    assert found.bins.tolist() == np.histogram(np.maximum(values, 1 - values), STEPS)[0].tolist()
    assert len(found.labels) == found.bins.size == found.edges.size + 1


@pytest.mark.parametrize("number_of_classes", [2, 3, 7])
def test_of_classes_it_is_the_largest_probability(number_of_classes: int) -> None:
    rows = np.random.default_rng(1).dirichlet(np.full(number_of_classes, 0.4), 4_000)
    found = confidence(classes(rows).prediction)
    assert isinstance(found, Column)
    largest = rows.max(axis=1)
    wanted = [int((largest < 0.5).sum()), *np.histogram(largest, STEPS)[0].tolist()]
    assert found.bins.tolist() == wanted


def test_spans_fold_as_the_whole_does() -> None:
    parts = [beta(2, 3, 400, seed) for seed in range(3)]
    counts = np.array([[*number(one, edges=SCORE_EDGES).bins, 7] for one in parts])
    whole = replace(number(np.concatenate(parts), edges=SCORE_EDGES), spans=(counts,))
    found = confidence({"prediction": whole})
    assert isinstance(found, Column)
    (spans,) = found.spans
    assert spans[:, :-1].sum(axis=0).tolist() == found.bins.tolist()
    assert spans[:, -1].tolist() == [7, 7, 7]


def test_doubt_fires_and_says_how_much() -> None:
    verdict = judge(scores(beta(5, 5)), scores(beta(0.6, 0.6, 20_000, 1)))
    assert (verdict.status, verdict.kind) == ("firing", "ConfidenceDrift")
    assert "below 0.7" in verdict.evidence.sentence
    assert judge(scores(beta(0.2, 0.2)), scores(beta(2, 2, 20_000, 1))).status == "firing", "too sure as well"


def test_more_of_the_other_answer_is_no_confidence_drift() -> None:
    usual, now = scores(beta(1.5, 6, 20_000, 1)), scores(1 - beta(1.5, 6))
    assert judge(now, usual).status == "ok"
    assert make("prediction_drift").observe(now, usual).status == "firing"


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (window(category([900, 100], name="prediction", listed=["no", "yes"])), "has no confidence"),
        (window(number(beta(2, 2), name="prediction", edges=np.array([0.5]))), "not counted in bins of 0.05"),
        (window(), "no predictions"),
    ],
)
def test_what_has_no_confidence_is_told(now: Window, said: str) -> None:
    verdict = judge(now, scores(beta(2, 2)))
    assert verdict.status == "insufficient"
    assert said in verdict.evidence.sentence
    assert "reference" in judge(scores(beta(2, 2)), now).evidence.sentence


def test_it_is_judged_once_a_model_and_not_of_classes_or_numbers() -> None:
    three = {"type": "probabilities", "classes": ["a", "b", "c"]}
    on: dict[str, Any] = {"model": "churn", "detectors": {"confidence_drift": {}}}
    bench = Bench(Monitor.model_validate(on | {"prediction": three}))
    made = bench.detectors(("", ""), observes="pane", scope="version")
    assert [one.column for one in made if one.name == "confidence_drift"] == ["confidence"]
    assert bench.alpha < Bench(Monitor.model_validate({"model": "churn", "prediction": three})).alpha
    with pytest.raises(ValueError, match="this prediction is a number: leave it out"):
        Monitor.model_validate(on | {"prediction": {"type": "number"}})
