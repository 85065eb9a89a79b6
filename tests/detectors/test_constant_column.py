"""A column that has stopped varying: when it is one, and when it hardly varied before."""

import math

import numpy as np
import pytest
from detector_windows import category, make, number, window

from detectors.window import Column

RNG = np.random.default_rng(0)
VARIED = number(RNG.normal(size=5000))


@pytest.mark.parametrize("value", [0.0, -0.7, 250.0])
def test_a_number_stuck_at_one_value_fires_whether_usual_or_not(value: float) -> None:
    verdict = make("constant_column", "number").observe(window(number(np.full(600, value))), window(VARIED))
    assert verdict.status == "firing"
    assert f"x: all 600 values are {value:g}, which held" in verdict.evidence.sentence


def test_two_values_are_no_constant() -> None:
    values = np.array([3.0] * 4999 + [3.1])
    verdict = make("constant_column", "number").observe(window(number(values)), window(VARIED))
    assert (verdict.score, verdict.status) == (0.0, "ok")
    assert "5,000 values vary" in verdict.evidence.sentence


@pytest.mark.parametrize(
    ("column", "name"),
    [(category([800, 0, 0]), "free"), (category([0, 0, 0], enterprise=800), "enterprise")],
)
def test_a_category_stuck_at_one_fires_listed_or_not(column: Column, name: str) -> None:
    verdict = make("constant_column", "category").observe(window(column), window(category([600, 300, 100])))
    assert verdict.status == "firing"
    assert f"are {name}," in verdict.evidence.sentence


@pytest.mark.parametrize(
    "column", [category([799, 1, 0]), category([0, 0, 0], a=400, b=400), category([799, 0, 0], a=1)]
)
def test_categories_that_vary_are_ok(column: Column) -> None:
    usual = window(category([600, 300, 100]))
    assert make("constant_column", "category").observe(window(column), usual).score == 0.0


def test_the_score_is_the_chance_of_a_run_of_the_references_share() -> None:
    verdict = make("constant_column", "category", min_samples=20).observe(
        window(category([21, 0, 0])), window(category([4999, 4000, 1000]))
    )
    assert verdict.score == pytest.approx(20 * math.log10(10_000 / 5000))
    assert verdict.threshold == 6.0


def test_one_value_by_chance_is_within_alpha() -> None:
    usual = window(category([8000, 2000], listed=["a", "b"]))
    rng = np.random.default_rng(1)
    detector = make("constant_column", "category", min_samples=10, alpha=0.05, threshold=0.0)
    draws = rng.binomial(20, 0.8, 2000)
    fired = sum(
        detector.observe(window(category([int(a), 20 - int(a)], listed=["a", "b"])), usual).status == "firing"
        for a in draws
    )
    assert 0 < fired <= 0.05 * 2000


@pytest.mark.parametrize("usual", [number(np.full(5000, 0.0)), number(np.array([0.0] * 4900 + [1.0] * 100))])
def test_a_reference_that_hardly_varied_says_nothing(usual: Column) -> None:
    verdict = make("constant_column", "number").observe(window(number(np.zeros(5000))), window(usual))
    assert (verdict.score, verdict.status) == (0.0, "ok")


def test_a_narrow_number_far_from_zero_is_told_by_its_bins() -> None:
    """All of it falls into one bucket of the sketch."""
    edges = np.array([1011.0, 1012.0, 1013.0, 1014.0])
    usual = number(np.random.default_rng(2).normal(1013, 1, 4000), edges=edges)
    stuck = number(np.full(700, 1012.5), edges=edges)
    assert make("constant_column", "number").observe(window(stuck), window(usual)).status == "firing"
