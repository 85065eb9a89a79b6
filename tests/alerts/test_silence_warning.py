"""A silence that ends warns those who will be told: once, while alerts it holds fire, over a takeover too."""

from typing import Any

import pytest

from alerts.alert import fingerprint
from alerts.config import Config, parse
from alerts.decision import Reason
from alerts.outcome import Retry, Sent

A = fingerprint({"alertname": "a", "model": "m"})
HOUR_S = 3600
#: 15 minutes before the end of a silence of an hour that is set at 0 s.
WARNED_S = 2700.0


def config(**changes: Any) -> Config:
    receivers = [
        {"name": name, "webhook_configs": [{"url": f"http://localhost/{name}"}]} for name in ("ops", "growth")
    ]
    routes = [{"receiver": "growth", "matchers": ["severity=warning"]}]
    root = {
        "receiver": "ops",
        "group_by": ["model"],
        "group_interval": "1h",
        "repeat_interval": "5m",
        "routes": routes,
    }
    return parse({"route": root | changes, "receivers": receivers})


@pytest.fixture
def desk(world: Any) -> Any:
    return world(config())


def warnings(desk: Any) -> list[tuple[float, str, str]]:
    return [(one.at_s, one.place, one.words) for one in desk.tries if "SilenceEnding" in one.words]


def test_it_warns_a_quarter_of_an_hour_before_its_end_whoever_will_be_told(desk: Any) -> None:
    desk.silence(HOUR_S, "alertname=a")
    desk.upsert("firing", "a")
    desk.upsert("firing", "b", "critical")
    desk.run_until(HOUR_S - 1)
    assert warnings(desk) == [(WARNED_S, "growth/webhook/0", "+SilenceEnding")]
    desk.run_until(3 * HOUR_S)
    ((over_s, place, words),) = warnings(desk)[1:]
    assert (place, words) == ("growth/webhook/0", "-SilenceEnding")
    assert HOUR_S <= over_s <= HOUR_S + 60
    assert Reason.SILENCE_ENDS_SOON in [one.reason for one in desk.desk.receipts(A)]


def test_the_message_says_who_made_it_when_it_ends_and_how_to_extend_it(desk: Any) -> None:
    name = desk.silence(HOUR_S, "alertname=a").subject
    desk.upsert("firing", "a")
    desk.outcomes["growth/webhook/0"] = [None]
    desk.run_until(WARNED_S)
    (alert,) = desk.out[0].notification.alerts
    words = alert.annotations
    expected = "The silence by ana ends at 1970-01-01 01:00 UTC, and an alert it holds still fires: a m"
    assert words["summary"] == expected
    assert f"driftline silence extend {name} --for 4h" in words["description"]
    assert "deploy" in words["description"]
    assert (alert.labels["model"], alert.severity) == ("m", "info")


def test_without_an_alert_that_fires_it_says_nothing_until_one_does(desk: Any) -> None:
    desk.silence(HOUR_S, "alertname=a")
    desk.run_until(WARNED_S + 300)
    assert warnings(desk) == []
    desk.upsert("firing", "a")
    desk.run_until(HOUR_S - 1)
    assert [one[0] for one in warnings(desk)] == [WARNED_S + 360]


def test_when_what_it_holds_is_over_so_is_the_warning_and_it_does_not_come_again(desk: Any) -> None:
    desk.silence(HOUR_S, "alertname=a")
    desk.upsert("firing", "a")
    desk.run_until(WARNED_S)
    desk.upsert("resolved", "a")
    desk.run_until(WARNED_S + 120)
    warning = next(
        one for one in desk.desk.alerts.values() if one.upsert.labels["alertname"] == "SilenceEnding"
    )
    assert not warning.firing
    desk.upsert("firing", "a")
    desk.run_until(HOUR_S - 1)
    assert [words for _, _, words in warnings(desk)] == ["+SilenceEnding", "-SilenceEnding"]


def test_a_takeover_neither_forgets_nor_repeats_it(desk: Any) -> None:
    desk.silence(HOUR_S, "alertname=a")
    desk.upsert("firing", "a")
    desk.run_until(WARNED_S - 60)
    desk.crash()
    desk.run_until(WARNED_S + 60)
    desk.crash()
    desk.run_until(HOUR_S - 1)
    assert warnings(desk) == [(WARNED_S, "growth/webhook/0", "+SilenceEnding")]


def test_a_receiver_that_is_down_is_tried_again(desk: Any) -> None:
    desk.silence(HOUR_S, "alertname=a")
    desk.upsert("firing", "a")
    desk.outcomes["growth/webhook/0"] = [Retry(0, "nobody answers"), Sent()]
    desk.run_until(HOUR_S - 1)
    assert [one[0] for one in warnings(desk)] == [WARNED_S, WARNED_S + 1]


def test_one_that_is_extended_warns_again_before_its_new_end(desk: Any) -> None:
    name = desk.silence(HOUR_S, "alertname=a").subject
    desk.upsert("firing", "a")
    desk.run_until(WARNED_S + 60)
    desk.silence(HOUR_S, "alertname=a", silence_id=name)
    desk.run_until(WARNED_S + 60 + HOUR_S - 901)
    assert not any(one.firing for one in desk.desk.alerts.values() if "silence" in one.upsert.labels)
    desk.run_until(WARNED_S + 60 + HOUR_S - 1)
    fired = [one.at_s for one in desk.tries if "+SilenceEnding" in one.words]
    assert fired == [WARNED_S, WARNED_S + 60 + HOUR_S - 900]


def test_neither_itself_nor_another_silence_keeps_it_from_being_told(desk: Any) -> None:
    desk.silence(HOUR_S, "model=m")
    desk.silence(2 * HOUR_S, "alertname=SilenceEnding")
    desk.upsert("firing", "a")
    desk.run_until(HOUR_S - 1)
    assert [one[0] for one in warnings(desk)] == [WARNED_S]


@pytest.mark.parametrize("for_s", [60, 900])
def test_a_short_silence_does_not_warn(desk: Any, for_s: int) -> None:
    desk.silence(for_s, "alertname=a")
    desk.upsert("firing", "a")
    desk.run_until(2000)
    assert warnings(desk) == []


def test_one_that_is_ended_by_hand_does_not_warn_and_ends_its_warning(desk: Any) -> None:
    name = desk.silence(HOUR_S, "alertname=a").subject
    desk.upsert("firing", "a")
    desk.run_until(60)
    desk.expire(name)
    desk.run_until(HOUR_S)
    assert warnings(desk) == []


def test_nobody_is_asked_to_acknowledge_it(world: Any) -> None:
    steps = [{"receiver": "ops", "after": "5m"}]
    desk = world(config(routes=[{"receiver": "growth", "matchers": ["severity=warning"], "escalate": steps}]))
    desk.silence(HOUR_S, "alertname=a")
    desk.upsert("firing", "a")
    desk.run_until(HOUR_S - 1)
    assert warnings(desk) == [(WARNED_S, "growth/webhook/0", "+SilenceEnding")]
