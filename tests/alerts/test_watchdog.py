"""The alert that always fires, where a route takes it by its name."""

from typing import Any

from alerts.config import Config, parse
from alerts.desk import Desk
from alerts.dispatch import Delivery
from alerts.outcome import Sent

ROUTE = {
    "matchers": ['alertname="Watchdog"'],
    "receiver": "switch",
    "group_wait": "0s",
    "group_interval": "1m",
    "repeat_interval": "1m",
}


def config(*routes: Any) -> Config:
    receivers = [{"name": name, "log_configs": [{}]} for name in ("ops", "switch")]
    return parse({"route": {"receiver": "ops", "routes": list(routes)}, "receivers": receivers})


def told(desk: Desk, until_s: int) -> list[tuple[int, Delivery]]:
    """Run a desk whose receivers take everything, and return what is sent, with the second it is sent in."""
    found = []
    while (due_ms := desk.next_due_ms()) is not None and due_ms <= until_s * 1000:
        for delivery in desk.tick(due_ms):
            found.append((due_ms // 1000, delivery))
            desk.settled(delivery.id, Sent(), due_ms)
    return found


def test_it_comes_again_and_again_to_the_route_that_names_it_and_to_no_other() -> None:
    desk = Desk.restore(config(ROUTE), {}, 0)
    found = told(desk, 300)
    assert [at_s for at_s, _ in found] == [0, 60, 120, 180, 240, 300]
    assert {delivery.integration.receiver for _, delivery in found} == {"switch"}
    assert found[0][1].notification.title == "INFO: Watchdog"


def test_without_such_a_route_there_is_none() -> None:
    anything = {"matchers": ['alertname=~"Watch.*"'], "receiver": "switch"}
    assert Desk.restore(config(), {}, 0).alerts == {}
    assert Desk.restore(config(anything), {}, 0).alerts == {}


def test_another_owner_goes_on_with_it_and_a_config_without_the_route_ends_it() -> None:
    desk = Desk.restore(config(ROUTE), {}, 0)
    told(desk, 60)
    rows = {key: row for key, row in desk.take_changed_rows().items() if row is not None}
    successor = Desk.restore(config(ROUTE), rows, 70_000)
    assert [at_s for at_s, _ in told(successor, 180)] == [120, 180]
    successor.reconfigure(config(), 200_000)
    assert successor.firing == frozenset()
    successor.reconfigure(config(ROUTE), 210_000)
    assert len(successor.firing) == 1
