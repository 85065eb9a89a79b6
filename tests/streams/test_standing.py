"""Until when a source partition is counted: never said too late, and said soon."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from streams.standing import FINENESS, Standing
from streams.watermark import NEVER_MS

#: Each step: how many records come, how many are counted, how much time goes by.
STEPS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 60), st.integers(1, 5_000)), max_size=400)


@given(STEPS)
def test_everything_that_came_before_that_time_is_counted(steps: list[tuple[int, int, int]]) -> None:
    standing, came_ms, counted, now_ms = Standing(), list[int](), 0, 0
    before_ms = NEVER_MS
    for records, able, went_ms in steps:
        came_ms += [now_ms] * records
        counted = min(counted + able, len(came_ms))
        now_ms += went_ms
        standing.note(next_offset=counted, end_offset=len(came_ms), at_ms=now_ms)
        # The first record still waiting came no earlier.
        assert counted >= bisect_left(came_ms, standing.until_ms)
        assert standing.until_ms >= before_ms
        before_ms = standing.until_ms
        if counted == len(came_ms):
            assert standing.until_ms == now_ms


def test_a_partition_that_is_never_caught_up_with_is_known_to_within_a_share_of_its_backlog() -> None:
    # An hour of a record each half second, counted ten minutes behind.
    standing = Standing()
    for second in range(7_200):
        at_ms = second * 500
        standing.note(next_offset=max(second - 1_200, 0), end_offset=second, at_ms=at_ms)
        if second > 2_400:
            behind_ms = at_ms - standing.until_ms
            assert 600_000 <= behind_ms <= 600_000 * (1 + 2 / FINENESS)


def test_what_is_remembered_of_a_backlog_that_only_grows_is_bounded() -> None:
    standing = Standing()
    for step in range(200_000):
        standing.note(next_offset=0, end_offset=step + 1, at_ms=step * 500)
    assert len(standing._marks) < 900


def test_a_broker_that_does_not_answer_lets_no_time_go_by() -> None:
    standing = Standing()
    for _ in range(3):
        standing.note(next_offset=7, end_offset=7, at_ms=1_000)
    assert standing.until_ms == 1_000


def test_the_age_of_a_record_tells_before_the_first_end_is_reached() -> None:
    standing = Standing()
    standing.note(next_offset=0, end_offset=10_000, at_ms=50_000)
    standing.passed(age_ms=40_000, at_ms=51_000)
    assert standing.until_ms == 11_000
    standing.passed(age_ms=45_000, at_ms=52_000)
    assert standing.until_ms == 11_000


def test_a_record_from_the_future_tells_nothing() -> None:
    standing = Standing()
    standing.passed(age_ms=-1, at_ms=50_000)
    assert standing.until_ms == NEVER_MS
