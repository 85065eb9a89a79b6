"""What the desk sends, and when: tables in virtual time. ``+a`` fires, ``-a`` is over, ``?`` may be a repeat.

Timers: group_wait 30 s, group_interval 300 s, repeat_interval 3600 s.
"""

from itertools import pairwise
from typing import Any

import pytest

from alerts.config import Config, parse
from alerts.decision import Reason
from alerts.desk import Desk
from alerts.errors import RowError
from alerts.outcome import Failed, Outcome, Retry, Sent


def config(send_resolved: bool = True, *, places: int = 1, **route: Any) -> Config:
    root = {"receiver": "ops", "group_by": ["model"], "repeat_interval": "1h", **route}
    hooks = [{"url": f"http://localhost/{i}", "send_resolved": send_resolved} for i in range(places)]
    pager = {"name": "pager", "webhook_configs": [{"url": "http://localhost/pager"}]}
    return parse({"route": root, "receivers": [{"name": "ops", "webhook_configs": hooks}, pager]})


Steps = list[tuple[float, str]]
TIMELINES: dict[str, tuple[Steps, float, Steps]] = {
    "alerts within group_wait come together": (
        [(0, "fire a"), (10, "fire b"), (29, "fire c")], 100, [(30, "+a +b +c")]
    ),
    "one that joins later waits for group_interval": (
        [(0, "fire a"), (31, "fire b")], 400, [(30, "+a"), (330, "+a +b")]
    ),
    "what is known is not told again": ([(0, "fire a"), (100, "fire a"), (200, "fire a")], 3000, [(30, "+a")]),
    "what still fires is repeated after repeat_interval": (
        [(0, "fire a")], 7300, [(30, "+a"), (3630, "+a"), (7230, "+a")]
    ),
    "an end is told at the next group_interval, then all is quiet": (
        [(0, "fire a"), (40, "resolve a")], 9000, [(30, "+a"), (330, "-a")]
    ),
    "over before group_wait ends is never told": ([(0, "fire a"), (20, "resolve a")], 9000, []),
    "the rest of a group fires on": (
        [(0, "fire a"), (0, "fire b"), (40, "resolve a")], 700, [(30, "+a +b"), (330, "-a +b")]
    ),
    "over and firing again between two turns is no news": (
        [(0, "fire a"), (40, "resolve a"), (50, "fire a")], 700, [(30, "+a")]
    ),
    "born and over between two turns is no news": (
        [(0, "fire a"), (40, "fire b"), (50, "resolve b")], 700, [(30, "+a")]
    ),
    "after a full resolve a group begins anew, with group_wait": (
        [(0, "fire a"), (40, "resolve a"), (400, "fire a")], 500, [(30, "+a"), (330, "-a"), (430, "+a")]
    ),
    "a rise of severity is told, a fall is not": (
        [(0, "fire a"), (40, "critical a"), (400, "fire a")], 1500, [(30, "+a"), (330, "+a")]
    ),
    "a resolve of something unknown is nothing": ([(0, "resolve a")], 900, []),
}  # fmt: skip


def play(world: Any, steps: Steps, end_s: float) -> None:
    for at_s, action in steps:
        world.run_until(at_s)
        verb, name = action.split()
        severity = "critical" if verb == "critical" else "warning"
        world.upsert("resolved" if verb == "resolve" else "firing", name, severity)
    world.run_until(end_s)


@pytest.mark.parametrize("name", TIMELINES)
def test_timeline(world: Any, name: str) -> None:
    steps, end_s, expected = TIMELINES[name]
    desk = world(config())
    play(desk, steps, end_s)
    assert desk.timeline() == expected


@pytest.mark.parametrize("name", TIMELINES)
def test_without_send_resolved_only_what_fires_is_told(world: Any, name: str) -> None:
    steps, end_s, expected = TIMELINES[name]
    desk = world(config(send_resolved=False))
    play(desk, steps, end_s)
    assert not any("-" in words for _, words in desk.timeline())
    assert {at for at, _ in desk.timeline()} <= {at for at, _ in expected}


def test_without_send_resolved_firing_again_is_news(world: Any) -> None:
    desk = world(config(send_resolved=False))
    play(desk, [(0, "fire a"), (0, "fire b"), (40, "resolve a"), (400, "fire a")], 700)
    assert desk.timeline() == [(30, "+a +b"), (630, "+a +b")]


OUTCOMES: dict[str, tuple[list[Outcome | None], Steps, Steps]] = {
    "refused connections are tried again, at 1, 2, 4 s": (
        [Retry(0, "x"), Retry(0, "x"), Retry(0, "x")], [(0, "fire a")],
        [(30, "+a"), (31, "+a"), (33, "+a"), (37, "+a")],
    ),
    "Retry-After is respected": ([Retry(42_000, "429")], [(0, "fire a")], [(30, "+a"), (72, "+a")]),
    "what may have arrived is marked as a possible repeat": (
        [Retry(0, "timeout", maybe_delivered=True)], [(0, "fire a")], [(30, "+a"), (31, "+a?")]
    ),
    "a retry tells what holds by then": (
        [Retry(60_000, "429")], [(0, "fire a"), (40, "fire b")], [(30, "+a"), (90, "+a +b")]
    ),
    "over before any try arrived is never told": (
        [Retry(60_000, "429")], [(0, "fire a"), (40, "resolve a")], [(30, "+a")]
    ),
    "over after a try that may have arrived is told": (
        [Retry(60_000, "timeout", maybe_delivered=True)], [(0, "fire a"), (40, "resolve a")],
        [(30, "+a"), (90, "-a?")],
    ),
    "firing again after an end that may have arrived is told": (
        [Sent(), Retry(60_000, "timeout", maybe_delivered=True)],
        [(0, "fire a"), (40, "resolve a"), (340, "fire a")],
        [(30, "+a"), (330, "-a"), (390, "+a?")],
    ),
    "a refusal is tried again at the next group_interval": (
        [Failed("403")], [(0, "fire a")], [(30, "+a"), (330, "+a")]
    ),
    "an end is never dropped": (
        [Sent(), Failed("403"), Retry(0, "x")], [(0, "fire a"), (40, "resolve a")],
        [(30, "+a"), (330, "-a"), (630, "-a"), (632, "-a")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome(world: Any, name: str) -> None:
    outcomes, steps, expected = OUTCOMES[name]
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = list(outcomes)
    play(desk, steps, 900)
    assert desk.timeline() == expected


def test_backoff_grows_to_five_minutes_and_never_gives_up(world: Any) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [Retry(0, "x")] * 30
    play(desk, [(0, "fire a")], 8000)
    times = [at for at, _ in desk.timeline()]
    gaps = [later - at for at, later in pairwise(times)]
    assert gaps[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert len(times) == 31


def test_a_hanging_receiver_delays_no_other(world: Any) -> None:
    desk = world(config(places=2))
    desk.outcomes["ops/webhook/0"] = [None]
    play(desk, [(0, "fire a"), (40, "fire b")], 400)
    assert [(t.at_s, t.words) for t in desk.tries if t.place == "ops/webhook/1"] == [
        (30, "+a"),
        (330, "+a +b"),
    ]
    # The hanging one has a single delivery out; once it is settled, the news it missed goes at once.
    assert [t.at_s for t in desk.tries if t.place == "ops/webhook/0"] == [30]
    desk.settle(desk.out.pop(), Sent())
    desk.run_until(401)
    assert [(t.at_s, t.words) for t in desk.tries if t.place == "ops/webhook/0"][1:] == [(400, "+a +b")]


def test_over_while_its_first_notification_is_on_the_way_is_told_afterwards(world: Any) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [None]
    play(desk, [(0, "fire a"), (40, "resolve a")], 400)
    desk.settle(desk.out.pop(), Sent())
    desk.run_until(1000)
    assert desk.timeline() == [(30, "+a"), (400, "-a")]


def test_the_reference_of_the_last_message_comes_with_the_next(world: Any) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [Sent({"channel": "C1", "ts": "1.2"}), None]
    play(desk, [(0, "fire a"), (40, "fire b")], 400)
    assert desk.out[0].previous_reference == {"channel": "C1", "ts": "1.2"}


def test_each_try_of_the_same_content_has_the_same_idempotency_key_and_repeats_have_not(world: Any) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [None, None, None]
    play(desk, [(0, "fire a")], 30)
    first = desk.out[-1]
    desk.settle(first, Retry(0, "x"))
    desk.run_until(31)
    second = desk.out[-1]
    desk.settle(second, Sent())
    desk.run_until(4000)
    third = desk.out[-1]
    keys = [delivery.notification.idempotency_key for delivery in (first, second, third)]
    assert keys[0] == keys[1] != keys[2]
    assert [delivery.attempt for delivery in (first, second, third)] == [1, 2, 1]


def test_a_group_that_begins_anew_does_not_look_like_a_repeat_of_its_past(world: Any) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [None, Sent(), None]
    play(desk, [(0, "fire a"), (30, "fire a")], 40)
    desk.settle(desk.out[0], Sent())
    play(desk, [(50, "resolve a"), (1000, "fire a")], 1100)
    assert desk.timeline() == [(30, "+a"), (330, "-a"), (1030, "+a")]
    first, again = (delivery.notification.idempotency_key for delivery in desk.out)
    assert first != again


@pytest.mark.parametrize("then", ["nothing", "resolve", "fire more"])
def test_a_crash_while_sending_sends_again_marked_as_possible_repeat(world: Any, then: str) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [None]
    play(desk, [(0, "fire a")], 30)
    assert b'"SENDING"' in next(row for key, row in desk.rows.items() if key.startswith("ledger/"))
    desk.crash()
    if then == "resolve":
        desk.upsert("resolved", "a")
    if then == "fire more":
        desk.upsert("firing", "b")
    desk.run_until(100)
    words = {"nothing": "+a?", "resolve": "-a?", "fire more": "+a +b?"}[then]
    assert desk.timeline() == [(30, "+a"), (30, words)]


def test_a_crash_after_sending_sends_nothing_again(world: Any) -> None:
    desk = world(config())
    play(desk, [(0, "fire a")], 31)
    desk.crash()
    desk.run_until(1000)
    assert desk.timeline() == [(30, "+a")]


def test_an_outcome_from_before_a_crash_changes_nothing(world: Any) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [None]
    play(desk, [(0, "fire a")], 30)
    delivery = desk.out[0]
    desk.crash()
    (decision,) = desk.desk.settled(delivery.id, Sent(), 31_000)
    assert decision.reason is Reason.UNKNOWN_DELIVERY
    assert desk.desk.take_changed_rows() == {}


def test_an_older_upsert_is_ignored_even_after_its_alert_was_forgotten(world: Any) -> None:
    desk = world(config())
    old = desk.upsert("firing", "a")
    upsert = desk.desk.alerts[next(iter(desk.desk.alerts))].upsert
    play(desk, [(40, "resolve a")], 400)
    assert old[0].reason is Reason.NEW
    (decision,) = desk.take(upsert)
    assert decision.reason is Reason.OLDER_VERSION
    desk.run_until(1000)
    assert desk.timeline() == [(30, "+a"), (330, "-a")]


def test_a_firing_that_comes_behind_its_own_end_is_told_to_nobody_and_firing_anew_is(world: Any) -> None:
    desk = world(config())
    desk.upsert("resolved", "a")
    (held,) = desk.desk.alerts.values()
    late = held.upsert.model_copy(update={"status": "firing", "ends_at_ms": None, "sequence": 0})
    assert desk.take(late)[-1].reason is Reason.OLDER_VERSION
    desk.run_until(400)
    assert desk.timeline() == []
    desk.upsert("firing", "a")
    desk.run_until(800)
    assert desk.timeline() == [(430, "+a")]


SEVERE = [{"receiver": "pager", "matchers": ["severity=critical"]}]


def test_an_alert_that_changes_route_is_over_for_the_old_receiver(world: Any) -> None:
    desk = world(config(routes=SEVERE))
    play(desk, [(0, "fire a"), (40, "critical a")], 1000)
    assert [(t.at_s, t.place, t.words) for t in desk.tries] == [
        (30, "ops/webhook/0", "+a"),
        (70, "pager/webhook/0", "+a"),
        (330, "ops/webhook/0", "-a"),
    ]
    assert desk.tries[2].content == (("a", "resolved", "warning"),)


def test_continue_tells_both_receivers(world: Any) -> None:
    routes = [SEVERE[0] | {"continue": True}, {"receiver": "ops", "matchers": ["model=m"]}]
    desk = world(config(routes=routes))
    play(desk, [(0, "critical a")], 100)
    assert sorted(t.place for t in desk.tries) == ["ops/webhook/0", "pager/webhook/0"]


def test_groups_are_told_apart_by_their_labels(world: Any) -> None:
    desk = world(config())
    desk.upsert("firing", "a", model="x")
    desk.upsert("firing", "a", model="y")
    desk.upsert("firing", "b", model="y")
    desk.run_until(100)
    assert sorted(t.words for t in desk.tries) == ["+a", "+a +b"]


def test_a_reload_that_changes_nothing_resets_no_timer(world: Any) -> None:
    desk = world(config())
    play(desk, [(0, "fire a")], 20)
    desk.reconfigure(config(routes=SEVERE))
    desk.run_until(40)
    desk.upsert("firing", "b")
    desk.run_until(200)
    desk.reconfigure(config())
    desk.run_until(400)
    assert desk.timeline() == [(30, "+a"), (330, "+a +b")]


def test_a_reload_that_groups_otherwise_ends_the_old_group_and_begins_new_ones(world: Any) -> None:
    desk = world(config())
    play(desk, [(0, "fire a"), (0, "fire b")], 100)
    desk.reconfigure(config(group_by=["alertname"]))
    desk.run_until(400)
    assert desk.timeline()[0] == (30, "+a +b")
    assert sorted(desk.timeline()[1:]) == [(130, "+a"), (130, "+b"), (330, "-a -b")]


def test_a_reload_that_adds_a_receiver_tells_it_at_the_groups_next_turn(world: Any) -> None:
    desk = world(config())
    play(desk, [(0, "fire a")], 100)
    desk.reconfigure(config(places=2))
    desk.run_until(400)
    assert [(t.at_s, t.place) for t in desk.tries] == [(30, "ops/webhook/0"), (330, "ops/webhook/1")]


def test_a_reload_without_the_receiver_of_a_delivery_that_is_out_is_safe(world: Any) -> None:
    desk = world(config(places=2))
    desk.outcomes["ops/webhook/1"] = [None]
    play(desk, [(0, "fire a")], 40)
    desk.reconfigure(config(places=1))
    desk.settle(desk.out[0], Sent())
    desk.run_until(400)
    assert not any(key.endswith("ops/webhook/1") for key in desk.rows)


def test_a_full_desk_refuses_and_counts_but_lets_go_of_nothing_that_fires(world: Any) -> None:
    desk = world(config(), max_alerts=2)
    desk.upsert("firing", "a")
    desk.upsert("firing", "b")
    (decision,) = desk.upsert("firing", "c")
    assert decision.reason is Reason.DESK_FULL
    assert desk.desk.counts[Reason.DESK_FULL] == 1
    desk.run_until(30)
    assert desk.timeline() == [(30, "+a +b")]
    # One that is over makes room, even if its end was not told yet.
    desk.upsert("resolved", "a")
    assert desk.upsert("firing", "c")[0].reason is Reason.NEW
    desk.run_until(400)
    assert desk.timeline()[1:] == [(330, "+b +c")]


def test_what_is_over_is_forgotten_in_the_end(world: Any) -> None:
    desk = world(config())
    play(desk, [(0, "fire a"), (40, "resolve a")], 400)
    assert desk.desk.next_due_ms() is None
    assert [key.split("/")[0] for key in desk.rows] == ["alert"]
    desk.run_until(400 + 7 * 86_400)
    desk.tick()
    assert desk.rows == {}


def test_ten_thousand_alerts_that_come_and_go_leave_nothing_behind(world: Any) -> None:
    desk = world(config(), max_alerts=50)
    for number in range(2_000):
        desk.upsert("firing", f"a{number}")
        desk.upsert("resolved", f"a{number}")
        desk.run_until(number)
    desk.run_until(9_000)
    desk.tick()
    assert len(desk.rows) == 1_000
    desk.run_until(9_000 + 7 * 86_400)
    desk.tick()
    assert len(desk.rows) == 0


def test_a_receipt_says_why_at_each_stage_and_stays_short(world: Any) -> None:
    desk = world(config())
    play(desk, [(0, "fire a"), (1, "fire a"), (2, "fire a")], 100)
    (fingerprint,) = desk.desk.firing
    reasons = [(decision.reason, decision.times) for decision in desk.desk.receipts(fingerprint)]
    assert reasons == [
        (Reason.NEW, 1),
        (Reason.ROUTED, 1),
        (Reason.WAITS_FOR_GROUP, 1),
        (Reason.REFRESHED, 2),
        (Reason.FIRST, 1),
        (Reason.SENT, 1),
    ]
    for at_s in range(100, 20_000, 100):
        desk.run_until(at_s)
        desk.upsert("firing", "a", "critical" if at_s % 200 else "warning")
    assert len(desk.desk.receipts(fingerprint)) == 50
    assert desk.desk.receipts("unknown") == ()


@pytest.mark.parametrize(
    ("key", "row"),
    [
        ("alert/x", b"{"),
        ("alert/x", b"[]"),
        ("group/x", b'{"v":1}'),
        ("group/x", b'{"v":9}'),
        ("odd/x", b'{"v":1}'),
    ],
)
def test_a_row_that_cannot_be_read_is_named(key: str, row: bytes) -> None:
    with pytest.raises(RowError, match=key):
        Desk.restore(config(), {key: row}, 0)


def test_a_ledger_row_of_another_shape_is_named(world: Any) -> None:
    desk = world(config())
    play(desk, [(0, "fire a")], 40)
    ledger = next(key for key in desk.rows if key.startswith("ledger/"))
    with pytest.raises(RowError, match=ledger):
        Desk.restore(config(), desk.rows | {ledger: b'{"v":1,"told":["f"]}'}, 0)


def test_a_restore_writes_only_what_changed(world: Any) -> None:
    desk = world(config())
    play(desk, [(0, "fire a"), (50, "fire b")], 400)
    assert Desk.restore(config(), desk.rows, 400_000).take_changed_rows() == {}


def test_the_rows_of_a_thousand_alerts_in_one_group_stay_below_what_a_topic_takes(world: Any) -> None:
    desk = world(config(), max_alerts=1000)
    for number in range(1000):
        desk.upsert("firing", f"a{number}")
    desk.outcomes["ops/webhook/0"] = [Retry(0, "timeout", maybe_delivered=True), None]
    desk.run_until(40)
    assert max(len(row) for row in desk.rows.values()) < 60_000


def test_rows_that_lost_their_counterparts_are_tidied_up(world: Any) -> None:
    desk = world(config())
    play(desk, [(0, "fire a")], 40)
    desk.rows = {key: row for key, row in desk.rows.items() if not key.startswith("group/")}
    desk.crash()
    desk.run_until(200)
    # Nobody knows any more what was told, so it is told again rather than lost.
    assert desk.timeline() == [(30, "+a"), (70, "+a")]


def test_a_receiver_that_is_down_for_ten_minutes_is_told_what_holds_then(world: Any) -> None:
    """Its owner is killed in the middle of it; the wait for the next try goes on where it was."""
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [Retry(0, "refused")] * 10
    play(desk, [(0, "fire a"), (0, "fire b"), (200, "resolve a"), (300, "fire c")], 301)
    desk.crash()
    desk.run_until(3000)
    *tries, last = desk.tries
    assert [told.at_s for told in tries] == [30, 31, 33, 37, 45, 61, 93, 157, 285, 541]
    assert (last.at_s, last.words) == (841, "+b +c")
    desk.upsert("resolved", "b")
    desk.upsert("resolved", "c")
    desk.run_until(4000)
    assert [told.words for told in desk.tries[11:]] == ["-b -c"]


def test_a_receiver_that_hangs_for_ten_minutes_is_told_every_end_it_may_need(world: Any) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [Retry(0, "timeout", maybe_delivered=True)] * 10
    play(desk, [(0, "fire a"), (200, "resolve a"), (300, "fire b")], 900)
    desk.upsert("resolved", "b")
    desk.run_until(2000)
    assert desk.timeline()[10:] == [(841, "-a +b?"), (930, "-b")]
