"""The judge's inbox: whatever order upserts come in, each pane closes once, in order, with its newest."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_events import T0, folded, monitor

from streams.inbox import Inbox
from streams.layout import compile_layout
from streams.wire import Heartbeat, Part, PartKey, ProfileKey, split

LAYOUT = compile_layout(monitor(features={f"n{i}": {"type": "number"} for i in range(30)}))
PANE_MS = 10_000


def _upsert(partition: int, pane: int, fence: int) -> list[tuple[PartKey, Part]]:
    profile = folded(LAYOUT, [{"n0": 1.0}] * fence)
    profile.fence = fence
    key = ProfileKey(partition, "churn", "1", "", T0 + pane * PANE_MS)
    return [(PartKey(key, index), part) for index, part in enumerate(split(profile))]


def _beat(watermark_ms: int, *, idle: bool = False) -> Heartbeat:
    return Heartbeat(watermark_ms, idle, watermark_ms, watermark_ms, 0)


def _events(ready: Any) -> list[tuple[int, list[int]]]:
    return [
        (
            (pane.start_ms - T0) // PANE_MS,
            sorted(parts[0].rows[0] for group in pane.groups.values() for parts in group),
        )
        for pane in ready
    ]


UPSERTS = {
    (partition, pane, fence): _upsert(partition, pane, fence)
    for partition in (0, 1)
    for pane in (0, 1, 2)
    for fence in (1, 2, 3)
}


@settings(max_examples=60)
@given(order=st.permutations(sorted(UPSERTS) * 2))
def test_repeats_and_reordering_change_nothing(order: list[tuple[int, int, int]]) -> None:
    inbox = Inbox(PANE_MS)
    for name in order:
        for key, part in UPSERTS[name]:
            inbox.put(key, part)
    for partition in (0, 1):
        inbox.heard(partition, _beat(T0 + 3 * PANE_MS))
    assert _events(inbox.ready()) == [(0, [3, 3]), (1, [3, 3]), (2, [3, 3])]
    assert inbox.ready() == []
    assert len(inbox) == 0


def test_a_late_writer_changes_nothing_in_a_closed_pane_and_is_counted() -> None:
    inbox = Inbox(PANE_MS)
    for key, part in UPSERTS[(0, 1, 2)]:
        assert inbox.put(key, part)
    inbox.heard(0, _beat(T0 + 2 * PANE_MS))
    assert _events(inbox.ready()) == [(1, [2])]
    for name in ((0, 1, 3), (1, 0, 2)):
        assert not any([inbox.put(key, part) for key, part in UPSERTS[name]])
    assert inbox.ready() == []
    assert inbox.too_late == 5


def test_a_lower_fence_is_ignored() -> None:
    inbox = Inbox(PANE_MS)
    (key, new), (_, old) = UPSERTS[(0, 0, 3)][0], UPSERTS[(0, 0, 2)][0]
    assert inbox.put(key, new)
    assert not inbox.put(key, old)
    assert not inbox.put(key, new)


def test_a_profile_of_which_a_part_never_came_is_counted_not_shown() -> None:
    inbox = Inbox(PANE_MS)
    inbox.put(*UPSERTS[(0, 0, 1)][0])
    inbox.heard(0, _beat(T0 + PANE_MS))
    (pane,) = inbox.ready()
    assert (pane.incomplete, pane.groups) == (1, {})


def test_panes_wait_for_the_slowest_partition_that_is_not_idle() -> None:
    inbox = Inbox(PANE_MS)
    for name in ((0, 0, 1), (1, 0, 1)):
        for key, part in UPSERTS[name]:
            inbox.put(key, part)
    inbox.heard(0, _beat(T0 + 5 * PANE_MS))
    inbox.heard(1, _beat(T0 + PANE_MS - 1))
    assert inbox.ready() == []
    inbox.heard(1, _beat(T0 + PANE_MS - 1, idle=True))
    assert _events(inbox.ready()) == [(0, [1, 1])]


def test_when_all_are_idle_the_one_furthest_on_counts() -> None:
    inbox = Inbox(PANE_MS)
    inbox.heard(0, _beat(T0, idle=True))
    inbox.heard(1, _beat(T0 + 7, idle=True))
    assert inbox.watermark_ms == T0 + 7


def test_watermarks_never_go_back_and_an_old_heartbeat_does_not_say_who_is_idle() -> None:
    inbox = Inbox(PANE_MS)
    inbox.heard(0, _beat(T0 + 100))
    inbox.heard(0, _beat(T0 + 50, idle=True))
    assert inbox.watermark_ms == T0 + 100
    assert not inbox.progress[0].idle
