"""What is told, and when, of alerts that others inhibit."""

from typing import Any

import pytest

from alerts import suppression
from alerts.config import Config, parse
from alerts.decision import Reason, Stage
from alerts.outcome import Failed, Retry

INHIBIT = {
    "source_matchers": ["severity=critical"],
    "target_matchers": ["severity!=critical"],
    "equal": ["team"],
}


def config(**route: Any) -> Config:
    return parse(
        {
            "route": {"receiver": "ops", "group_by": ["team"], **route},
            "receivers": [{"name": "ops", "webhook_configs": [{"url": "http://localhost/"}]}],
            "inhibit_rules": [INHIBIT],
        }
    )


def history(world: Any, name: str) -> list[str]:
    (found,) = [one for one in world.desk.alerts.values() if one.upsert.labels["alertname"] == name]
    return [decision.reason.name for decision in found.history]


def test_while_its_source_fires_an_alert_is_not_told_and_afterwards_it_is(world: Any) -> None:
    desk = world(config())
    desk.upsert("firing", "down", "critical")
    desk.upsert("firing", "slow")
    desk.run_until(100)
    assert desk.timeline() == [(30, "+down")]
    desk.upsert("resolved", "down", "critical")
    desk.run_until(1000)
    assert desk.timeline() == [(30, "+down"), (330, "-down +slow")]
    assert history(desk, "slow")[3:6] == ["INHIBITED", "JOINED", "SENT"]


def test_a_change_of_severity_begins_and_ends_it(world: Any) -> None:
    desk = world(config())
    desk.upsert("firing", "a")
    desk.upsert("firing", "b")
    desk.run_until(40)
    desk.upsert("firing", "a", "critical")
    desk.run_until(400)
    assert desk.timeline() == [(30, "+a +b"), (330, "+a")]
    desk.upsert("firing", "a", "warning")
    desk.run_until(1000)
    # The last message did not name b.
    assert desk.timeline()[2:] == [(630, "+a +b")]


def test_that_it_is_over_is_told_to_those_who_were_told_of_it(world: Any) -> None:
    desk = world(config())
    desk.upsert("firing", "slow")
    desk.run_until(40)
    desk.upsert("firing", "down", "critical")
    desk.run_until(340)
    desk.upsert("resolved", "slow")
    desk.run_until(1000)
    assert desk.timeline() == [(30, "+slow"), (330, "+down"), (630, "+down -slow")]


def test_that_it_is_over_is_not_told_to_those_who_never_heard_of_it(world: Any) -> None:
    desk = world(config())
    desk.upsert("firing", "down", "critical")
    desk.upsert("firing", "slow")
    desk.run_until(340)
    desk.upsert("resolved", "slow")
    desk.upsert("resolved", "down", "critical")
    desk.run_until(1000)
    assert desk.timeline() == [(30, "+down"), (630, "-down")]


def test_what_may_have_arrived_before_it_was_inhibited_is_known_to_the_receiver(world: Any) -> None:
    desk = world(config(group_by=["alertname"]))
    desk.outcomes["ops/webhook/0"] = [Retry(60_000, "timeout", maybe_delivered=True)]
    desk.upsert("firing", "slow")
    desk.run_until(40)
    desk.upsert("firing", "down", "critical", team="")
    desk.run_until(340)
    desk.crash()
    desk.upsert("resolved", "slow")
    desk.run_until(1000)
    assert desk.timeline() == [(30, "+slow"), (70, "+down"), (630, "-slow?")]


@pytest.mark.parametrize("crashes", [True, False])
def test_a_try_that_came_due_meanwhile_waits_for_the_groups_turn(world: Any, crashes: bool) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [Retry(0, "timeout", maybe_delivered=True), Failed("no")]
    desk.upsert("firing", "slow", team="")
    desk.run_until(40)
    desk.upsert("firing", "down", "critical", team="")
    desk.run_until(332)
    # The group's turn at 330 tells of "down"; else the second try would be due at 331.
    desk.upsert("resolved", "down", "critical", team="")
    if crashes:
        desk.crash()
    desk.run_until(1000)
    assert desk.timeline() == [(30, "+slow"), (31, "+slow?"), (331, "+down?"), (630, "-down +slow")]


def test_repeats_do_not_name_it(world: Any) -> None:
    desk = world(config(repeat_interval="10m"))
    desk.upsert("firing", "down", "critical")
    desk.upsert("firing", "slow")
    desk.run_until(1300)
    assert desk.timeline() == [(30, "+down"), (630, "+down"), (1230, "+down")]


def test_a_restored_desk_knows_what_inhibits(world: Any) -> None:
    desk = world(config())
    desk.upsert("firing", "slow")
    desk.upsert("firing", "down", "critical")
    desk.crash()
    desk.run_until(100)
    assert desk.timeline() == [(30, "+down")]


def test_a_reload_begins_and_ends_it(world: Any) -> None:
    desk = world(config())
    without = config().model_copy(update={"inhibit_rules": ()})
    desk.upsert("firing", "down", "critical")
    desk.upsert("firing", "slow")
    desk.run_until(40)
    desk.reconfigure(without)
    desk.run_until(400)
    desk.reconfigure(config())
    desk.upsert("firing", "lame")
    desk.run_until(1000)
    assert desk.timeline() == [(30, "+down"), (330, "+down +slow")]


def test_the_history_says_who_inhibits_it_once(world: Any) -> None:
    desk = world(config())
    desk.upsert("firing", "down", "critical")
    desk.upsert("firing", "slow")
    desk.run_until(2000)
    (source,) = [name for name, one in desk.desk.alerts.items() if one.severity == "critical"]
    (slow,) = [one for one in desk.desk.alerts.values() if one.severity == "warning"]
    noted = [decision for decision in slow.history if decision.stage is Stage.SUPPRESS]
    assert [(one.reason, one.times, one.at_ms) for one in noted] == [(Reason.INHIBITED, 1, 30_000)]
    assert noted[0].detail == f"inhibited by critical down m (alert {source}, inhibit rule 1)"


def test_what_cannot_be_judged_is_told(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(suppression, "SUPPRESSING", (broken, *suppression.SUPPRESSING))
    desk = world(config())
    desk.upsert("firing", "down", "critical")
    desk.upsert("firing", "slow")
    desk.run_until(100)
    assert desk.timeline() == [(30, "+down")]
    assert "SUPPRESSION_FAILED" in history(desk, "down")
