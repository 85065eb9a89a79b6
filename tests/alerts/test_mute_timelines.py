"""What routes are told, and when, that are muted, or active, at times. Time begins at 1970-01-01T00:00Z."""

from typing import Any

import pytest

from alerts.config import Config, parse
from alerts.decision import Reason, Stage
from alerts.outcome import Retry
from alerts.time_interval import TimeInterval


def minutes(start: str, end: str) -> dict[str, Any]:
    return {"times": [{"start_time": start, "end_time": end}]}


INTERVALS = [
    {"name": "first-10m", "time_intervals": [minutes("00:00", "00:10")]},
    {"name": "second-10m", "time_intervals": [minutes("00:10", "00:20")]},
]


def config(**route: Any) -> Config:
    return parse(
        {
            "route": {
                "receiver": "ops",
                "group_by": ["model"],
                "repeat_interval": "1h",
                "routes": [{"matchers": ["team=x"], "receiver": "night", **route}],
            },
            "receivers": [
                {"name": name, "webhook_configs": [{"url": "http://localhost/"}]} for name in ("ops", "night")
            ],
            "time_intervals": INTERVALS,
        }
    )


def told(desk: Any) -> list[tuple[float, str]]:
    return [(one.at_s, one.words) for one in desk.tries if one.place == "night/webhook/0"]


def test_while_muted_nothing_is_told_and_afterwards_what_fires_is(world: Any) -> None:
    desk = world(config(mute_time_intervals=["first-10m"]))
    desk.upsert("firing", "a", team="x")
    desk.upsert("firing", "b", team="x")
    desk.run_until(400)
    desk.upsert("resolved", "b", team="x")
    desk.run_until(1000)
    assert told(desk) == [(630, "+a")]


def test_an_end_that_comes_while_muted_is_told_afterwards(world: Any) -> None:
    desk = world(config(mute_time_intervals=["second-10m"]))
    desk.upsert("firing", "a", team="x")
    desk.run_until(640)
    desk.upsert("resolved", "a", team="x")
    desk.crash()
    desk.run_until(3000)
    assert told(desk) == [(30, "+a"), (1230, "-a")]


def test_what_comes_back_while_muted_is_no_news(world: Any) -> None:
    desk = world(config(mute_time_intervals=["second-10m"]))
    desk.upsert("firing", "a", team="x")
    desk.run_until(640)
    desk.upsert("resolved", "a", team="x")
    desk.run_until(1000)
    desk.upsert("firing", "a", team="x")
    desk.run_until(3000)
    assert told(desk) == [(30, "+a")]


def test_a_try_that_failed_waits_for_the_end_too(world: Any) -> None:
    desk = world(config(mute_time_intervals=["second-10m"]))
    desk.outcomes["night/webhook/0"] = [Retry(620_000, "busy")]
    desk.upsert("firing", "a", team="x")
    desk.run_until(3000)
    assert told(desk) == [(30, "+a"), (1230, "+a")]


@pytest.mark.parametrize("crashes", [True, False])
def test_a_try_that_came_due_while_muted_waits_for_the_groups_turn(world: Any, crashes: bool) -> None:
    desk = world(config(mute_time_intervals=["second-10m"]))
    desk.outcomes["night/webhook/0"] = [Retry(600_000, "busy")]
    desk.upsert("firing", "a", team="x")
    desk.run_until(1210)
    if crashes:
        desk.crash()
    desk.run_until(3000)
    assert told(desk) == [(30, "+a"), (1230, "+a")]


def test_outside_of_its_active_times_a_route_is_told_nothing(world: Any) -> None:
    desk = world(config(active_time_intervals=["second-10m"]))
    desk.upsert("firing", "a", team="x")
    desk.run_until(1000)
    desk.upsert("firing", "b", team="x")
    desk.run_until(5000)
    assert told(desk) == [(630, "+a")]


def test_muted_wins_over_active(world: Any) -> None:
    desk = world(config(mute_time_intervals=["first-10m"], active_time_intervals=["first-10m", "second-10m"]))
    desk.upsert("firing", "a", team="x")
    desk.run_until(5000)
    assert told(desk) == [(630, "+a")]


def test_a_muted_route_still_takes_its_alerts_and_its_children_are_not_muted(world: Any) -> None:
    child = {"matchers": ["model=m"], "receiver": "night", "group_by": ["alertname"]}
    desk = world(config(mute_time_intervals=["first-10m"], routes=[child]))
    desk.upsert("firing", "a", team="x")
    desk.upsert("firing", "b", team="x", model="other")
    desk.run_until(100)
    assert [(one.place, one.words) for one in desk.tries] == [("night/webhook/0", "+a")]


def test_who_looks_at_an_alert_sees_why_it_is_not_told_and_its_history_says_so_once(world: Any) -> None:
    desk = world(config(mute_time_intervals=["first-10m"], active_time_intervals=["second-10m"]))
    desk.upsert("firing", "a", team="x")
    desk.run_until(500)
    ((name, record),) = desk.desk.alerts.items()
    assert [(one.kind, one.by) for one in desk.desk.suppressions(name, desk.now_ms)] == [
        ("muted", "first-10m"),
        ("inactive", "second-10m"),
    ]
    noted = [(one.reason, one.where, one.detail) for one in record.history if one.stage is Stage.SUPPRESS]
    assert noted == [(Reason.MUTED, "first-10m", "the route to night is muted in first-10m")]
    assert desk.desk.suppressions(name, 700_000) == ()


def test_a_reload_takes_up_other_intervals_at_once(world: Any) -> None:
    desk = world(config(mute_time_intervals=["first-10m"]))
    desk.upsert("firing", "a", team="x")
    desk.run_until(100)
    desk.reconfigure(config())
    desk.run_until(500)
    assert told(desk) == [(330, "+a")]


def test_an_interval_that_cannot_be_judged_mutes_nothing(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> bool:
        raise OverflowError("date value out of range")

    monkeypatch.setattr(TimeInterval, "contains", broken)
    desk = world(config(mute_time_intervals=["first-10m"]))
    desk.upsert("firing", "a", team="x")
    desk.run_until(100)
    assert told(desk) == [(30, "+a")]
    (record,) = desk.desk.alerts.values()
    assert Reason.SUPPRESSION_FAILED in [one.reason for one in record.history]
