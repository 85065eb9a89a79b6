"""Laws of event time: the watermark never goes back, and lateness does not depend on chunks."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.watermark import FUTURE_MS, NEVER_MS, Arrival, Clock

PANE_MS, LATENESS_MS = 10_000, 15_000

# Around the epoch, so that negative times are as common as others; the last are from the future.
times = st.lists(
    st.tuples(st.integers(-200_000, 200_000), st.sampled_from([0, 1, 30_000, -300_000, -300_001, -(10**9)])),
    min_size=1,
    max_size=40,
)


def _arrive(clock: Clock, pairs: list[tuple[int, int]]) -> Arrival:
    record = np.array([at for at, _ in pairs], dtype=np.int64)
    ts = record - np.array([behind for _, behind in pairs], dtype=np.int64)
    return clock.arrive(ts, record, pane_ms=PANE_MS, lateness_ms=LATENESS_MS)


@settings(max_examples=150)
@given(pairs=times)
def test_the_watermark_never_reverses_and_is_capped_by_record_time(pairs: list[tuple[int, int]]) -> None:
    clock = Clock()
    arrival = _arrive(clock, pairs)
    assert (np.diff(arrival.watermark_ms) >= 0).all()
    newest = [max([at for at, _ in pairs[: n + 1]]) for n in range(len(pairs))]
    assert (arrival.watermark_ms[1:] <= np.array(newest) - LATENESS_MS).all()
    before = clock.watermark_ms
    clock.extrapolate(0, LATENESS_MS)
    clock.extrapolate(5, LATENESS_MS)
    assert clock.watermark_ms >= before


@settings(max_examples=150)
@given(pairs=times, cuts=st.lists(st.integers(0, 40), max_size=4))
def test_lateness_and_the_clock_do_not_depend_on_the_chunks(
    pairs: list[tuple[int, int]], cuts: list[int]
) -> None:
    whole, parts = Clock(), Clock()
    at_once = _arrive(whole, pairs)
    places = [0, *sorted(cuts), len(pairs)]
    chunks = [pairs[low:high] for low, high in itertools.pairwise(places) if pairs[low:high]]
    arrivals = [_arrive(parts, chunk) for chunk in chunks]
    for name in ("future", "late", "pane_start_ms"):
        joined = np.concatenate([getattr(arrival, name) for arrival in arrivals])
        assert (getattr(at_once, name) == joined).all(), name
    for name in ("watermark_ms", "newest_ms", "last_record_ms"):
        joined = np.concatenate([getattr(arrival, name)[:-1] for arrival in arrivals])
        assert (getattr(at_once, name)[:-1] == joined).all(), name
    assert whole == parts


@settings(max_examples=100)
@given(pairs=times)
def test_each_row_is_judged_as_plain_arithmetic_says(pairs: list[tuple[int, int]]) -> None:
    arrival = _arrive(Clock(), pairs)
    watermark = NEVER_MS
    for row, (record, behind) in enumerate(pairs):
        ts = record - behind
        assert arrival.future[row] == (ts > record + FUTURE_MS)
        start = arrival.pane_start_ms[row]
        assert start <= ts < start + PANE_MS
        assert start % PANE_MS == 0
        assert arrival.late[row] == (not arrival.future[row] and start + PANE_MS <= watermark)
        if not arrival.future[row]:
            watermark = max(watermark, min(ts, record) - LATENESS_MS)


def test_a_clock_that_knows_no_event_is_not_moved_by_time_alone() -> None:
    clock = Clock()
    clock.extrapolate(10**9, LATENESS_MS)
    assert clock.watermark_ms == NEVER_MS


def test_a_quiet_clock_goes_on_at_the_pace_of_the_wall_clock() -> None:
    clock = Clock()
    _arrive(clock, [(100_000, 0)])
    clock.extrapolate(60_000, LATENESS_MS)
    assert clock.watermark_ms == 160_000 - LATENESS_MS
    assert _arrive(clock, [(161_000, 30_000)]).late.all()


def test_an_event_ahead_of_its_time_does_not_make_those_after_a_quiet_spell_late() -> None:
    # Simulator, seed 247: its time, not that of its record, was moved on while nothing came.
    clock = Clock()
    _arrive(clock, [(0, -200_000)])
    clock.extrapolate(20_000, LATENESS_MS)
    assert clock.watermark_ms == 20_000 - LATENESS_MS
    assert not _arrive(clock, [(20_000, 0)]).late.any()
