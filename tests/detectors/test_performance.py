"""Performance by labels: worse than promised, worse than before, or nothing to say yet."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from detector_windows import outcomes_of

from detectors.base import Verdict
from detectors.outcomes.metrics import metrics
from detectors.outcomes.tally import Tally, summed
from detectors.outcomes.task import Task
from detectors.outcomes.window import OutcomeWindow
from detectors.performance import Performance, PerformanceParams
from detectors.window import Window


def outcomes(task: Task, rows: list[tuple[Any, Any]]) -> OutcomeWindow:
    tally: Tally = summed(task.outcome(*row) for row in rows)
    return OutcomeWindow(0, 1, metrics(task, tally), len(rows), len(rows))


def recalled(hits: float, size: int = 20_000, seed: int = 1) -> OutcomeWindow:
    return outcomes_of(np.random.default_rng(seed), size, hits)


def judge(
    column: str, now: OutcomeWindow | None, before: OutcomeWindow | None = None, **params: Any
) -> Verdict:
    detector = Performance(PerformanceParams(**params), column)
    reference = None if before is None else Window("churn", outcomes=before)
    return detector.observe(Window("churn", events=900, outcomes=now), reference)


def test_below_its_objective_it_fires_and_says_by_how_much() -> None:
    found = judge("recall", recalled(0.6), objective=0.7)
    assert found.status == "firing"
    assert found.evidence.sentence.startswith("recall 0.6")
    assert "against objective 0.7, " in found.evidence.sentence
    assert "20,000 labels (100 % of the predictions have theirs)" in found.evidence.sentence
    assert judge("recall", recalled(0.8), objective=0.7).status == "ok"


def test_a_little_below_is_chance_until_enough_labels_say_otherwise() -> None:
    assert judge("recall", recalled(0.68, 2_000), objective=0.7).status == "ok"
    assert judge("recall", recalled(0.68, 200_000), objective=0.7).status == "firing"


def test_worse_than_before_it_fires_beyond_what_is_let_pass() -> None:
    before = recalled(0.8, 200_000, seed=2)
    assert judge("recall", recalled(0.7), before).status == "firing"
    assert judge("recall", recalled(0.78, 200_000), before).status == "ok", "within five percent"
    assert judge("recall", recalled(0.78, 200_000), before, tolerance=0.0).status == "firing"


def test_two_misses_of_two_prove_nothing() -> None:
    rows: list[tuple[Any, Any]] = [(0.1, True)] * 2 + [(0.1, False)] * 500
    found = outcomes(Task("score"), rows)
    assert judge("recall", found, objective=0.7).status == "ok"
    assert judge("recall", outcomes(Task("score"), rows * 5), objective=0.7).status == "firing"


@pytest.mark.parametrize(("shift", "status"), [(0.0, "ok"), (3.0, "firing"), (-3.0, "firing")])
def test_a_bias_is_bad_both_ways(shift: float, status: str) -> None:
    noise = np.random.default_rng(4).normal(size=500)
    rows = [(10.0 + shift + float(one), 10.0) for one in noise]
    assert judge("bias", outcomes(Task("number"), rows), objective=0.5).status == status
    before = outcomes(Task("number"), [(10.0 + float(one), 10.0) for one in noise])
    assert judge("bias", outcomes(Task("number"), rows), before).status == status


def test_errors_that_grow_are_worse_and_those_that_shrink_are_not() -> None:
    noise = np.random.default_rng(5).normal(size=500)
    usual, wide, narrow = (
        outcomes(Task("number"), [(float(width * one), 0.0) for one in noise]) for width in (1.0, 2.0, 0.5)
    )
    assert judge("mae", wide, usual).status == "firing"
    assert judge("mae", narrow, usual).status == "ok"


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (None, "0 of 900 predictions have labels"),
        (recalled(0.8, 100), "recall: 100 of 200 labels"),
        (recalled(0.8), "no objective, and no reference"),
        (outcomes(Task("score"), [(0.9, False)] * 300), "recall is undefined: no label is positive"),
        (outcomes(Task("number"), [(0.9, 1.0)] * 300), "this model has no such metric"),
    ],
)
def test_what_cannot_be_judged_is_said(now: OutcomeWindow | None, said: str) -> None:
    found = judge("recall", now)
    assert found.status == "insufficient"
    assert said in found.evidence.sentence


def test_a_sample_is_told() -> None:
    found = judge("recall", replace(recalled(0.6), rate=0.25, labels=15_000), objective=0.7)
    assert "(75 % of the predictions have theirs; a sample of 25 %)" in found.evidence.sentence
