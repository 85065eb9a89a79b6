"""Metrics of tallies against the same metrics of the raw data, computed here from their definitions."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from detectors.outcomes.metrics import METRICS, OF_TASK, Metric, metrics
from detectors.outcomes.tally import summed
from detectors.outcomes.task import Task, score_bin

Rows = list[tuple[Any, Any]]
SCORE = Task("score")

scored = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def of(task: Task, rows: Rows, costs: Any = None) -> dict[str, Metric]:
    return metrics(task, summed(task.outcome(*row) for row in rows), costs)


def value(task: Task, rows: Rows, name: str, costs: Any = None) -> float:
    found = of(task, rows, costs)[name].value
    assert found is not None
    return found


def exact_roc_area(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The Mann-Whitney statistic over all pairs, by midranks, on the raw scores."""
    ranks = stats.rankdata(scores)
    p, n = int(truth.sum()), int((~truth).sum())
    return float((ranks[truth].sum() - p * (p + 1) / 2) / (p * n))


def exact_pr_area(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Sum over thresholds of (recall step) x precision, tied scores being one threshold."""
    area = held = 0.0
    for threshold in np.unique(scores)[::-1]:
        chosen = scores >= threshold
        recall = float((truth & chosen).sum() / truth.sum())
        area += (recall - held) * float((truth & chosen).sum() / chosen.sum())
        held = recall
    return area


def draw(seed: int, size: int, shift: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    generator = np.random.default_rng(seed)
    truth = generator.random(size) < 0.1
    scores = 1.0 / (1.0 + np.exp(-generator.normal(-4.0 + shift * truth, 1.5)))
    return scores, truth


@given(st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_bins_rise_with_the_scores_and_are_narrow(scores: list[float]) -> None:
    ordered = sorted(scores)
    bins = [score_bin(score) for score in ordered]
    assert bins == sorted(bins)
    for low, high in itertools.pairwise(ordered):
        if score_bin(low) == score_bin(high):
            assert high - low <= max(min(low, 1 - high) / 128 + 1e-15, 2.0**-20)


@settings(max_examples=200)
@given(scored)
def test_binned_areas_are_off_by_no_more_than_they_say(rows: Rows) -> None:
    scores, truth = np.array([s for s, _ in rows]), np.array([t for _, t in rows])
    found = of(SCORE, rows)
    if truth.any() and not truth.all():
        roc = found["roc_auc"]
        assert roc.value is not None
        assert abs(roc.value - exact_roc_area(scores, truth)) <= roc.bound + 1e-12
    if truth.any():
        pr = found["pr_auc"]
        assert pr.value is not None
        assert abs(pr.value - exact_pr_area(scores, truth)) <= pr.bound + 1e-12


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_binned_areas_of_a_rare_class_are_good_to_a_thousandth(shift: float) -> None:
    scores, truth = draw(3, 10_000, shift)
    found = of(SCORE, list(zip(scores.tolist(), truth.tolist(), strict=True)))
    roc, pr = found["roc_auc"], found["pr_auc"]
    assert roc.value == pytest.approx(exact_roc_area(scores, truth), abs=1e-4)
    assert pr.value == pytest.approx(exact_pr_area(scores, truth), abs=1e-3)
    assert roc.bound < 3e-3
    assert pr.bound < 3e-2


def test_standard_errors_are_those_of_repeated_sampling() -> None:
    found = []
    for seed in range(100):
        scores, truth = draw(seed, 400, 4.0)
        found.append(of(SCORE, list(zip(scores.tolist(), truth.tolist(), strict=True))))
    for name in ("roc_auc", "f1", "recall", "log_loss", "brier"):
        values = [one[name].value for one in found]
        spread = float(np.std([one for one in values if one is not None]))
        assert float(np.mean([one[name].error for one in found])) == pytest.approx(spread, rel=0.25), name


@settings(max_examples=100)
@given(scored)
def test_counts_and_losses_of_scores_are_exact(rows: Rows) -> None:
    scores, truth = np.array([s for s, _ in rows]), np.array([t for _, t in rows])
    said = scores >= 0.5
    found = of(SCORE, rows)
    assert found["accuracy"].value == pytest.approx(float((said == truth).mean()))
    if said.any():
        assert found["precision"].value == pytest.approx(float(truth[said].mean()))
    else:
        assert found["precision"].why == "nothing was predicted positive"
    if truth.any():
        assert found["recall"].value == pytest.approx(float(said[truth].mean()))
    else:
        assert found["recall"].why == "no label is positive"
    likely = np.clip(np.where(truth, scores, 1.0 - scores), 2.0**-52, 1.0)
    assert found["log_loss"].value == pytest.approx(float(-np.log(likely).mean()), abs=1e-12)
    assert found["brier"].value == pytest.approx(float(((scores - truth) ** 2).mean()), abs=1e-12)
    gaps = 0.0
    place = np.minimum((scores * 15).astype(int), 14)
    for one in np.unique(place):
        here = place == one
        gaps += here.mean() * abs(float(truth[here].mean()) - float(scores[here].mean()))
    assert found["calibration_error"].value == pytest.approx(gaps, abs=1e-12)


def test_a_calibrated_model_has_no_more_calibration_error_than_chance_gives() -> None:
    generator = np.random.default_rng(5)
    scores = generator.random(5_000)
    found = of(SCORE, [(s, bool(generator.random() < s)) for s in scores.tolist()])["calibration_error"]
    assert found.value is not None
    assert found.value < 2 * found.error
    skewed = of(SCORE, [(s, bool(generator.random() < s / 2)) for s in scores.tolist()])["calibration_error"]
    assert skewed.value is not None
    assert skewed.value > 10 * skewed.error


def test_one_class_alone_leaves_undefined_what_it_must_and_says_why() -> None:
    found = of(SCORE, [(0.1, False), (0.2, False)])
    assert found["roc_auc"].value is None
    assert found["roc_auc"].why == "all labels are negative: there is nothing to tell apart"
    assert found["pr_auc"].value is None
    assert found["f1"].value is None
    assert math.isnan(found["f1"].error)
    assert found["accuracy"].value == 1.0
    assert found["brier"].value == pytest.approx(0.025)


def test_without_outcomes_nothing_is_defined() -> None:
    for kind, names in OF_TASK.items():
        found = metrics(Task(kind), {}, {"positive": {"negative": 1.0}})
        assert tuple(found) == names
        assert all(one.value is None and one.why for one in found.values())
        assert set(names) <= METRICS.keys()


def test_several_classes_are_averaged_over_those_where_the_metric_is_defined() -> None:
    task = Task("class", ("cat", "dog", "bird", "fish"))
    rows = [("cat", "cat"), ("cat", "dog"), ("dog", "dog"), ("dog", "dog"), ("bird", "cat")]
    assert value(task, rows, "accuracy") == pytest.approx(3 / 5)
    assert value(task, rows, "precision") == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert value(task, rows, "recall") == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert value(task, rows, "f1") == pytest.approx((1 / 2 + 4 / 5 + 0) / 3)


def test_classes_nobody_listed_are_wrong_even_when_they_agree() -> None:
    task = Task("class", ("cat", "dog"))
    assert value(task, [("cat", "cat"), ("emu", "ostrich")], "accuracy") == 0.5


def test_probabilities_are_scored_class_by_class() -> None:
    generator = np.random.default_rng(8)
    names = ("a", "b", "c")
    shares = generator.dirichlet((1.0, 1.0, 1.0), 400)
    truth = [names[generator.choice(3, p=row)] for row in shares]
    rows = [
        (dict(zip(names, row.tolist(), strict=True)), label) for row, label in zip(shares, truth, strict=True)
    ]
    task = Task("probabilities", names)
    hot = np.array([[label == name for name in names] for label in truth])
    areas = [exact_roc_area(shares[:, at], hot[:, at]) for at in range(3)]
    assert value(task, rows, "roc_auc") == pytest.approx(float(np.mean(areas)), abs=2e-3)
    assert value(task, rows, "log_loss") == pytest.approx(float(-np.log(shares[hot]).mean()))
    assert value(task, rows, "brier") == pytest.approx(float(((shares - hot) ** 2).sum(axis=1).mean()))
    assert value(task, rows, "accuracy") == pytest.approx(float(hot[np.arange(400), shares.argmax(1)].mean()))


def test_a_class_that_was_never_foreseen_costs_the_most() -> None:
    task = Task("probabilities", ("a", "b"))
    rows = [({"a": 0.5, "b": 0.5}, "z")]
    assert value(task, rows, "log_loss") == pytest.approx(52 * math.log(2))
    assert value(task, rows, "brier") == pytest.approx(1.5)


def test_costs_are_paid_by_the_confusion_matrix() -> None:
    costs = {"positive": {"negative": 20.0}, "negative": {"positive": 1.0}}
    rows = [(0.9, True), (0.1, True), (0.9, False), (0.1, False)]
    assert value(SCORE, rows, "cost", costs) == pytest.approx(21 / 4)
    assert "cost" not in of(SCORE, rows)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=40))
def test_errors_of_numbers_are_exact(rows: Rows) -> None:
    task = Task("number")
    predicted, truth = np.array(rows).T
    error = predicted - truth
    assert value(task, rows, "mae") == pytest.approx(float(np.abs(error).mean()))
    assert value(task, rows, "rmse") == pytest.approx(float(np.sqrt((error**2).mean())), rel=1e-9, abs=1e-15)
    assert value(task, rows, "bias") == pytest.approx(float(error.mean()), abs=1e-9)
    found = of(task, rows)["mape"]
    held = np.abs(truth) > 0
    assert found.samples == held.sum()
    if held.any() and not (np.abs(truth[held]) < 1e-30).any():
        assert found.value == pytest.approx(float(np.abs(error[held] / truth[held]).mean()))


def test_a_percentage_of_nothing_is_left_out_and_said() -> None:
    task = Task("number")
    assert value(task, [(3.0, 2.0), (1.0, 0.0)], "mape") == 0.5
    alone = of(task, [(1.0, 0.0)])["mape"]
    assert alone.value is None
    assert "every true value is zero" in alone.why
