"""What detectors say from profiles, against scipy's figures on the raw values: the stated bounds hold."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from prediction_events import folded, monitor
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from detectors.base import Verdict
from detectors.comparison import Comparison
from detectors.cumulative import bucket_bounds
from detectors.divergence import (
    pool_rare,
    population_stability_index,
    rare_bins,
    shares,
)
from detectors.homogeneity import chi_square_homogeneity, likelihood_ratio_homogeneity
from detectors.registry import build
from detectors.window import Window
from streams import sketch
from streams.layout import compile_layout
from streams.reference import listed_categories, number_edges
from streams.window import window_of

Numbers = NDArray[np.float64]

#: Each draws ``size`` values from a distribution moved by ``by`` of its usual spread.
SHAPES: dict[str, Callable[[np.random.Generator, int, float], Numbers]] = {
    "normal": lambda rng, size, by: rng.normal(by, 1, size),
    "far from zero": lambda rng, size, by: rng.normal(1013 + 5 * by, 5, size),
    "lognormal": lambda rng, size, by: rng.lognormal(by, 1.5, size),
    "heavy tail": lambda rng, size, by: rng.standard_t(1.5, size) * 10 + 10 * by,
    "bimodal": lambda rng, size, by: rng.normal(rng.choice([-20, 30], size) + 10 * by, 2, size),
    "discrete": lambda rng, size, by: rng.integers(0, 8, size) + np.floor(4 * by),
    "mostly zero": lambda rng, size, by: rng.gamma(2, 5, size) * (rng.random(size) < 0.3 + by / 4),
    "constant": lambda rng, size, by: np.full(size, 7.0 + by),
    "tiny": lambda rng, size, by: rng.normal(3 + by, 1, size) * 1e-7,
    "huge": lambda rng, size, by: rng.normal(by, 1, size) * 1e25,
}
CASES = [(shape, by, seed) for shape in SHAPES for by, seed in ((0.0, 1), (0.3, 2), (1.5, 3))]


@cache
def pair(shape: str, by: float, seed: int) -> tuple[Numbers, Numbers]:
    rng = np.random.default_rng(seed)
    return SHAPES[shape](rng, 900, by), SHAPES[shape](rng, 1500, 0.0)


@cache
def windows(shape: str, by: float, seed: int) -> tuple[Window, Window]:
    """Return both samples as profiles in bins cut from the second, as `driftline reference build` does."""
    now, usual = pair(shape, by, seed)
    features = {"x": {"type": "number"}}
    layout = compile_layout(monitor(features=features), edges={"x": number_edges(usual)}, frozen=True)
    return seen(layout, now.tolist()), seen(layout, usual.tolist())


def seen(layout: Any, values: list[Any]) -> Window:
    profile = folded(layout, [{"x": value} for value in values])
    return window_of(profile, version="", segment="", start_ms=0, end_ms=1)


def judged(name: str, now: Window, usual: Window, **params: Any) -> Verdict:
    return build(name, {"min_samples": 100, "threshold": 0.0, **params}, "x").observe(now, usual)


@pytest.mark.parametrize(("shape", "by", "seed"), CASES)
def test_wasserstein_is_scipys_within_the_error_it_states(shape: str, by: float, seed: int) -> None:
    now, usual = pair(shape, by, seed)
    verdict = judged("wasserstein", *windows(shape, by, seed))
    scale = float(usual.std()) or float(np.concatenate([now, usual]).std()) or 1.0
    true = float(wasserstein_distance(now, usual)) / scale
    error = verdict.evidence.details["error"]
    assert abs(verdict.score - true) <= error + 1e-9 * (1 + true)
    # Both sides are drawn alike, so what one errs by the other mostly does too.
    assert abs(verdict.score - true) <= 0.03 + 0.02 * true


@pytest.mark.parametrize(("shape", "by", "seed"), CASES)
def test_kolmogorov_smirnov_is_below_scipys_by_no_more_than_a_bin(shape: str, by: float, seed: int) -> None:
    verdict = judged("kolmogorov_smirnov", *windows(shape, by, seed))
    true = float(ks_2samp(*pair(shape, by, seed)).statistic)
    bound = float(np.max(np.minimum(verdict.evidence.current, verdict.evidence.reference)))
    assert verdict.score <= true + 1e-9
    assert true <= verdict.score + bound + 1e-9


@pytest.mark.parametrize(("shape", "by", "seed"), CASES)
@pytest.mark.parametrize("name", ["total_variation", "l_infinity", "hellinger", "jensen_shannon", "psi"])
def test_on_bins_of_a_number_it_is_the_figure_of_the_binned_raw_values(
    name: str, shape: str, by: float, seed: int
) -> None:
    now, usual = pair(shape, by, seed)
    here, there = windows(shape, by, seed)
    edges = [-np.inf, *here.features["x"].edges, np.inf]
    p, q = (np.histogram(values, edges)[0] / values.size for values in (now, usual))
    assert_within(name, judged(name, here, there), p, q, *lost(name, here, there))


@pytest.mark.parametrize(("by", "seed"), [(0.0, 1), (0.3, 2), (1.5, 3)])
@pytest.mark.parametrize("name", ["total_variation", "l_infinity", "hellinger", "jensen_shannon", "psi"])
def test_on_categories_it_is_the_figure_of_the_raw_names(name: str, by: float, seed: int) -> None:
    now, usual, here, there = categories(by, seed)
    p, q = both(now, usual)
    assert_within(name, judged(name, here, there), p / p.sum(), q / q.sum(), *lost(name, here, there))


@pytest.mark.parametrize(("by", "seed"), [(0.0, 1), (0.3, 2), (1.5, 3)])
def test_chi_square_and_g_fall_short_of_scipys_by_what_is_pooled(by: float, seed: int) -> None:
    now, usual, here, there = categories(by, seed)
    c, r = both(now, usual)
    pair = Comparison(here.features["x"], there.features["x"])
    pooled = pool_rare(*pair.counts, 20.0)
    n, m = int(c.sum()), int(r.sum())
    rare_now, rare_usual = lost("g_test", here, there)
    bounds = {
        "pearson": (rare_now + rare_usual) * (n + m) / min(n, m) / (1 / n + 1 / m),
        "log-likelihood": 2 * (n * rare_now * np.log((n + m) / n) + m * rare_usual * np.log((n + m) / m)),
    }
    found = {
        "pearson": chi_square_homogeneity(*pooled).statistic,
        "log-likelihood": likelihood_ratio_homogeneity(*pooled).statistic,
    }
    for law, bound in bounds.items():
        true = chi2_contingency([c, r], correction=False, lambda_=law).statistic
        assert found[law] <= true * (1 + 1e-9)
        assert true <= found[law] + bound * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_smoothing_lowers_the_psi_by_no_more_than_its_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    current = rng.multinomial(2000, rng.dirichlet(np.full(10, 5.0)))
    reference = rng.multinomial(9000, rng.dirichlet(np.full(10, 5.0)))
    p, q = shares(current), shares(reference)
    textbook = float(np.sum((p - q) * np.log(p / q)))
    smoothed = population_stability_index(current, reference)
    weight = 10 / (10 + 2000)
    steepest = float(np.max(np.maximum(p / q, q / p)))
    each = np.log(1 + weight * (steepest - 1) / 2) - np.log(1 - weight / 2)
    assert smoothed <= textbook
    assert smoothed >= (1 - weight) * (textbook - float(np.sum(np.abs(p - q))) * each)


def test_a_bucket_of_the_sketch_is_what_detectors_take_it_for() -> None:
    rng = np.random.default_rng(4)
    sizes = np.concatenate(
        [10.0 ** rng.uniform(-12, 25, 5000), 2.0 ** np.arange(-34, 67), [0.0, 1e300, 5e-324]]
    )
    values = np.concatenate([sizes, -sizes])
    low, high = bucket_bounds(sketch.bucket_values(sketch.buckets(values)))
    inside = np.clip(values, -1e140, 1e140)
    assert (low <= inside).all()
    assert (inside <= high).all()
    assert (bucket_bounds(inside)[0] == low).all()
    small = (np.abs(values) >= 2.0**-32) & (np.abs(values) < 2.0**64)
    assert (high[small] - low[small] <= np.abs(values[small]) * 2.1 * sketch.RELATIVE_ERROR).all()


def assert_within(
    name: str, verdict: Verdict, p: Numbers, q: Numbers, rare_now: float, rare_usual: float
) -> None:
    """Hold a score against the figure on unpooled shares, by the bound its docstring states."""
    match name:
        case "total_variation":
            score, true, bound = verdict.score, float(np.abs(p - q).sum()) / 2, (rare_now + rare_usual) / 2
        case "l_infinity":
            score, true, bound = verdict.score, float(np.abs(p - q).max()), max(rare_now, rare_usual)
            assert score - true <= bound + 1e-9
            true = max(score, true)
        case "hellinger":
            true = float(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2)) / 2
            score, bound = verdict.score**2, (rare_now + rare_usual) / 2
        case "jensen_shannon":
            true = float(jensenshannon(p, q, base=2)) ** 2
            score, bound = verdict.score**2, (rare_now + rare_usual) / 2
        case _:
            with np.errstate(divide="ignore", invalid="ignore"):
                true = float(np.nansum((p - q) * np.log(p / q)))
            # The textbook's index is infinite where a bin is empty on one side only.
            score, bound = verdict.score, np.inf
    assert score <= true + 1e-9
    assert true <= score + bound + 1e-9


def lost(name: str, here: Window, there: Window) -> tuple[float, float]:
    """Return the shares of either side in bins that are pooled, or in categories counted as one."""
    current, reference = here.features["x"], there.features["x"]
    least = {"hellinger": 20.0, "g_test": 20.0, "jensen_shannon": 5.0, "psi": 5.0}.get(name, 0.0)
    pooled = rare_bins(current.bins, reference.bins, least)
    if current.kind == "category":
        pooled[-1] = True
    return float(shares(current.bins)[pooled].sum()), float(shares(reference.bins)[pooled].sum())


@cache
def categories(by: float, seed: int) -> tuple[Counter[str], Counter[str], Window, Window]:
    """Return two samples of 200 names with a long tail, of which the most frequent are listed."""
    rng = np.random.default_rng(seed)
    usual_shares = 1 / np.arange(1, 201) ** 1.3
    now_shares = usual_shares * np.exp(by * rng.normal(size=200))
    names = np.array([f"name {at}" for at in range(200)])
    now = rng.choice(names, 900, p=now_shares / now_shares.sum()).tolist()
    usual = rng.choice(names, 1500, p=usual_shares / usual_shares.sum()).tolist()
    listed = listed_categories({name: count for name, count in Counter(usual).items() if count > 3})
    own = monitor(features={"x": {"type": "category"}})
    layout = compile_layout(own, values={"x": listed}, frozen=True)
    return Counter(now), Counter(usual), seen(layout, now), seen(layout, usual)


def both(now: Counter[str], usual: Counter[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    names = sorted(now.keys() | usual.keys())
    return np.array([now[name] for name in names]), np.array([usual[name] for name in names])
