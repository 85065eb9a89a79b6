"""What chance explains, against scipy's distributions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, nbinom, poisson

from detectors.significance import (
    Rate,
    critical_count,
    critical_count_at,
    critical_poisson_count,
    excess_limit,
    excess_limits,
    rate_limit,
)

ALPHAS = st.sampled_from([1e-9, 1e-6, 1e-3, 0.1])


@given(st.integers(1, 50_000), st.floats(0, 1), ALPHAS)
def test_the_count_at_a_rate_is_the_binomial_quantile(total: int, rate: float, alpha: float) -> None:
    critical = critical_count_at(total, rate, alpha)
    assert binom.sf(critical, total, rate) <= alpha * (1 + 1e-6)
    assert critical == 0 or binom.sf(critical - 1, total, rate) >= alpha * (1 - 1e-6)


@given(st.floats(0.1, 1e6), ALPHAS)
def test_the_poisson_count_is_the_poisson_quantile(mean: float, alpha: float) -> None:
    assert abs(critical_poisson_count(mean, alpha) - float(poisson.isf(alpha, mean))) <= 1


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.floats(0, 0.3), ALPHAS)
def test_the_count_for_rare_hits_is_the_conditional_test(
    total: int, usual: int, share: float, alpha: float
) -> None:
    reference = Rate(int(share * usual), usual)
    critical = critical_count(total, reference, alpha)
    by_hits = float(nbinom.isf(alpha, reference.hits + 1, usual / (total + usual)))
    assert critical <= min(by_hits + 1, total)


def test_the_count_for_frequent_hits_leaves_room_for_an_alert() -> None:
    critical = critical_count(5000, Rate(95_000, 100_000), 1e-6)
    assert 4750 < critical < 4850
    assert critical == pytest.approx(float(binom.isf(1e-6, 5000, 0.95)), abs=10)


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(0, 10_000), ALPHAS)
def test_a_floor_only_cuts_the_search_short(total: int, usual: int, floor: int, alpha: float) -> None:
    reference = Rate(usual // 10, usual)
    full = critical_count(total, reference, alpha)
    assert critical_count(total, reference, alpha, floor) == min(max(full, floor), total)


def test_limits_come_down_to_the_threshold_with_more_events() -> None:
    limits = [excess_limit(n, Rate(100, 10_000), 0.02, 1e-6) for n in (200, 2000, 200_000)]
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] == 0.02
    assert rate_limit(10**7, 0.05, 1e-3) == pytest.approx(0.05, rel=0.01)


RATES = st.integers(0, 100_000).flatmap(
    lambda total: st.builds(Rate, st.one_of(st.just(0), st.integers(0, total)), st.just(total))
)
SIDES = st.lists(st.tuples(st.integers(1, 100_000), st.none() | RATES), max_size=8)


@given(SIDES, st.sampled_from([0.001, 0.01, 0.3, 1.0]), ALPHAS)
def test_limits_of_several_columns_are_those_of_each(
    sides: list[tuple[int, Rate | None]], threshold: float, alpha: float
) -> None:
    totals, references = [total for total, _ in sides], [reference for _, reference in sides]
    assert excess_limits(totals, references, threshold, alpha) == [
        excess_limit(*side, threshold, alpha) for side in sides
    ]
