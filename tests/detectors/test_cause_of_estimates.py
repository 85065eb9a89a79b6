"""What raises an estimate of errors, and what moved with an estimate by scores."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from detector_windows import SCORE_EDGES, calibrated, category, number, window
from numpy.typing import NDArray

from detectors.base import Evidence, Verdict
from detectors.cause.inquiry import inquire
from detectors.cause.ranked import Ranked, ranked
from detectors.cause.scene import Place, Scene
from detectors.estimation.loss_fit import fit
from detectors.estimation.losses import LossColumn, LossModel
from detectors.window import Window

CUTS = np.array([-1.0, 0.0, 1.0])
BINS = tuple(f"bin {at}" for at in range(4))
PLANS = ("free", "pro")


def rows(seed: int, size: int, x: float, pro: float, missing: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "x": np.where(rng.random(size) < missing, np.nan, rng.normal(x, 1.0, size)),
        "y": rng.normal(size=size),
        "plan": (rng.random(size) < pro).astype(int),
    }


def deviation(given: dict[str, Any]) -> NDArray[np.float64]:
    x = given["x"]
    return np.asarray(np.where(np.isnan(x), 4.0, 0.5 + (x > 1.0) * 1.0) + given["plan"] * 1.0)


def learnt() -> LossModel:
    given = rows(1, 30_000, 0.0, 0.1, 0.05)
    x = np.where(np.isnan(given["x"]), 4, np.searchsorted(CUTS, given["x"], side="right"))
    codes = np.column_stack((x, np.searchsorted(CUTS, given["y"], side="right"), given["plan"]))
    named = [LossColumn(name, BINS, np.zeros(5), (), (), -9.0, 9.0) for name in ("x", "y")]
    errors = np.abs(np.random.default_rng(2).normal(size=30_000)) * deviation(given)
    return fit(
        [*named, LossColumn("plan", (*PLANS, "other"), np.zeros(4))], codes, errors, "the reference file"
    )


def seen(given: dict[str, Any], model: LossModel | None = None) -> Window:
    x = given["x"][~np.isnan(given["x"])]
    size = given["y"].size
    columns = (
        number(x, name="x", edges=CUTS, missing=size - x.size),
        number(given["y"], name="y", edges=CUTS),
        category(np.bincount(given["plan"], minlength=2).tolist(), listed=PLANS),
        number(np.zeros(size), name="prediction"),
    )
    return replace(window(*columns), loss_model=model)


def verdict(metric: str) -> Verdict:
    return Verdict(
        "estimated_performance", "EstimatedPerformanceDrop", metric, "firing", 9.0, 3.0, 500, Evidence("")
    )


def cause(now: Window, metric: str = "mae", usual: Window | None = None) -> Ranked:
    found = ranked(verdict(metric), now, usual)
    assert found is not None
    return found


def test_columns_are_named_by_what_they_add_to_the_expected_error() -> None:
    model = learnt()
    now = rows(3, 20_000, 1.0, 0.3, 0.05)
    for metric, power in (("mae", 1), ("rmse", 2)):
        found = cause(seen(now, model), metric)
        assert [one.what for one in found.features] == ["x", "plan"]
        assert sum(one.share for one in found.features) == pytest.approx(1.0, abs=0.05)
        # By hand, errors being normal: what each column's move alone does to the mean loss.
        before = rows(1, 20_000, 0.0, 0.1, 0.05)
        moment = np.sqrt(2 / np.pi) if power == 1 else 1.0
        only = {
            name: float(np.mean(moment * deviation(before | {name: now[name]}) ** power))
            for name in ("x", "plan")
        }
        base = float(np.mean(moment * deviation(before) ** power))
        ratio = (only["x"] - base) / (only["plan"] - base)
        assert found.features[0].share / found.features[1].share == pytest.approx(ratio, rel=0.25)
    assert "expected errors are raised by: x " in found.sentence
    assert "(values bin 3 " in found.sentence
    assert "('pro' " in found.sentence
    assert found.features[1].direction == "up"


def test_missing_values_are_named_as_such() -> None:
    found = cause(seen(rows(5, 10_000, 0.0, 0.1, 0.4), learnt()))
    assert [one.what for one in found.features] == ["x"]
    assert "x 99 % (missing values 5.08 % → 40.1 %)" in found.sentence


def test_where_nothing_raises_the_error_nothing_is_named() -> None:
    model = learnt()
    easier = seen(rows(6, 10_000, -2.0, 0.0, 0.0), model)
    assert ranked(verdict("mae"), easier, None) is None
    assert ranked(verdict("recall"), easier, None) is None


def test_of_scores_it_is_told_which_features_moved_with_them() -> None:
    scores = number(np.full(500, 0.5), name="prediction", edges=SCORE_EDGES)
    usual = window(number(np.random.default_rng(7).normal(size=5_000), name="age"), scores)
    now = replace(
        window(number(np.random.default_rng(8).normal(2.0, 1.0, 5_000), name="age"), scores),
        calibration=calibrated(),
    )
    assert cause(now, "recall", usual).sentence.startswith("features that moved with it: age 100 %")
    same = replace(usual, calibration=calibrated())
    assert cause(same, "recall", usual).sentence == "no feature moved with it"
    assert ranked(verdict("recall"), same, None) is None


def test_the_likely_cause_names_first_the_feature_that_raises_the_error() -> None:
    now = seen(rows(9, 10_000, 1.5, 0.1, 0.05), learnt())
    moving = {Place("1", "", name) for name in ("a", "b", "x")}
    scene = Scene(moving=moving, features=dict.fromkeys(("a", "b", "x"), ""))
    found = inquire(verdict("mae"), Place("1", "", "mae"), scene, now, None)
    assert found is not None
    assert found.told["likely"] == {"origin": "inputs", "sentence": "the inputs: alerts fire on x, a, b too"}
    assert found.told["features"][0]["what"] == "x"
    assert found.sentence.startswith("expected errors are raised by: x ")
