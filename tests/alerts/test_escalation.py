"""Who is told when nobody acknowledges. group_wait 30 s, group_interval 300 s; steps after 15 and 60 min."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.alert import fingerprint
from alerts.command import Unacknowledge
from alerts.config import Config, parse
from alerts.decision import Reason
from alerts.outcome import Failed, Retry

A = fingerprint({"alertname": "a", "model": "m"})
OPS, LEAD, HEAD = (f"{name}/webhook/0" for name in ("ops", "lead", "head"))
STEPS = [{"after": "15m", "receiver": "lead"}, {"after": "1h", "receiver": "head"}]
NIGHT = {"name": "night", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "02:00"}]}]}
NAMES = ("ops", "lead", "head", "growth")


def config(steps: Any = STEPS, **more: Any) -> Config:
    receivers = [{"name": name, "webhook_configs": [{"url": f"http://localhost/{name}"}]} for name in NAMES]
    root = {"receiver": "ops", "group_by": ["model"], "repeat_interval": "4h", "escalate": steps, **more}
    return parse({"route": root, "receivers": receivers, "time_intervals": [NIGHT]})


def told(desk: Any, *without: str) -> list[tuple[float, str, str]]:
    found = [(one.at_s, one.place.partition("/")[0], one.words) for one in desk.tries]
    return [one for one in found if one[1] not in without]


@pytest.fixture
def desk(world: Any) -> Any:
    made = world(config())
    made.upsert("firing", "a")
    made.run_until(600)
    return made


def test_what_nobody_acknowledges_goes_up_step_by_step_each_once(desk: Any) -> None:
    desk.run_until(10_000)
    assert told(desk) == [(30, "ops", "+a"), (930, "lead", "+a"), (3630, "head", "+a")]


def test_an_ack_stops_it(desk: Any) -> None:
    desk.ack("a")
    desk.run_until(10_000)
    assert told(desk) == [(30, "ops", "+a")]


def test_an_ack_between_two_steps_stops_the_second(desk: Any) -> None:
    desk.run_until(1000)
    desk.ack("a")
    desk.run_until(10_000)
    assert told(desk) == [(30, "ops", "+a"), (930, "lead", "+a")]


def test_an_ack_that_is_taken_back_starts_the_clock_anew(desk: Any) -> None:
    desk.ack("a")
    desk.run_until(700)
    desk.command(Unacknowledge(id="command-0000", target=A, by="ana"))
    desk.run_until(1599)
    assert told(desk) == [(30, "ops", "+a")]
    desk.run_until(1600)
    assert told(desk)[1:] == [(1600, "lead", "+a")]


def test_an_end_stops_it_and_is_told_to_all_who_were_told(desk: Any) -> None:
    desk.run_until(1000)
    desk.upsert("resolved", "a")
    desk.run_until(10_000)
    assert told(desk)[2:] == [(1230, "ops", "-a"), (1230, "lead", "-a")]


def test_who_was_told_goes_on_hearing_the_news(desk: Any) -> None:
    desk.run_until(1000)
    desk.ack("a")
    desk.upsert("firing", "b")
    desk.run_until(1300)
    assert told(desk)[2:] == [(1230, "ops", "+a +b"), (1230, "lead", "+a +b")]
    # The clock of b began when it was told.
    desk.run_until(10_000)
    assert told(desk)[4:] == [(4830, "head", "+a +b")]


def test_what_joins_after_an_end_has_its_own_time(world: Any) -> None:
    desk = world(config())
    desk.upsert("firing", "a")
    desk.run_until(700)
    desk.upsert("resolved", "a")
    desk.upsert("firing", "b")
    desk.run_until(2000)
    assert told(desk) == [(30, "ops", "+a"), (930, "ops", "-a +b"), (1830, "lead", "+b")]


def test_what_is_silenced_goes_to_nobody(desk: Any) -> None:
    desk.silence(7200, "alertname=a")
    desk.run_until(6800)
    assert told(desk) == [(30, "ops", "+a")]


@pytest.mark.parametrize("outcome", [Failed("404"), Retry(0, "down")])
def test_a_receiver_that_takes_nothing_is_no_answer(world: Any, outcome: Any) -> None:
    desk = world(config())
    desk.outcomes[OPS] = [outcome] * 100
    desk.upsert("firing", "a")
    desk.run_until(950)
    assert told(desk, "ops") == [(930, "lead", "+a")]


def test_routes_inherit_the_steps_and_may_end_them(world: Any) -> None:
    desk = world(
        config(
            routes=[
                {"receiver": "growth", "matchers": ["alertname=a"]},
                {"receiver": "growth", "matchers": ["alertname=b"], "escalate": []},
            ]
        )
    )
    desk.upsert("firing", "a")
    desk.upsert("firing", "b")
    desk.run_until(2000)
    assert told(desk) == [(30, "growth", "+a"), (30, "growth", "+b"), (930, "lead", "+a")]


def test_a_step_may_keep_to_time_intervals(world: Any) -> None:
    desk = world(
        config(
            [
                {"after": "15m", "receiver": "lead", "mute_time_intervals": ["night"]},
                {"after": "20m", "receiver": "head", "active_time_intervals": ["night"]},
            ]
        )
    )
    desk.upsert("firing", "a")
    desk.run_until(10_000)
    # The night ends at 7200 s: the lead is told with the group's next turn.
    assert told(desk) == [(30, "ops", "+a"), (1230, "head", "+a"), (7230, "lead", "+a")]


def test_an_interval_that_fails_holds_nobody_back(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = world(config([{"after": "15m", "receiver": "lead", "mute_time_intervals": ["night"]}]))

    class Broken:
        def contains(self, at_ms: int) -> bool:
            raise ZeroDivisionError("no such night")

    monkeypatch.setitem(desk.desk._book.intervals, "night", Broken())
    desk.upsert("firing", "a")
    desk.run_until(1000)
    assert told(desk) == [(30, "ops", "+a"), (930, "lead", "+a")]
    assert Reason.SUPPRESSION_FAILED in [one.reason for one in desk.desk.receipts(A)]


def test_the_history_and_the_message_say_why(desk: Any) -> None:
    desk.outcomes[LEAD] = [None]
    desk.run_until(931)
    noted = [(one.reason, one.where, one.detail) for one in desk.desk.receipts(A)]
    assert (Reason.ESCALATED, "lead", "nobody acknowledged it within 15m") in noted
    (delivery,) = desk.out
    assert delivery.notification.notes == ("Escalated to lead: nobody acknowledged it within 15m.",)


@pytest.mark.parametrize("at_s", [100, 600, 931, 2000])
def test_a_takeover_neither_repeats_nor_loses_a_step(world: Any, at_s: float) -> None:
    desk = world(config())
    desk.upsert("firing", "a")
    desk.run_until(at_s)
    desk.crash()
    desk.run_until(10_000)
    assert told(desk) == [(30, "ops", "+a"), (930, "lead", "+a"), (3630, "head", "+a")]


def test_a_step_that_came_due_while_no_desk_ran_is_taken_at_once(desk: Any) -> None:
    desk.now_ms = 940_000
    desk.crash()
    desk.run_until(941)
    assert told(desk)[1:] == [(940, "lead", "+a")]


def test_rows_of_before_are_read(desk: Any) -> None:
    for key in [key for key in desk.rows if key.startswith("group/")]:
        held = json.loads(desk.rows[key])
        for name in ("escalated", "unanswered_ms", "look_ms"):
            del held[name]
        desk.rows[key] = json.dumps(held).encode()
    desk.crash()
    desk.run_until(1600)
    # The clock starts with the group's next turn.
    assert told(desk) == [(30, "ops", "+a"), (1530, "lead", "+a")]


def test_a_reload_that_adds_a_step_does_not_repeat_those_taken(desk: Any) -> None:
    desk.run_until(1000)
    desk.reconfigure(config([{"after": "20m", "receiver": "growth"}, *STEPS]))
    desk.run_until(10_000)
    assert told(desk)[1:] == [(930, "lead", "+a"), (1230, "growth", "+a"), (3630, "head", "+a")]


def test_a_step_names_a_receiver_that_exists() -> None:
    with pytest.raises(ValidationError, match="no receiver named 'boss'"):
        config([{"after": "1m", "receiver": "boss"}])
    with pytest.raises(ValidationError, match="no time interval named 'noon'"):
        config([{"after": "1m", "receiver": "lead", "mute_time_intervals": ["noon"]}])


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["firing", "firing", "resolved"]), st.sampled_from("ab")),
        st.tuples(st.just("wait"), st.sampled_from([1, 31, 301, 901, 1000, 4000])),
        st.tuples(st.just("ack"), st.sampled_from("ab")),
        st.tuples(
            st.just("trouble"), st.sampled_from([OPS, LEAD]), st.sampled_from([Failed("no"), Retry(0, "x")])
        ),
    ),
    max_size=15,
)


def do(desk: Any, step: tuple[Any, ...]) -> None:
    match step:
        case "wait", seconds:
            desk.run_until(desk.now_ms / 1000 + seconds)
        case "ack", name:
            desk.ack(name)
        case "trouble", place, outcome:
            desk.outcomes.setdefault(place, []).append(outcome)
        case status, name:
            desk.upsert(status, name)


@given(steps=steps, at=st.integers(0, 15))
@settings(max_examples=60)
def test_restored_at_any_step_the_future_is_the_same(
    world: Any, steps: list[tuple[Any, ...]], at: int
) -> None:
    whole, broken = world(config()), world(config())
    for number, step in enumerate(steps):
        do(whole, step)
        do(broken, step)
        if number == at:
            broken.crash()
    for desk in (whole, broken):
        desk.run_until(desk.now_ms / 1000 + 8000)
    assert broken.tries == whole.tries
    assert broken.rows == whole.rows


@given(steps=steps)
@settings(max_examples=60)
def test_in_the_end_the_head_knows_of_all_that_nobody_looks_after(
    world: Any, steps: list[tuple[Any, ...]]
) -> None:
    desk = world(config())
    for step in steps:
        do(desk, step)
    desk.outcomes.clear()
    desk.run_until(desk.now_ms / 1000 + 4500)
    alerts = [one for one in desk.desk.alerts.values() if one.firing]
    known: dict[str, set[str]] = {place: set() for place in (OPS, LEAD, HEAD)}
    for one in desk.tries:
        if one.arrived:
            known[one.place] = {name for name, status, _ in one.content if status == "firing"}
    firing = {one.upsert.labels["alertname"] for one in alerts}
    if any(one.ack is None for one in alerts):
        assert known[HEAD] == known[LEAD] == firing
    assert known[HEAD] <= firing
    assert known[LEAD] <= firing
