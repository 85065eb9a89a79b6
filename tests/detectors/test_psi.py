"""The population stability index: its value, and when it fires."""

import numpy as np
import pytest
from detector_windows import binned, category, make, number, window
from scipy.stats import chi2

from detectors.window import Column, Window


def textbook(current: list[int], reference: list[int]) -> float:
    p, q = np.array(current) / sum(current), np.array(reference) / sum(reference)
    return float(np.sum((p - q) * np.log(p / q)))


def test_with_full_bins_it_is_the_textbook_figure() -> None:
    current, reference = [30_000, 40_000, 30_000], [50_000, 30_000, 20_000]
    verdict = make("psi", "number").observe(window(binned(current)), window(binned(reference)))
    assert verdict.score == pytest.approx(textbook(current, reference), rel=1e-3)
    assert verdict.score == pytest.approx(0.17150, abs=1e-4)
    assert verdict.status == "ok"


def test_a_moved_feature_fires_and_the_sentence_tells_how() -> None:
    edges = np.array([10_000.0, 50_000.0, 80_000.0])
    rng = np.random.default_rng(0)
    usual = window(number(rng.normal(52_300, 8000, 20_000), edges=edges))
    verdict = make("psi", "number").observe(window(number(rng.normal(4.4, 1, 3000), edges=edges)), usual)
    assert verdict.status == "firing"
    sentence = verdict.evidence.sentence
    assert sentence.startswith("x: mean 52,300 → 4.4")
    assert "> 0.2 over 3,000 events; 100 % below 10,000 (reference 0 %)" in sentence
    assert verdict.evidence.current == (1.0, 0.0, 0.0, 0.0)
    assert sum(verdict.evidence.reference) == pytest.approx(1.0)


def test_a_category_names_the_two_that_moved_most() -> None:
    verdict = make("psi", "category").observe(
        window(category([100, 800, 100])), window(category([6000, 3000, 1000]))
    )
    assert verdict.status == "firing"
    assert "free 10 % (reference 60 %), pro 80 % (reference 30 %)" in verdict.evidence.sentence


def test_a_change_too_small_to_matter_stays_ok_however_many_events_prove_it() -> None:
    current, reference = [5_200_000, 4_800_000], [5_000_000, 5_000_000]
    assert make("psi", "number").observe(window(binned(current)), window(binned(reference))).status == "ok"


def test_few_events_in_many_bins_raise_the_threshold() -> None:
    even = binned([2500] * 60)
    few = make("psi", "number").observe(window(binned([10] * 60)), window(even))
    many = make("psi", "number").observe(window(binned([1300] * 60)), window(even))
    law = (1 / 600 + 1 / 150_000) * float(chi2.isf(1e-6, 59))
    assert few.threshold == pytest.approx(law * (1 + 6 / 10))
    assert few.threshold > 0.2
    assert many.threshold == 0.2


def test_a_bin_empty_on_one_side_gives_a_finite_large_score() -> None:
    verdict = make("psi", "number").observe(window(binned([0, 0, 900])), window(binned([500, 500, 0])))
    assert 5 < verdict.score < 50


def test_a_long_tail_of_rare_categories_is_no_drift() -> None:
    shares = 1 / np.arange(1, 201) ** 1.2
    rng = np.random.default_rng(3)
    names = [f"c{i}" for i in range(200)]
    for _ in range(200):
        now, usual = (rng.multinomial(n, shares / shares.sum()).tolist() for n in (500, 200_000))
        detector = make("psi", "category")
        verdict = detector.observe(window(category(now, listed=names)), window(category(usual, listed=names)))
        assert verdict.status == "ok", verdict.evidence.sentence


@pytest.mark.parametrize(
    ("usual", "reason"),
    [
        (None, "no reference"),
        (window(), "no reference"),
        (window(Column("x", "number", count=900)), "still warms up"),
        (window(binned([0, 0, 0])), "no values"),
        (window(binned([300, 300])), "3 bins in the window, 2 in the reference"),
        (window(category([300, 300], name="x", listed=["a", "b"])), "a number in the window, a category"),
        (window(number([1.0] * 900, edges=np.array([5.0, 6.0]))), "different layouts"),
    ],
)
def test_what_cannot_be_compared_is_insufficient_and_says_why(usual: Window | None, reason: str) -> None:
    verdict = make("psi", "number").observe(window(binned([300, 300, 300])), usual)
    assert verdict.status == "insufficient"
    assert reason in verdict.evidence.sentence
