"""Hellinger, total variation, l-infinity and G: their values against scipy's, and when they fire."""

import numpy as np
import pytest
from detector_windows import binned, category, make, window
from scipy.spatial.distance import chebyshev, cityblock, euclidean
from scipy.stats import chi2_contingency

NOW, USUAL = [300, 400, 300], [5000, 3000, 2000]
P, Q = np.array(NOW) / 1000, np.array(USUAL) / 10_000

EXPECTED = {
    "hellinger": float(euclidean(np.sqrt(P), np.sqrt(Q))) / 2**0.5,
    "total_variation": float(cityblock(P, Q)) / 2,
    "l_infinity": float(chebyshev(P, Q)),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_score_is_scipys_figure(name: str) -> None:
    verdict = make(name, "number").observe(window(binned(NOW)), window(binned(USUAL)))
    assert verdict.score == pytest.approx(EXPECTED[name], rel=1e-12)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_is_the_same_from_either_side_and_one_for_disjoint_distributions(name: str) -> None:
    one, two = (window(category([300, 400, 300])), window(category([800, 100, 100])))
    detector = make(name, "category")
    assert detector.observe(one, two).score == pytest.approx(detector.observe(two, one).score, rel=1e-12)
    apart = detector.observe(window(category([900, 0, 0])), window(category([0, 0, 900])))
    assert apart.score == pytest.approx(1.0)
    assert apart.status == "firing"


def test_g_is_scipys_likelihood_ratio_over_its_small_sample_factor() -> None:
    verdict = make("g_test", "number").observe(window(binned(NOW)), window(binned(USUAL)))
    statistic = chi2_contingency([NOW, USUAL], correction=False, lambda_="log-likelihood").statistic
    fewest = 1000 * 2300 / 11_000
    # With two degrees of freedom p is exp(-G / 2).
    assert verdict.score == pytest.approx(statistic / (1 + 1 / fewest) / 2 / np.log(10), rel=1e-9)
    assert verdict.status == "firing"


def test_g_is_silent_about_what_is_sure_but_too_small_to_matter() -> None:
    usual = window(binned([5_000_000, 5_000_000]))
    assert make("g_test", "number").observe(window(binned([5_200_000, 4_800_000])), usual).score == 0.0


@pytest.mark.parametrize("name", ["g_test", *EXPECTED])
def test_a_moved_category_fires_and_names_it_and_a_near_miss_does_not(name: str) -> None:
    usual = window(category([6000, 3000, 1000]))
    verdict = make(name, "category").observe(window(category([900, 1800, 300])), usual)
    assert verdict.status == "firing"
    assert "free 30 % (reference 60 %), pro 60 % (reference 30 %)" in verdict.evidence.sentence
    near = make(name, "category").observe(window(category([1600, 1100, 300])), usual)
    assert near.score < near.threshold
    assert near.status == "ok"


def test_one_category_of_many_moves_l_infinity_but_not_total_variation() -> None:
    names = [f"c{i}" for i in range(10)]
    usual = window(category([1000] * 10, listed=names))
    now = window(category([2500, *[834] * 9], listed=names))
    assert make("l_infinity", "category").observe(now, usual).status == "firing"
    assert make("total_variation", "category").observe(now, usual).status == "ok"


@pytest.mark.parametrize("name", ["total_variation", "l_infinity"])
def test_few_events_raise_the_threshold_and_many_bring_it_down(name: str) -> None:
    even = window(binned([25_000] * 20))
    few = make(name, "number").observe(window(binned([25] * 20)), even)
    many = make(name, "number").observe(window(binned([5000] * 20)), even)
    assert few.threshold > many.threshold or few.threshold == many.threshold == 0.1
    assert make(name, "number", threshold=0.0).observe(window(binned([25] * 20)), even).threshold > 0.05
