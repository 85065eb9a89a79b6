"""Closed panes: the current window, what lies behind it, and how little of it is kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_events import T0, folded, monitor

from streams.history import HORIZON_MS, History, Pane
from streams.layout import compile_layout
from streams.monitor import Windows
from streams.profile import Profile

LAYOUT = compile_layout(monitor(features={"x": {"type": "number"}}))
WINDOWS = monitor().windows
PANE_MS = WINDOWS.pane
START = T0 // 86_400_000 * 86_400_000


def _pane(slot: int, events: int = 1) -> Pane:
    profile = folded(LAYOUT, [{"x": float(slot % 7), "id": f"{slot}-{n}"} for n in range(events)])
    start_ms = START + slot * PANE_MS
    return Pane(start_ms, start_ms + PANE_MS, profile)


def _events(profile: Profile | None) -> int:
    return 0 if profile is None else profile.events


slots = st.lists(
    st.tuples(st.sampled_from([1, 1, 1, 1, 2, 5, 40, 700]), st.sampled_from([1, 5, 30, 120])),
    min_size=1,
    max_size=60,
)


def _filled(gaps: list[tuple[int, int]]) -> History:
    history, slot = History(WINDOWS), 0
    for gap, events in gaps:
        slot += gap
        history.add(_pane(slot, events))
    return history


@settings(max_examples=60)
@given(gaps=slots)
def test_totals_stay_and_nothing_is_in_the_window_and_behind_it(gaps: list[tuple[int, int]]) -> None:
    history = _filled(gaps)
    assert history.all(LAYOUT).events == sum(events for _, events in gaps)
    assert history.all(LAYOUT).count.sum() == sum(events for _, events in gaps)
    starts = [pane.start_ms for pane in history.panes]
    assert starts == sorted(starts)
    assert all(a.end_ms <= b.start_ms for a, b in zip(history.panes, history.panes[1:], strict=False))
    inside = sum(pane.profile.events for pane in history.current())
    assert _events(history.behind()) + inside <= sum(events for _, events in gaps)


@settings(max_examples=60)
@given(gaps=slots, more=slots, cut=st.integers(0, 60))
def test_a_history_restored_from_its_panes_goes_on_alike(
    gaps: list[tuple[int, int]], more: list[tuple[int, int]], cut: int
) -> None:
    live, slot = History(WINDOWS), 0
    restored = History(WINDOWS)
    for number, (gap, events) in enumerate(gaps + more):
        slot += gap
        live.add(_pane(slot, events))
        live.behind()
        if number < cut:
            restored = History(WINDOWS, live.panes)
        else:
            restored.add(_pane(slot, events))
        assert [pane.start_ms for pane in restored.panes] == [pane.start_ms for pane in live.panes]
        assert [pane.start_ms for pane in restored.current()] == [pane.start_ms for pane in live.current()]
        assert _events(restored.behind()) == _events(live.behind())


def test_the_window_is_its_length_when_that_holds_enough_events() -> None:
    history = _filled([(1, 100)] * 40)
    assert len(history.current()) == WINDOWS.current // PANE_MS
    assert history.current()[-1] == history.newest


def test_the_window_reaches_back_until_it_has_enough_events() -> None:
    history = _filled([(1, 100)] + [(1, 3)] * 40)
    inside = sum(pane.profile.events for pane in history.current())
    assert inside >= WINDOWS.min_samples
    assert inside - history.current()[0].profile.events < WINDOWS.min_samples


def test_the_window_reaches_back_no_further_than_a_week() -> None:
    days = HORIZON_MS // PANE_MS
    history = _filled([(1, 50), (days + 20, 3), (1, 3)])
    assert sum(pane.profile.events for pane in history.current()) == 6


def test_a_month_of_panes_is_kept_in_some_hundreds() -> None:
    windows = Windows.model_validate({"pane": "5m", "current": "10m", "min_samples": 10})
    history = History(windows)
    most = 0
    for slot in range(30 * 288):
        start_ms = START + slot * 300_000
        profile = Profile(LAYOUT)
        profile.events = 10
        history.add(Pane(start_ms, start_ms + 300_000, profile))
        most = max(most, len(history.panes))
    assert most < 80
    held = history.panes[-1].end_ms - history.panes[0].start_ms
    assert HORIZON_MS <= held <= HORIZON_MS + 2 * 86_400_000
    assert history.all(LAYOUT).events == held // 300_000 * 10


@pytest.mark.parametrize("trailing_ms", [3_600_000, 86_400_000, 14 * 86_400_000])
def test_what_is_behind_reaches_as_far_as_the_trailing_reference(trailing_ms: int) -> None:
    windows = Windows.model_validate({"pane": "10m", "current": "10m", "min_samples": 1})
    history = History(windows, trailing_ms=trailing_ms)
    for slot in range(20 * 144):
        start_ms = START + slot * 600_000
        profile = Profile(LAYOUT)
        profile.events = 1
        history.add(Pane(start_ms, start_ms + 600_000, profile))
    span = _events(history.behind()) * 600_000
    assert trailing_ms <= span + 600_000
    assert span <= trailing_ms + 86_400_000


def test_panes_of_another_layout_start_it_anew() -> None:
    history = _filled([(1, 100)] * 20)
    other = compile_layout(monitor(features={"x": {"type": "number"}}), edges={"x": (1.0,)})
    start_ms = history.panes[-1].end_ms
    history.add(Pane(start_ms, start_ms + PANE_MS, Profile(other)))
    assert len(history.panes) == 1
    assert history.behind() is None
    mixed = [_pane(1), Pane(start_ms, start_ms + PANE_MS, Profile(other))]
    assert len(History(WINDOWS, mixed).panes) == 1


def test_the_moments_of_rolled_up_panes_are_those_of_their_rows() -> None:
    history = _filled([(1, 20)] * 200)
    values = np.array([float(slot % 7) for slot in range(1, 201) for _ in range(20)])
    whole = history.all(LAYOUT)
    assert whole.mean[0] == pytest.approx(values.mean(), rel=1e-9)
    assert whole.squares[0] == pytest.approx(((values - values.mean()) ** 2).sum(), rel=1e-9)
