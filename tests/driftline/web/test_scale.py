from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from driftline.web.scale import Linear, nice_ticks, spread, time_ticks


@given(st.floats(min_value=1e-9, max_value=1e15))
def test_ticks_reach_the_highest_value_and_are_few(high):
    ticks = nice_ticks(high)
    assert ticks[0] == 0
    assert high <= ticks[-1] * (1 + 1e-6)
    assert ticks[-1] <= 2.01 * high
    assert 2 <= len(ticks) <= 8


@given(st.integers(0, 4 * 10**12), st.integers(10_000, 30 * 86_400_000))
def test_time_ticks_lie_inside_and_do_not_crowd(start_ms, span_ms):
    ticks = time_ticks(start_ms, start_ms + span_ms)
    assert all(start_ms <= at_ms <= start_ms + span_ms for at_ms, _ in ticks)
    assert len(ticks) <= 6


@given(st.lists(st.floats(0, 150), min_size=1, max_size=5))
def test_names_never_overlap(positions):
    placed = sorted(spread(positions, 13, 0, 150))
    assert all(b - a >= 12.8 for a, b in pairwise(placed))
    assert all(p <= 150 for p in placed)


def test_what_lies_outside_is_clipped():
    scale = Linear(0, 10, 100, 0)
    assert (scale(-5), scale(5), scale(50)) == (100, 50, 0)


def test_a_scale_of_one_value_does_not_divide_by_zero():
    assert Linear(3, 3, 0, 100)(3) == 0
