"""Values outside the monitor's range."""

import numpy as np
import pytest
from detector_windows import make, number, window

from detectors.window import Window


def ages(total: int, outside: int) -> Window:
    return window(number(np.repeat([40.0, 400.0], [total - outside, outside]), low=18, high=100))


def test_values_out_of_range_fire() -> None:
    verdict = make("out_of_range", "number").observe(ages(3000, 150), ages(10_000, 0))
    assert verdict.status == "firing"
    assert verdict.score == pytest.approx(0.05)
    assert "5 % of 3,000 values out of range (reference 0 %)" in verdict.evidence.sentence


def test_what_the_reference_has_too_is_not_counted() -> None:
    verdict = make("out_of_range", "number").observe(ages(10_000, 580), ages(10_000, 500))
    assert verdict.score == pytest.approx(0.008)
    assert verdict.status == "ok"


def test_the_range_is_the_owners_word_and_needs_no_reference() -> None:
    assert make("out_of_range", "number").observe(ages(3000, 150), None).status == "firing"


def test_few_events_raise_the_threshold() -> None:
    verdict = make("out_of_range", "number").observe(ages(500, 9), None)
    assert verdict.score > 0.01
    assert verdict.status == "ok"
