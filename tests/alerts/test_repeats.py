"""When it is said again that something fires."""

from typing import Any

import pytest

from alerts.config import parse
from alerts.outcome import Retry


@pytest.mark.parametrize(("interval", "step_s"), [("5m", 300), ("1h", 3600)])
def test_repeat_interval_equal_to_group_interval_repeats_at_that_interval(
    world: Any, interval: str, step_s: int
) -> None:
    route = {"receiver": "ops", "group_interval": interval, "repeat_interval": interval}
    desk = world(parse({"route": route, "receivers": [{"name": "ops", "log_configs": [{}]}]}))
    desk.upsert("firing", "a")
    desk.run_until(30 + 3 * step_s)
    assert [told.at_s for told in desk.tries] == [30 + number * step_s for number in range(4)]


def every_minute() -> Any:
    route = {"receiver": "ops", "group_interval": "1m", "repeat_interval": "1m"}
    return parse({"route": route, "receivers": [{"name": "ops", "log_configs": [{}]}]})


@pytest.mark.parametrize(
    ("wait_s", "repeats"), [(2, [90, 150, 210]), (29, [90, 150, 210]), (31, [150, 210]), (59, [150, 210])]
)
def test_a_second_try_is_repeated_at_the_turn_that_is_nearest_to_one_interval_later(
    world: Any, wait_s: int, repeats: list[float]
) -> None:
    desk = world(every_minute())
    desk.outcomes["ops/log/0"] = [Retry(wait_s * 1000, "busy")]
    desk.upsert("firing", "a")
    desk.run_until(211)
    assert [told.at_s for told in desk.tries] == [30, 30 + wait_s, *repeats]


def test_after_a_try_of_unknown_outcome_repeats_keep_to_the_turns_of_the_group(world: Any) -> None:
    desk = world(every_minute())
    desk.outcomes["ops/log/0"] = [None]
    desk.upsert("firing", "a")
    desk.run_until(50)
    (delivery,) = desk.out
    desk.settle(delivery, Retry(1000, "slow", maybe_delivered=True))
    desk.run_until(211)
    assert [(told.at_s, told.words) for told in desk.tries] == [
        (30, "+a"), (51, "+a?"), (90, "+a"), (150, "+a"), (210, "+a"),
    ]  # fmt: skip
