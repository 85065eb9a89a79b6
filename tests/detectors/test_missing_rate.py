"""Missing values: excess over the reference, and stricter where a value is required."""

import numpy as np
import pytest
from detector_windows import category, make, number, window
from scipy.stats import binom

from detectors.window import Window


def ages(rows: int, missing: int) -> Window:
    return window(number(np.zeros(rows - missing), missing=missing), events=rows)


def test_a_feature_that_goes_missing_fires() -> None:
    verdict = make("missing_rate", "number").observe(ages(3000, 360), ages(10_000, 100))
    assert verdict.status == "firing"
    assert verdict.score == pytest.approx(0.11)
    assert verdict.evidence.sentence == "x: 12 % of 3,000 values missing (reference 1 %), excess 11 % > 2 %"


def test_all_missing_fires() -> None:
    assert make("missing_rate", "number").observe(ages(3000, 3000), ages(10_000, 9000)).status == "firing"


def test_an_excess_below_the_threshold_is_a_near_miss() -> None:
    verdict = make("missing_rate", "number").observe(ages(300_000, 8000), ages(100_000, 1000))
    assert 0.015 < verdict.score < 0.02
    assert verdict.status == "ok"


def test_a_feature_less_often_missing_is_well() -> None:
    verdict = make("missing_rate", "number").observe(ages(3000, 0), ages(3000, 1500))
    assert (verdict.score, verdict.status) == (0.0, "ok")


def test_few_rows_raise_the_threshold() -> None:
    verdict = make("missing_rate", "number").observe(ages(500, 75), ages(500, 50))
    assert verdict.score == pytest.approx(0.05)
    assert verdict.status == "ok"
    critical = round((verdict.threshold + 0.1) * 500)
    assert binom.sf(critical, critical + 1 + 50, 0.5) <= 1e-6 < binom.sf(critical - 1, critical + 50, 0.5)


def test_a_tenth_of_a_percent_matters_where_a_value_is_required() -> None:
    current, usual = ages(20_000, 40), ages(100_000, 0)
    assert make("missing_rate", "number").observe(current, usual).status == "ok"
    assert make("missing_rate", "number", required=True).observe(current, usual).status == "firing"


def test_a_required_value_needs_no_reference() -> None:
    assert make("missing_rate", "number", required=True).observe(ages(2000, 200), None).status == "firing"
    assert make("missing_rate", "number", required=True).observe(ages(2000, 1), None).status == "ok"


def test_categories_are_judged_alike() -> None:
    current = window(category([300, 200, 100], missing=400))
    assert (
        make("missing_rate", "category").observe(current, window(category([600, 300, 100]))).status
        == "firing"
    )
