"""Flapping: 3 beginnings and ends within 30 min, quiet for 15 min. group_wait 30 s, group_interval 300 s."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.alert import fingerprint
from alerts.config import Config, parse
from alerts.decision import Reason
from alerts.outcome import Sent
from streams.desk_views import alert_row

A = fingerprint({"alertname": "a", "model": "m"})
QUIET_S, INTERVAL_S = 900, 300


def config(**flapping: Any) -> Config:
    return parse(
        {
            "global": {"flapping": flapping},
            "route": {"receiver": "ops", "group_by": ["model"], "repeat_interval": "1h"},
            "receivers": [{"name": "ops", "webhook_configs": [{"url": "http://localhost/"}]}],
        }
    )


def play(desk: Any, steps: list[tuple[float, str]], end_s: float) -> None:
    for at_s, action in steps:
        desk.run_until(at_s)
        verb, _, name = action.partition(" ")
        desk.upsert("resolved" if verb == "resolve" else "firing", name)
    desk.run_until(end_s)


UP_AND_DOWN = [(0, "fire a"), (100, "resolve a"), (400, "fire a"), (500, "resolve a"), (800, "fire a")]


def test_what_begins_and_ends_again_and_again_is_one_alert_until_it_is_quiet(world: Any) -> None:
    desk = world(config())
    play(desk, [*UP_AND_DOWN, (900, "resolve a")], 10_000)
    # Without holding: +a -a +a -a +a -a. Quiet from 900 s on, told with the first turn after 1800 s.
    assert desk.timeline() == [(30, "+a"), (330, "-a"), (430, "+a"), (1930, "-a")]


def test_the_message_says_that_it_flaps(world: Any) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [None, None, None]
    play(desk, UP_AND_DOWN[:1], 40)
    desk.settle(desk.out.pop(), Sent())
    play(desk, UP_AND_DOWN[1:2], 340)
    desk.settle(desk.out.pop(), Sent())
    play(desk, UP_AND_DOWN[2:3], 440)
    (shown,) = desk.out.pop().notification.alerts
    words = "Flaps: began or ended 3 times since 1970-01-01 00:00:00 UTC, held as firing until it is quiet."
    assert shown.sentence == f"{words} {shown.subject}"
    assert alert_row(desk.desk, A, desk.now_ms).state == words


def test_one_that_still_fires_when_it_is_quiet_goes_on_and_flaps_no_more(world: Any) -> None:
    desk = world(config())
    play(desk, UP_AND_DOWN, 3000)
    assert desk.timeline() == [(30, "+a"), (330, "-a"), (430, "+a")]
    record = desk.desk.alerts[A]
    assert (record.firing, record.flap) == (True, None)
    desk.upsert("resolved", "a")
    desk.run_until(4000)
    assert desk.timeline()[3:] == [(3130, "-a")]


def test_rare_returns_do_not_flap(world: Any) -> None:
    desk = world(config())
    play(desk, [(0, "fire a"), (600, "resolve a"), (1801, "fire a"), (2500, "resolve a")], 5000)
    assert desk.timeline() == [(30, "+a"), (630, "-a"), (1831, "+a"), (2731, "-a")]


def test_zero_transitions_never_flap(world: Any) -> None:
    desk = world(config(transitions=0))
    play(desk, [*UP_AND_DOWN, (900, "resolve a")], 3000)
    assert [words for _, words in desk.timeline()] == ["+a", "-a", "+a", "-a", "+a", "-a"]


def test_its_ack_stays_while_it_flaps(world: Any) -> None:
    desk = world(config())
    play(desk, UP_AND_DOWN[:3], 450)
    desk.ack("a")
    play(desk, UP_AND_DOWN[3:], 6000)
    assert desk.timeline() == [(30, "+a"), (330, "-a"), (430, "+a")]
    assert desk.desk.counts[Reason.ACK_STOPS_REPEAT] > 0


def test_it_inhibits_while_it_flaps(world: Any) -> None:
    rule = {"source_matchers": ["alertname=a"], "target_matchers": ["alertname=b"], "equal": ["model"]}
    receivers = [{"name": "ops", "webhook_configs": [{"url": "http://localhost/"}]}]
    root = {"receiver": "ops", "group_by": ["model"]}
    desk = world(parse({"route": root, "receivers": receivers, "inhibit_rules": [rule]}))
    play(desk, [*UP_AND_DOWN[:4], (510, "fire b")], 1300)
    assert not any("b" in words for _, words in desk.timeline())
    desk.run_until(2000)
    assert desk.timeline()[-1][1] == "-a +b"


def test_the_history_says_when_it_began_to_flap_and_when_it_was_quiet(world: Any) -> None:
    desk = world(config())
    play(desk, [*UP_AND_DOWN, (900, "resolve a")], 2000)
    noted = {one.reason: one.detail for one in desk.desk.receipts(A)}
    assert noted[Reason.FLAPS] == "3 times within 30m; held as firing until it is quiet for 15m"
    assert Reason.FLAP_HELD in noted
    assert noted[Reason.FLAPPED] == "it is over"


def test_a_takeover_goes_on_holding_it(world: Any) -> None:
    desk = world(config())
    play(desk, [*UP_AND_DOWN, (900, "resolve a")], 910)
    desk.crash()
    desk.run_until(10_000)
    assert desk.timeline() == [(30, "+a"), (330, "-a"), (430, "+a"), (1930, "-a")]


@pytest.mark.parametrize("wrong", [{"transitions": -1}, {"within": "0s"}, {"times": 3}])
def test_what_flapping_cannot_mean_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config(**wrong)


moves = st.lists(
    st.tuples(
        st.sampled_from(["fire", "resolve"]), st.sampled_from("ab"), st.sampled_from([1, 60, 299, 301, 1000])
    ),
    max_size=20,
)


@given(moves=moves, crash=st.integers(0, 20))
@settings(max_examples=100)
def test_once_it_is_quiet_all_is_told_as_it_is(
    world: Any, moves: list[tuple[str, str, int]], crash: int
) -> None:
    desk, truth = world(config()), {"a": False, "b": False}
    for number, (verb, name, seconds) in enumerate(moves):
        desk.upsert("resolved" if verb == "resolve" else "firing", name)
        truth[name] = verb == "fire"
        desk.run_until(desk.now_ms / 1000 + seconds)
        if number == crash:
            desk.crash()
    desk.run_until(desk.now_ms / 1000 + QUIET_S + 2 * INTERVAL_S)
    believed: set[str] = set()
    for one in desk.tries:
        believed = {name for name, status, _ in one.content if status == "firing"}
    assert believed == {name for name, fires in truth.items() if fires}
    assert not any(record.flap for record in desk.desk.alerts.values())


@given(moves=moves)
@settings(max_examples=100)
def test_while_it_flaps_nobody_is_told_that_it_is_over(world: Any, moves: list[tuple[str, str, int]]) -> None:
    desk = world(config())
    for verb, name, seconds in moves:
        desk.upsert("resolved" if verb == "resolve" else "firing", name)
        flapping = {one.upsert.labels["alertname"]: one.flap for one in desk.desk.alerts.values() if one.flap}
        before = len(desk.tries)
        desk.run_until(desk.now_ms / 1000 + seconds)
        for one in desk.tries[before:]:
            over = {each for each, status, _ in one.content if status == "resolved"}
            assert not {each for each in over & flapping.keys() if one.at_s * 1000 < flapping[each].until_ms}


@given(moves=st.lists(st.sampled_from("ab"), max_size=10))
@settings(max_examples=50)
def test_what_never_turns_often_enough_is_told_as_without_the_rule(world: Any, moves: list[str]) -> None:
    held, plain = world(config()), world(config(transitions=0))
    fires = dict.fromkeys("ab", False)
    for name in moves:
        fires[name] = not fires[name]
        for desk in (held, plain):
            desk.upsert("firing" if fires[name] else "resolved", name)
            # Two turns of one alert within 30 min at most.
            desk.run_until(desk.now_ms / 1000 + 901)
    assert held.timeline() == plain.timeline()
