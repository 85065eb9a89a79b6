"""When it is said again that something fires."""

from typing import Any

import pytest

from alerts.config import parse


@pytest.mark.parametrize(("interval", "step_s"), [("5m", 300), ("1h", 3600)])
def test_repeat_interval_equal_to_group_interval_repeats_at_that_interval(
    world: Any, interval: str, step_s: int
) -> None:
    route = {"receiver": "ops", "group_interval": interval, "repeat_interval": interval}
    desk = world(parse({"route": route, "receivers": [{"name": "ops", "log_configs": [{}]}]}))
    desk.upsert("firing", "a")
    desk.run_until(30 + 3 * step_s)
    assert [told.at_s for told in desk.tries] == [30 + number * step_s for number in range(4)]
