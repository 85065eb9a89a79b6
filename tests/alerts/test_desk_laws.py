"""What holds for the desk whatever happens."""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.alert import fingerprint
from alerts.config import Config, parse
from alerts.decision import Reason
from alerts.outcome import Failed, Outcome, Retry

REPEAT_S = 3600.0
INTERVAL_S = 300.0
NAMES = ["a", "b", "c"]
PLACES = ["ops/webhook/0", "ops/log/0", "pager/webhook/0"]


INHIBIT = {
    "source_matchers": ["severity=critical"],
    "target_matchers": ["severity!=critical"],
    "equal": ["model"],
}


NIGHT = {"name": "night", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "02:00"}]}]}


def config(continues: bool = True, inhibits: bool = False, mutes: bool = False) -> Config:
    severe = {
        "receiver": "pager",
        "matchers": ["severity=critical"],
        "continue": continues,
        "group_wait": "0s",
    }
    rest = {"matchers": ['alertname=~"a|b"'], "group_by": ["..."], "mute_time_intervals": ["night"] * mutes}
    return parse(
        {
            "route": {
                "receiver": "ops",
                "group_by": ["model"],
                "repeat_interval": "1h",
                "routes": [severe, rest],
            },
            "receivers": [
                {"name": "ops", "log_configs": [{}], "webhook_configs": [{"url": "http://localhost/"}]},
                {"name": "pager", "webhook_configs": [{"url": "http://localhost/"}]},
            ],
            "inhibit_rules": [INHIBIT] * inhibits,
            "time_intervals": [NIGHT],
        }
    )


bad_outcomes: st.SearchStrategy[Outcome | None] = st.one_of(
    st.builds(Retry, st.integers(0, 400_000), st.just("x"), st.booleans()), st.just(Failed("no"))
)
fire = st.tuples(st.just("firing"), st.sampled_from(NAMES), st.sampled_from(["info", "warning", "critical"]))
resolve = st.tuples(st.just("resolved"), st.sampled_from(NAMES), st.just("warning"))
passing = st.tuples(st.just("wait"), st.sampled_from([1, 10, 31, 100, 301, 1000, 3700]))
trouble = st.tuples(
    st.just("trouble"), st.sampled_from(PLACES), st.lists(bad_outcomes, min_size=1, max_size=3)
)
calm = st.lists(st.one_of(fire, fire, resolve, passing, passing, trouble), max_size=25)
crash = st.tuples(st.just("crash"))
quiet = st.tuples(st.just("silence"), st.sampled_from(NAMES), st.sampled_from([5, 200, 400, 1500]))
ack = st.tuples(st.just("ack"), st.sampled_from(NAMES))
hang = st.tuples(st.just("trouble"), st.sampled_from(PLACES), st.just([None]))
wild = st.lists(st.one_of(fire, fire, resolve, passing, passing, trouble, hang, crash), max_size=25)
asked = st.lists(
    st.one_of(fire, fire, resolve, passing, passing, trouble, hang, crash, quiet, quiet, ack), max_size=25
)


def do(world: Any, step: tuple[Any, ...]) -> None:
    match step:
        case ("firing" | "resolved") as status, name, severity:
            world.upsert(status, name, severity)
        case "wait", seconds:
            world.run_until(world.now_ms / 1000 + seconds)
        case "trouble", place, outcomes:
            world.outcomes.setdefault(place, []).extend(outcomes)
        case "silence", name, seconds:
            world.silence(seconds, f"alertname={name}")
        case "ack", name:
            world.ack(name)
        case ("crash",):
            world.crash()


def come_to_rest(world: Any) -> None:
    """From here on every receiver takes what it is sent; those that hang are lost with the process."""
    world.outcomes.clear()
    world.crash()
    world.run_until(world.now_ms / 1000 + REPEAT_S - 1)


def believed(world: Any) -> dict[str, set[str]]:
    """What each integration believes to fire, from what reached it."""
    groups: dict[tuple[str, str], set[str]] = {}
    for told in world.tries:
        if told.arrived:
            groups[told.place, told.group] = {name for name, status, _ in told.content if status == "firing"}
    views: dict[str, set[str]] = defaultdict(set)
    for (place, _), names in groups.items():
        views[place] |= names
    return views


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5)), st.text(), st.randoms(use_true_random=False)
)
def test_a_fingerprint_depends_neither_on_order_nor_on_severity(
    labels: dict[str, str], severity: str, random: Any
) -> None:
    shuffled = list(labels.items())
    random.shuffle(shuffled)
    assert fingerprint(labels) == fingerprint({**dict(shuffled), "severity": severity})


@pytest.mark.parametrize("continues", [True, False])
@given(steps=st.one_of(wild, asked))
@settings(max_examples=200)
def test_nothing_that_fires_is_lost_and_nothing_that_is_over_is_believed(
    world: Any, continues: bool, steps: list[tuple[Any, ...]]
) -> None:
    desk = world(config(continues))
    for step in steps:
        do(desk, step)
    come_to_rest(desk)
    firing = {r.upsert.labels["alertname"]: r.severity for r in desk.desk.alerts.values() if r.firing}
    severe = {name for name, severity in firing.items() if severity == "critical"}
    # Routes in order: critical to pager; then, if that continues, a and b by their own route to ops.
    to_ops = set(firing) - severe | (severe & {"a", "b"} if continues else set())
    views = believed(desk)
    assert views["pager/webhook/0"] == severe
    assert views["ops/webhook/0"] == to_ops
    assert views["ops/log/0"] == to_ops


@given(steps=wild)
@settings(max_examples=100)
def test_what_is_muted_is_told_later_but_never_then(world: Any, steps: list[tuple[Any, ...]]) -> None:
    desk = world(config(mutes=True))
    for step in steps:
        do(desk, step)
    come_to_rest(desk)
    noon_s = (desk.now_ms // 86_400_000 + 1.5) * 86_400
    desk.run_until(noon_s)
    for told in desk.tries:
        at_night = told.at_s % 86_400 < 2 * 3600
        assert not (at_night and '"a|b"' in told.group)
    firing = {r.upsert.labels["alertname"]: r.severity for r in desk.desk.alerts.values() if r.firing}
    severe = {name for name, severity in firing.items() if severity == "critical"}
    views = believed(desk)
    assert views["pager/webhook/0"] == severe
    for place in ("ops/webhook/0", "ops/log/0"):
        assert views[place] == set(firing) - (severe - {"a", "b"})


@given(steps=wild)
@settings(max_examples=150)
def test_what_fires_uninhibited_is_believed_and_nothing_that_is_over(
    world: Any, steps: list[tuple[Any, ...]]
) -> None:
    desk = world(config(inhibits=True))
    for step in steps:
        do(desk, step)
    come_to_rest(desk)
    firing = {r.upsert.labels["alertname"]: r.severity for r in desk.desk.alerts.values() if r.firing}
    severe = {name for name, severity in firing.items() if severity == "critical"}
    free = severe or set(firing)
    views = believed(desk)
    assert views["pager/webhook/0"] == severe
    for place in ("ops/webhook/0", "ops/log/0"):
        assert free & {"a", "b"} | (free - severe) <= views[place] <= set(firing)


@given(steps=wild)
@settings(max_examples=100)
def test_what_is_inhibited_is_never_told_to_fire(world: Any, steps: list[tuple[Any, ...]]) -> None:
    desk = world(config(inhibits=True))
    for step in [*steps, ("firing", "c", "critical"), ("wait", 4000)]:
        tries = len(desk.tries)
        do(desk, step)
        severe = any(one.firing and one.severity == "critical" for one in desk.desk.alerts.values())
        told = {
            severity
            for one in desk.tries[tries:]
            for _, status, severity in one.content
            if status == "firing"
        }
        # Firing and ending lie between steps, so what inhibits at the end of one did so all through it.
        assert not severe or told <= {"critical"}


@given(steps=wild)
@settings(max_examples=150)
def test_the_same_content_is_told_twice_only_as_repeat_or_marked(
    world: Any, steps: list[tuple[Any, ...]]
) -> None:
    desk = world(config())
    for step in steps:
        do(desk, step)
    come_to_rest(desk)
    last: dict[tuple[str, str], Any] = {}
    for told in desk.tries:
        before = last.get((told.place, told.group))
        if before and before.content == told.content and not told.possible_repeat:
            assert told.reason is Reason.REPEAT
            # Counted from the group's turn, which the one before may have missed by half an interval.
            assert told.at_s - before.at_s >= REPEAT_S - INTERVAL_S / 2
        if told.arrived:
            last[told.place, told.group] = told


@pytest.mark.parametrize("inhibits", [True, False])
@given(steps=wild)
@settings(max_examples=150)
def test_an_end_is_told_only_to_those_who_may_know_of_the_beginning(
    world: Any, inhibits: bool, steps: list[tuple[Any, ...]]
) -> None:
    desk = world(config(inhibits=inhibits))
    for step in steps:
        do(desk, step)
    come_to_rest(desk)
    told_of: dict[tuple[str, str], set[str]] = defaultdict(set)
    for told in desk.tries:
        known = told_of[told.place, told.group]
        assert {name for name, status, _ in told.content if status == "resolved"} <= known
        if told.arrived or told.lost:
            known |= {name for name, status, _ in told.content if status == "firing"}


@pytest.mark.parametrize("inhibits", [True, False])
@given(steps=calm, at=st.integers(0, 25))
@settings(max_examples=150)
def test_restored_at_any_step_the_future_is_the_same(
    world: Any, inhibits: bool, steps: list[tuple[Any, ...]], at: int
) -> None:
    whole, broken = world(config(inhibits=inhibits)), world(config(inhibits=inhibits))
    for number, step in enumerate(steps):
        do(whole, step)
        do(broken, step)
        if number == at:
            broken.crash()
    for desk in (whole, broken):
        desk.run_until(desk.now_ms / 1000 + 2 * REPEAT_S)
    assert broken.tries == whole.tries
    assert broken.rows == whole.rows
    assert broken.desk.next_due_ms() == whole.desk.next_due_ms()


@given(steps=wild)
@settings(max_examples=100)
def test_at_most_one_delivery_is_out_per_group_and_integration(
    world: Any, steps: list[tuple[Any, ...]]
) -> None:
    desk = world(config())
    for step in steps:
        do(desk, step)
        out = [(delivery.integration.key, delivery.notification.group_key) for delivery in desk.out]
        # Those of a group that was let go of meanwhile no longer count.
        assert len(out) == len(set(out))


@given(steps=wild, others=st.lists(st.booleans(), min_size=1, max_size=3))
@settings(max_examples=60)
def test_reloads_lose_nothing_that_fires(
    world: Any, steps: list[tuple[Any, ...]], others: list[bool]
) -> None:
    desk = world(config())
    for number, step in enumerate(steps):
        do(desk, step)
        if number % 5 == 4:
            desk.reconfigure(config(others[number // 5 % len(others)]))
    desk.reconfigure(config())
    come_to_rest(desk)
    firing = {r.upsert.labels["alertname"] for r in desk.desk.alerts.values() if r.firing}
    views = believed(desk)
    assert views["ops/webhook/0"] | views["pager/webhook/0"] == firing


@given(steps=calm)
@settings(max_examples=60)
def test_every_row_stays_small(world: Any, steps: list[tuple[Any, ...]]) -> None:
    desk = world(config())
    for step in steps:
        do(desk, step)
    assert max((len(row) for row in desk.rows.values()), default=0) < 8_000
