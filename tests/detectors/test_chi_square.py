"""The chi-square test: its value against scipy's, and the effect it asks for."""

import math

import pytest
from detector_windows import category, make, window
from scipy.stats import chi2_contingency

LISTED = ["free", "pro", "team"]


def test_the_score_is_scipys_p_value() -> None:
    current, reference = [400, 400, 200, 0], [5000, 3000, 2000, 0]
    verdict = make("chi_square").observe(window(category(current[:3])), window(category(reference[:3])))
    p = chi2_contingency([current[:3], reference[:3]], correction=False).pvalue
    assert verdict.score == pytest.approx(-math.log10(p), rel=1e-9)
    assert verdict.status == "firing"


def test_a_significant_but_small_effect_scores_nothing() -> None:
    current, reference = [520_000, 380_000, 100_000], [500_000, 400_000, 100_000]
    p = chi2_contingency([current, reference], correction=False).pvalue
    assert p < 1e-100
    verdict = make("chi_square").observe(window(category(current)), window(category(reference)))
    assert (verdict.score, verdict.status) == (0.0, "ok")


def test_a_large_effect_in_too_few_events_stays_ok() -> None:
    verdict = make("chi_square", min_samples=100).observe(
        window(category([38, 40, 22])), window(category([5000, 3000, 2000]))
    )
    assert 0 < verdict.score < verdict.threshold == 6.0
    assert verdict.status == "ok"


def test_the_threshold_follows_alpha_and_never_falls_below_its_own() -> None:
    same = window(category([600, 300, 100]))
    assert make("chi_square", alpha=1e-9).observe(same, same).threshold == pytest.approx(9.0)
    assert make("chi_square", alpha=0.1, threshold=4).observe(same, same).threshold == 4.0


def test_a_p_value_below_what_a_double_holds_is_capped() -> None:
    verdict = make("chi_square").observe(
        window(category([0, 0, 90_000])), window(category([60_000, 30_000, 0]))
    )
    assert verdict.score == 300.0
