from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from driftline.web.store import PaneLatency, PaneLine
from driftline.web.timeline import timeline, totals
from streams.views import rfc3339

PANE_MS = 10_000


def line(index, events=10, version="1", segment="", **values):
    return PaneLine(
        start=rfc3339(index * PANE_MS),
        end=rfc3339((index + 1) * PANE_MS),
        version=version,
        segment=segment,
        events=events,
        **values,
    )


def test_versions_of_a_pane_are_added_up():
    (pane,) = totals([line(0, 10, "1"), line(0, 5, "2")])
    assert pane.events == 15


def test_events_without_a_version_are_added_up_like_those_of_any_version():
    (pane,) = totals([line(0, 10, "1"), line(0, 15, ""), line(0, 5, "2")])
    assert pane.events == 30


def test_segments_are_not_counted_on_top_of_the_whole():
    (pane,) = totals([line(0, 10), line(0, 4, segment="country=DE")])
    assert pane.events == 10


def test_a_version_and_a_segment_can_be_asked_for():
    rows = [line(0, 10, "1"), line(0, 5, "2"), line(0, 2, "2", "country=DE")]
    assert [pane.events for pane in totals(rows, "2")] == [5]
    assert [pane.events for pane in totals(rows, "2", "country=DE")] == [2]


def test_invalid_events_that_name_no_version_count_with_every_version():
    rows = [line(0, 10, "1", invalid=1), line(0, 0, "", invalid=3), line(1, 0, "", invalid=4)]
    assert [(pane.events, pane.invalid) for pane in totals(rows, "1")] == [(10, 4), (0, 4)]


def test_events_without_a_version_keep_their_invalid_ones_to_themselves():
    rows = [line(0, 10, "1", invalid=1), line(0, 5, "", invalid=3)]
    assert [(pane.events, pane.invalid) for pane in totals(rows, "1")] == [(10, 1)]


def test_panes_come_in_order_of_time_whatever_their_spelling():
    shuffled = [line(2), line(0), line(1)]
    assert [pane.start for pane in totals(shuffled)] == [line(i).start for i in range(3)]


@given(st.lists(st.integers(0, 500), min_size=1, max_size=60, unique=True), st.integers(1, 120))
def test_no_event_is_lost_and_no_chart_too_wide(indices, columns):
    slots = timeline(totals(line(i) for i in indices), columns)
    assert sum(slot.events for slot in slots) == 10 * len(indices)
    assert len(slots) <= columns
    assert all(a.end_ms == b.start_ms for a, b in pairwise(slots))


def test_a_gap_stays_a_gap():
    slots = timeline([line(0), line(3)], 120)
    assert [slot.events for slot in slots] == [10, 0, 0, 10]
    assert slots[1].share(0) is None


def test_latency_of_a_slot_is_its_worst_pane_and_its_mean_median():
    slow, fast = PaneLatency(90.0, 200.0, 900.0), PaneLatency(30.0, 50.0, 60.0)
    (slot,) = timeline([line(0, 10, latency_ms=slow), line(1, 20, latency_ms=fast)], 1)
    assert (slot.p50_ms, slot.p95_ms, slot.p99_ms) == (50.0, 200.0, 900.0)


def test_no_pane_makes_no_slot():
    assert timeline([], 120) == []
