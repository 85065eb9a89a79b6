"""The Jensen-Shannon distance: its value against scipy's, and when it fires."""

import numpy as np
import pytest
from detector_windows import binned, category, make, window
from scipy.spatial.distance import jensenshannon


def test_it_is_scipys_figure_to_base_two() -> None:
    current, reference = [300, 400, 300], [5000, 3000, 2000]
    verdict = make("jensen_shannon", "number").observe(window(binned(current)), window(binned(reference)))
    assert verdict.score == pytest.approx(float(jensenshannon(current, reference, base=2)), rel=1e-12)


def test_disjoint_distributions_are_one_apart() -> None:
    verdict = make("jensen_shannon", "number").observe(window(binned([900, 0])), window(binned([0, 900])))
    assert verdict.score == pytest.approx(1.0)
    assert verdict.status == "firing"


def test_a_moved_category_fires_and_a_near_miss_does_not() -> None:
    usual = window(category([6000, 3000, 1000]))
    assert (
        make("jensen_shannon", "category").observe(window(category([900, 1800, 300])), usual).status
        == "firing"
    )
    near = make("jensen_shannon", "category").observe(window(category([1600, 1100, 300])), usual)
    assert 0.03 < near.score < near.threshold
    assert near.status == "ok"


def test_the_threshold_covers_what_chance_explains() -> None:
    rng = np.random.default_rng(0)
    detector = make("jensen_shannon", "number")
    usual = window(binned([500] * 30))
    for _ in range(300):
        verdict = detector.observe(window(binned(rng.multinomial(500, [1 / 30] * 30).tolist())), usual)
        assert verdict.threshold > 0.15
        assert verdict.status == "ok"
