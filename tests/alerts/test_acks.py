"""Acks: they stop repeats, and nothing else. group_wait 30 s, group_interval 300 s, repeat_interval 3600 s."""

from typing import Any

import pytest

from alerts.alert import fingerprint
from alerts.command import Acknowledge, Unacknowledge
from alerts.config import parse
from alerts.decision import Reason

A = fingerprint({"alertname": "a", "model": "m"})


@pytest.fixture
def desk(world: Any) -> Any:
    root = {"receiver": "ops", "group_by": ["model"], "repeat_interval": "1h"}
    receivers = [{"name": "ops", "webhook_configs": [{"url": "http://localhost/"}]}]
    made = world(parse({"route": root, "receivers": receivers}))
    made.upsert("firing", "a")
    made.run_until(60)
    return made


def test_what_is_acknowledged_is_not_repeated(desk: Any) -> None:
    assert desk.ack("a").code == "done"
    desk.run_until(20_000)
    assert desk.timeline() == [(30, "+a")]
    assert desk.desk.counts[Reason.ACK_STOPS_REPEAT] > 0


def test_acks_survive_a_takeover(desk: Any) -> None:
    desk.ack("a")
    desk.crash()
    desk.run_until(20_000)
    assert desk.timeline() == [(30, "+a")]
    ack = desk.desk.alerts[A].ack
    assert (ack.by, ack.at_ms, ack.severity) == ("ana", 60_000, "warning")


def test_a_higher_severity_breaks_through_and_is_repeated_then(desk: Any) -> None:
    desk.ack("a")
    desk.run_until(400)
    desk.upsert("firing", "a", "critical")
    desk.run_until(5000)
    assert desk.timeline() == [(30, "+a"), (630, "+a"), (4230, "+a")]
    assert Reason.ACK_OUTLIVED in [one.reason for one in desk.desk.receipts(A)]


def test_a_lower_severity_keeps_the_ack(desk: Any) -> None:
    desk.ack("a")
    desk.upsert("firing", "a", "info")
    desk.upsert("firing", "a", "warning")
    desk.run_until(5000)
    assert desk.timeline() == [(30, "+a")]


def test_the_end_is_told_and_firing_anew_needs_an_ack_of_its_own(desk: Any) -> None:
    desk.ack("a")
    desk.upsert("resolved", "a")
    desk.run_until(400)
    desk.upsert("firing", "a")
    desk.run_until(4500)
    assert desk.timeline() == [(30, "+a"), (330, "-a"), (430, "+a"), (4030, "+a")]


def test_one_that_joins_is_told_and_all_are_repeated_until_it_is_acknowledged_too(desk: Any) -> None:
    desk.ack("a")
    desk.upsert("firing", "b")
    desk.run_until(4000)
    desk.ack("b")
    desk.run_until(20_000)
    assert desk.timeline() == [(30, "+a"), (330, "+a +b"), (3930, "+a +b")]


def test_an_ack_of_a_group_is_one_of_each_of_its_alerts(desk: Any) -> None:
    desk.upsert("firing", "b")
    key = '{}:{model="m"}'
    answer = desk.command(Acknowledge(id="command-group", target=key, by="ana", comment="on it"))
    assert answer.sentence == "2 alerts acknowledged"
    assert sorted(answer.subject.split()) == sorted(desk.desk.alerts)
    desk.run_until(20_000)
    assert desk.timeline() == [(30, "+a"), (330, "+a +b")]


def test_an_ack_can_be_taken_back(desk: Any) -> None:
    desk.ack("a")
    desk.run_until(4000)
    assert desk.command(Unacknowledge(id="command-back", target=A, by="ben")).code == "done"
    desk.run_until(4500)
    assert desk.timeline() == [(30, "+a"), (4230, "+a")]
    assert desk.command(Unacknowledge(id="command-more", target=A, by="ben")).code == "unknown"


def test_what_does_not_fire_cannot_be_acknowledged(desk: Any) -> None:
    desk.upsert("resolved", "a")
    for name in ("a", "nothing"):
        answer = desk.ack(name)
        assert answer.code == "unknown"
        assert "that fires" in answer.sentence
