"""What holds for owners of the desk that die at any step, stall and wake up late.

A step of a worker may end after any of the rows it writes; the topic is compacted whenever it likes.
"""

from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.config import Config, parse
from alerts.outcome import Outcome, Retry

REPEAT_S = 3600.0
PLACES = ("ops/webhook/0", "ops/log/0")


def config() -> Config:
    return parse(
        {
            "route": {"receiver": "ops", "group_by": ["model"], "repeat_interval": "1h"},
            "receivers": [
                {"name": "ops", "log_configs": [{}], "webhook_configs": [{"url": "http://localhost/"}]}
            ],
        }
    )


outcomes: st.SearchStrategy[Outcome | None] = st.one_of(
    st.none(), st.builds(Retry, st.integers(0, 400_000), st.just("x"), st.booleans())
)
ALERT, STALLED = ("firing", "firing", "resolved"), ("wake_and_settle", "wake_and_tick", "wake_and_take_over")
KINDS = (*ALERT, "wait", "wait", "wait", "trouble", "cut", "crash", "stall", "stall", *STALLED, "compact")
step = st.tuples(
    st.sampled_from(KINDS),
    st.sampled_from("ab"),
    st.sampled_from([1, 31, 301, 3700]),
    st.sampled_from(PLACES),
    outcomes,
    st.integers(0, 12),
)
# Always long: what goes wrong here takes an alert, a stall, time, and a waking, in this order.
steps = st.lists(step, min_size=30, max_size=30)


def do(world: Any, step: tuple[Any, ...]) -> None:
    kind, name, seconds, place, outcome, rows = step
    match kind:
        case "firing" | "resolved":
            world.upsert(kind, name)
        case "wait":
            world.run_until(world.now_ms / 1000 + seconds)
        case "trouble":
            world.outcomes.setdefault(place, []).append(outcome)
        case "cut":
            world.cut_after = rows
        case _:
            getattr(world, kind)()


def live(world: Any, taken: list[tuple[Any, ...]]) -> Any:
    """Return a world after these steps, at rest: nobody dies, and every receiver takes what it is sent."""
    made = world(config())
    for step in taken:
        do(made, step)
    made.outcomes.clear()
    made.cut_after = None
    made.crash()
    made.run_until(made.now_ms / 1000 + REPEAT_S - 1)
    return made


@given(steps=steps)
@settings(max_examples=250)
def test_no_notification_is_lost_and_every_end_is_told(owners: Any, steps: list[tuple[Any, ...]]) -> None:
    world = live(owners, steps)
    fires: dict[str, bool] = {}
    for upsert in world.taken:
        fires[upsert.labels["alertname"]] = upsert.status == "firing"
    believed: dict[str, set[str]] = defaultdict(set)
    for told in world.tries:
        if told.arrived:
            believed[told.place] = {name for name, status, _ in told.content if status == "firing"}
    for place in PLACES:
        assert believed[place] == {name for name, firing in fires.items() if firing}


@given(steps=steps)
@settings(max_examples=250)
def test_none_arrives_twice_without_the_mark(owners: Any, steps: list[tuple[Any, ...]]) -> None:
    world = live(owners, steps)
    unmarked = Counter(
        (told.place, told.key)
        for told in world.tries
        if (told.arrived or told.lost) and not told.possible_repeat
    )
    assert max(unmarked.values(), default=0) <= 1


@given(steps=steps)
@settings(max_examples=100)
def test_what_cannot_have_arrived_is_never_marked(owners: Any, steps: list[tuple[Any, ...]]) -> None:
    """Nobody dies or stalls here, and receivers refuse before they take anything."""
    refused = Retry(0, "refused")
    calm = [(*step[:4], refused, 0) for step in steps if step[0] not in ("cut", "crash", "stall")]
    assert not any(told.possible_repeat for told in live(owners, calm).tries)


@pytest.mark.parametrize("rows", range(16))
def test_killed_after_any_row_of_a_takeover_the_next_one_finds_the_same(owners: Any, rows: int) -> None:
    world = owners(config())
    world.upsert("firing", "a")
    world.run_until(31)
    world.upsert("firing", "b")
    world.cut_after = rows
    world.crash()
    world.compact()
    world.crash()
    world.run_until(400)
    assert [(told.at_s, told.words) for told in world.tries if told.place == PLACES[0]] == [
        (30, "+a"),
        (330, "+a +b"),
    ]
