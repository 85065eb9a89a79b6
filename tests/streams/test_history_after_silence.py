"""What the current window holds: after a silence, and when it is a year long."""

from streams.history import History, Pane
from streams.layout import unmonitored_layout
from streams.monitor import Windows
from streams.profile import Profile

LAYOUT = unmonitored_layout("m")
MONTH_S = 30 * 86_400


def pane(start_s: int, events: int, length_s: int = 2) -> Pane:
    profile = Profile(LAYOUT)
    profile.events = events
    return Pane(start_s * 1000, (start_s + length_s) * 1000, profile)


def test_the_window_after_a_silence_holds_the_panes_right_before_it_and_nothing_older() -> None:
    history = History(Windows.model_validate({"pane": "2s", "current": "10s", "min_samples": 500}))
    for start_s in range(0, 200, 2):
        history.add(pane(start_s, 300))
    history.add(pane(260, 300))
    held = history.current()
    assert [(one.start_ms // 1000, one.profile.events) for one in held] == [(198, 300), (260, 300)]


def test_what_the_window_no_longer_needs_rolls_up() -> None:
    history = History(Windows.model_validate({"pane": "2s", "current": "10s", "min_samples": 500}))
    for start_s in [*range(0, 200, 2), *range(260, 300, 2)]:
        history.add(pane(start_s, 300))
    assert len(history.panes) == len(history.current()) + 1
    assert sum(one.profile.events for one in history.panes) == 300 * 120


def test_a_current_window_of_a_year_keeps_all_its_panes() -> None:
    history = History(Windows.model_validate({"pane": "30d", "current": "360d", "min_samples": 300}))
    for month in range(40):
        history.add(pane(month * MONTH_S, 30, length_s=MONTH_S))
    assert len(history.current()) == 12
