"""Performance before labels: against simulated labels, exact where calibration is, with intervals that cover."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from detector_windows import number, scored_of
from numpy.typing import NDArray

from detectors.estimation.cells import CELL_LABELS, Cells, cells_of
from detectors.estimation.estimate import ESTIMATED, Estimate, estimates
from detectors.estimation.scored import score_names, scored
from detectors.outcomes.metrics import metrics
from detectors.outcomes.tally import summed
from detectors.outcomes.task import POSITIVE, Task, score_bin, score_bounds
from detectors.window import Column

Floats = NDArray[np.float64]
TASK = Task("score")
STEPS = np.round(np.arange(1, 20) * 0.05, 2)


def column(scores: Floats) -> Column:
    """Return the histogram of a profile: bins of 0.05, and a log-bucketed sketch, 32 buckets an octave."""
    mantissa, exponent = np.frexp(scores)
    buckets = np.ldexp(np.floor(mantissa * 64) / 64 + 1 / 128, exponent)
    values, counts = np.unique(buckets, return_counts=True)
    binned = number(scores, name="prediction", edges=STEPS)
    return replace(binned, sketch_values=values, sketch_counts=counts)


def chance(scores: Floats) -> Floats:
    """Return the true probability of the positive class: scores that say too much at both ends."""
    return 0.1 + 0.7 * scores**1.5


def calibrated(rng: np.random.Generator, size: int, *, a: float = 1.0, b: float = 1.0) -> Cells:
    scores = rng.beta(a, b, size)
    return cells_of(scored_of(scores, rng.random(size) < chance(scores)), decision=0.5)


def estimated(cells: Cells, scores: Floats, level: float = 0.95) -> dict[str, Estimate]:
    return estimates({POSITIVE: cells}, {POSITIVE: cells.counts(column(scores))}, level)


def realised(scores: Floats, truth: NDArray[np.bool_], decision: float = 0.5) -> dict[str, float]:
    """Return the metrics by their definitions, each from the scores themselves."""
    said = scores >= decision
    hits = float(np.sum(said & truth))
    ranks = np.empty(scores.size)
    ranks[np.argsort(scores)] = np.arange(1, scores.size + 1)
    p, q = int(truth.sum()), int((~truth).sum())
    right = np.where(truth, scores, 1.0 - scores)
    return {
        "accuracy": float(np.mean(said == truth)),
        "precision": hits / said.sum(),
        "recall": hits / p,
        "f1": 2 * hits / (said.sum() + p),
        "roc_auc": (float(ranks[truth].sum()) - p * (p + 1) / 2) / (p * q),
        "log_loss": float(np.mean(-np.log(right))),
        "brier": float(np.mean((scores - truth) ** 2)),
    }


@pytest.mark.parametrize("window", [(1.0, 1.0), (4.0, 2.0), (0.7, 3.0)])
def test_with_many_labels_and_predictions_the_estimate_comes_to_what_labels_show(
    window: tuple[float, float],
) -> None:
    rng = np.random.default_rng(11)
    cells = calibrated(rng, 400_000)
    off = []
    for size in (1_000, 1_000_000):
        scores = rng.beta(*window, size)
        found = estimated(cells, scores)
        truth = realised(scores, rng.random(size) < chance(scores))
        off.append([abs((found[name].value or 0.0) - truth[name]) for name in ESTIMATED["score"]])
    assert max(off[1]) < 0.006
    assert sum(off[1]) < sum(off[0])


def test_a_rare_class_is_told_apart_below_the_first_bin() -> None:
    rng = np.random.default_rng(12)
    scores = rng.beta(0.5, 40.0, 300_000)
    cells = cells_of(scored_of(scores, rng.random(scores.size) < scores), decision=0.03)
    fresh = rng.beta(0.5, 60.0, 300_000)
    truth = rng.random(fresh.size) < fresh
    found = estimated(cells, fresh)
    for name, shown in realised(fresh, truth, 0.03).items():
        assert found[name].value == pytest.approx(shown, abs=0.015), name


@pytest.mark.parametrize("labels", [500, 2_500])
@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (3.0, 2.0)])
@pytest.mark.parametrize("size", [400, 4_000])
def test_the_interval_holds_the_realised_metric_as_often_as_it_says(
    labels: int, a: float, b: float, size: int
) -> None:
    rng = np.random.default_rng(13)
    runs, level = 150, 0.9
    held = dict.fromkeys(ESTIMATED["score"], 0)
    for _ in range(runs):
        cells = calibrated(rng, labels)
        scores = rng.beta(a, b, size)
        found = estimated(cells, scores, level)
        truth = realised(scores, rng.random(size) < chance(scores))
        for name in held:
            held[name] += found[name].low <= truth[name] <= found[name].high
    for name, hits in held.items():
        # 0.9 of 150 within three standard errors, and not so wide as to say nothing.
        assert 0.82 <= hits / runs <= 0.985, name


def test_on_the_labelled_scores_themselves_the_estimate_is_their_metric() -> None:
    rng = np.random.default_rng(14)
    scores = rng.random(3_000)
    truth = rng.random(scores.size) < chance(scores)
    tally = summed(TASK.outcome(float(s), bool(t)) for s, t in zip(scores, truth, strict=True))
    found = scored(TASK, tally)[POSITIVE]
    cells = cells_of(found, decision=0.5)
    told = estimates({POSITIVE: cells}, {POSITIVE: cells.counts_of(found)})
    for name, metric in metrics(TASK, tally).items():
        if name in told:
            assert told[name].value == pytest.approx(metric.value, abs=2e-3), name


def test_round_scores_lie_in_the_cell_their_histogram_puts_them_in() -> None:
    scores = np.repeat(STEPS, 40)
    cells = cells_of(scored_of(scores, scores > 2.0), decision=0.5)
    assert cells.counts(column(scores)).tolist() == cells.labels.tolist()
    assert cells.counts(column(scores))[cells.decided].sum() == 40 * np.sum(STEPS >= 0.5)


def test_cells_hold_enough_labels_and_none_lies_across_the_decision() -> None:
    cells = calibrated(np.random.default_rng(15), 3_000)
    assert cells.labels.min() >= CELL_LABELS
    assert 0.5 in cells.edges
    few = calibrated(np.random.default_rng(15), 25)
    assert few.edges.tolist() == [0.5]


def test_fewer_labels_make_a_wider_interval() -> None:
    rng = np.random.default_rng(16)
    scores = rng.random(5_000)
    few, many = (estimated(calibrated(rng, labels), scores) for labels in (300, 30_000))
    for name in ESTIMATED["score"]:
        assert few[name].error > 1.5 * many[name].error, name


@pytest.mark.parametrize(
    ("scores", "truth", "name", "why"),
    [
        ([0.1, 0.2], [True, False], "precision", "nothing is predicted positive"),
        ([0.1, 0.9], [False, False], "recall", "no positive is expected"),
        ([0.1, 0.2], [False, False], "f1", "nothing is positive"),
        ([0.1, 0.9], [True, True], "roc_auc", "one class only"),
    ],
)
def test_what_is_undefined_says_why(scores: list[float], truth: list[bool], name: str, why: str) -> None:
    many, told = np.repeat(scores, 50), np.repeat(truth, 50)
    found = estimated(cells_of(scored_of(many, told), decision=0.5), many)[name]
    assert found.value is None
    assert why in found.why
    empty = estimates({POSITIVE: calibrated(np.random.default_rng(1), 100)}, {POSITIVE: np.zeros(2)})
    assert {one.why for one in empty.values()} == {"there are no predictions"}


def test_scores_beyond_those_with_labels_are_unseen() -> None:
    low = np.linspace(0.1, 0.4, 400)
    cells = cells_of(scored_of(low, low > 0.3), decision=0.5)
    assert cells.unseen(column(low)) == 0.0
    assert cells.unseen(column(np.concatenate((low, low + 0.5)))) == pytest.approx(0.5, abs=0.02)


def test_of_several_classes_losses_add_up_and_areas_are_averaged() -> None:
    rng = np.random.default_rng(17)
    task = Task("probabilities", ("cat", "dog", "owl"))
    shares = rng.dirichlet((1.0, 1.0, 1.0), 4_000)
    truth = [task.classes[int(rng.choice(3, p=row))] for row in shares]
    rows: list[Any] = [dict(zip(task.classes, row, strict=True)) for row in shares.tolist()]
    tally = summed(task.outcome(row, label) for row, label in zip(rows, truth, strict=True))
    found = scored(task, tally)
    assert tuple(found) == score_names(task) == task.classes
    cells = {name: cells_of(one, decision=None, one_of_many=True) for name, one in found.items()}
    counts = {name: cells[name].counts(column(shares[:, at])) for at, name in enumerate(task.classes)}
    told, measured = estimates(cells, counts), metrics(task, tally)
    assert set(told) == set(ESTIMATED["probabilities"])
    for name, one in told.items():
        assert one.value == pytest.approx(measured[name].value, abs=2e-3), name
        assert one.low < (measured[name].value or 0.0) < one.high


def test_a_bins_bounds_hold_the_scores_that_are_in_it() -> None:
    for score in np.random.default_rng(18).beta(0.3, 0.3, 5_000).tolist():
        low, high = score_bounds(score_bin(score))
        assert low <= score <= high
    assert not set(score_names(Task("number")) + score_names(Task("class", ("a",))))
