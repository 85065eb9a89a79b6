"""The Kolmogorov-Smirnov distance on bins: its value, its error bound, and when it fires."""

import numpy as np
import pytest
from detector_windows import make, number, window
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, kstwo

from detectors.chance import null_kolmogorov_smirnov_distance


@given(st.integers(0, 1000), st.floats(-1, 1))
def test_it_is_below_the_true_distance_by_no_more_than_its_bound(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    now, usual = rng.normal(shift, 1, 600), rng.normal(0, 1, 900)
    verdict = make("kolmogorov_smirnov").observe(window(number(now)), window(number(usual)))
    true = float(ks_2samp(now, usual).statistic)
    bound = float(np.max(np.minimum(verdict.evidence.current, verdict.evidence.reference)))
    assert verdict.score <= true + 1e-12
    assert true <= verdict.score + bound + 1e-12


def test_with_an_edge_at_every_value_it_is_scipys_figure() -> None:
    rng = np.random.default_rng(1)
    now, usual = rng.integers(0, 20, 700), rng.integers(3, 22, 900)
    edges = np.arange(0.5, 22)
    verdict = make("kolmogorov_smirnov").observe(
        window(number(now, edges=edges)), window(number(usual, edges=edges))
    )
    assert verdict.score == pytest.approx(float(ks_2samp(now, usual).statistic), rel=1e-12)
    assert verdict.status == "firing"


def test_a_shift_below_the_threshold_is_a_near_miss() -> None:
    rng = np.random.default_rng(2)
    verdict = make("kolmogorov_smirnov").observe(
        window(number(rng.normal(0.15, 1, 100_000))), window(number(rng.normal(0, 1, 100_000)))
    )
    assert 0.05 < verdict.score < verdict.threshold == 0.1
    assert verdict.status == "ok"


def test_the_null_quantile_is_the_one_sample_law_at_the_effective_size() -> None:
    limit = null_kolmogorov_smirnov_distance(2000, 2000, 1e-6)
    assert limit == pytest.approx(float(kstwo.isf(1e-6, 1000)), rel=0.01)


def test_a_distance_that_few_events_explain_stays_ok() -> None:
    now, usual = np.repeat([-1.2, 1.2], [280, 220]), np.repeat([-1.2, 1.2], [1000, 1000])
    verdict = make("kolmogorov_smirnov", threshold=0.05).observe(window(number(now)), window(number(usual)))
    assert verdict.score == pytest.approx(0.06)
    assert verdict.threshold == pytest.approx(null_kolmogorov_smirnov_distance(500, 2000, 1e-6))
    assert verdict.status == "ok"
