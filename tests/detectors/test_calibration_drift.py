"""Calibration drift: scores that mean something else fire; other scores, and chance, do not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from detector_windows import calibrated, labelled, outcomes_of, scored_of

from detectors.base import Verdict
from detectors.calibration_drift import CalibrationDrift, CalibrationDriftParams
from detectors.estimation.calibration import Calibration, calibration_of
from detectors.estimation.cells import cells_of
from detectors.estimation.reliability import reliability
from detectors.estimation.scored import Scored
from detectors.outcomes.task import Task
from detectors.window import Window

Found = dict[str, Scored]


def judge(found: Found, usual: Calibration | None = None, **params: Any) -> Verdict:
    outcomes = replace(outcomes_of(np.random.default_rng(0), 1_000), scored=found)
    window = Window("churn", outcomes=outcomes, calibration=calibrated() if usual is None else usual)
    return CalibrationDrift(CalibrationDriftParams(**params), "calibration").observe(window, None)


def scores(a: float, b: float, size: int, seed: int = 0, power: float = 1.0) -> Scored:
    """Return scores of which ``score ** power`` come true."""
    rng = np.random.default_rng(seed)
    said = rng.beta(a, b, size)
    return scored_of(said, rng.random(size) < said**power)


def by(found: Scored) -> Calibration:
    made = calibration_of(Task("score"), {"positive": found}, "earlier outcomes")
    assert made is not None
    return made


def test_a_base_rate_that_has_moved_fires_and_says_where_and_how_far() -> None:
    verdict = judge(labelled(np.random.default_rng(5), 2_000, shift=0.8))
    assert (verdict.status, verdict.kind) == ("firing", "CalibrationDrift")
    assert verdict.evidence.details["way"] == "as a whole"
    assert verdict.evidence.value == pytest.approx(0.16, abs=0.03)
    assert "of the labels positive where these scores used to have 4" in verdict.evidence.sentence
    assert "by 2,000 labels and 3,000 of earlier outcomes" in verdict.evidence.sentence


def test_scores_that_are_too_sure_fire_though_the_base_rate_stays() -> None:
    rng = np.random.default_rng(1)
    odds = rng.normal(size=5_000) * 2.0
    truth = rng.random(5_000) < 1.0 / (1.0 + np.exp(-odds * 0.3))
    verdict = judge({"positive": scored_of(1.0 / (1.0 + np.exp(-odds)), truth)})
    assert verdict.status == "firing"
    assert verdict.evidence.details["way"] == "score by score"
    assert abs(verdict.evidence.details["moved_overall"]) < 0.02 < verdict.evidence.details["moved"]


def test_other_scores_that_mean_the_same_are_no_calibration_drift() -> None:
    usual = by(scores(2, 5, 20_000))
    for a, b in ((5, 2), (0.5, 0.5), (20, 20)):
        verdict = judge({"positive": scores(a, b, 20_000, seed=3)}, usual)
        assert verdict.status == "ok", verdict.evidence.sentence


def test_a_model_that_never_was_calibrated_is_none_the_worse() -> None:
    usual = by(scores(2, 2, 20_000, power=3.0))
    assert judge({"positive": scores(2, 2, 5_000, seed=1, power=3.0)}, usual).status == "ok"
    assert judge({"positive": scores(2, 2, 5_000, seed=1)}, usual).status == "firing"


def test_a_move_below_what_matters_is_let_pass_whatever_the_labels() -> None:
    usual, found = by(scores(2, 2, 300_000)), {"positive": scores(2, 2, 300_000, seed=1, power=1.05)}
    assert judge(found, usual).status == "ok"
    assert judge(found, usual, threshold=0.01).status == "firing"


@pytest.mark.parametrize(("a", "b"), [(2.0, 2.0), (0.3, 3.0), (0.05, 5.0)])
@pytest.mark.parametrize(("known", "size"), [(300, 1_000), (3_000, 200), (30_000, 1_000)])
def test_chance_passes_its_limits_no_more_often_than_it_may(
    a: float, b: float, known: int, size: int
) -> None:
    alpha, windows, beyond = 0.01, 400, np.zeros(2)
    for seed in range(windows):
        if seed % 20 == 0:
            cells = cells_of(scores(a, b, known, seed=10_000 + seed), decision=0.5)
        found = reliability(cells, scores(a, b, size, seed=seed))
        beyond += [
            found.moved > found.moved_by_chance(alpha),
            abs(found.moved_overall) > found.moved_overall_by_chance(alpha),
        ]
    # Four standard errors above what is promised.
    assert (beyond <= windows * alpha + 4 * (windows * alpha) ** 0.5).all(), beyond


def test_the_moves_are_those_of_plain_arithmetic() -> None:
    known = scored_of(np.repeat([0.31, 0.72], 1_000), np.arange(2_000) % 1_000 < np.repeat([300, 700], 1_000))
    now = scored_of(
        np.repeat([0.31, 0.72], [100, 300]), np.arange(400) % 100 < np.repeat([20, 80], [100, 300])
    )
    found = reliability(cells_of(known, decision=0.5), now)
    assert found.moved == pytest.approx(0.25 * 0.1 + 0.75 * 0.1)
    assert found.moved_overall == pytest.approx(-0.25 * 0.1 + 0.75 * 0.1)
    assert found.deviation == pytest.approx(0.5)
    assert (found.labels.tolist(), found.came.tolist()) == ([100, 300], [0.2, 0.8])


def test_classes_are_judged_each_and_the_worst_is_named() -> None:
    task = Task("probabilities", ("cat", "dog"))
    usual = calibration_of(task, {name: scores(2, 2, 5_000) for name in ("cat", "dog")}, "earlier outcomes")
    assert usual is not None
    now = {"cat": scores(2, 2, 2_000, seed=4), "dog": scores(2, 2, 2_000, seed=5, power=2.0)}
    verdict = judge(now, usual)
    assert (verdict.status, verdict.evidence.details["class"]) == ("firing", "dog")
    assert "of dog positive" in verdict.evidence.sentence


@pytest.mark.parametrize(
    ("found", "usual", "said"),
    [
        ({}, None, "0 of 200 labels"),
        ({"positive": scores(2, 2, 150)}, None, "150 of 200 labels"),
        ({"positive": scores(2, 2, 900)}, by(scores(2, 2, 120)), "120 of 200 labels to know what scores meant"),
        ({"positive": scores(2, 2, 900)}, by(scored_of(np.full(900, 0.4), np.zeros(900, bool))), "all labels of"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_said(found: Found, usual: Calibration | None, said: str) -> None:
    verdict = judge(found, usual)
    assert verdict.status == "insufficient"
    assert said in verdict.evidence.sentence
