"""What Slack and PagerDuty show of who looks after an alert. group_wait 30 s, group_interval 300 s."""

import json
from typing import Any

import pytest

from alerts.alert import fingerprint
from alerts.book import identify
from alerts.command import Acknowledge, Unacknowledge
from alerts.config import parse
from alerts.decision import Reason
from alerts.outcome import Failed, Retry, Sent

A = fingerprint({"alertname": "a", "model": "m"})
SLACK, PAGER, HOOK = "ops/slack/0", "ops/pagerduty/0", "ops/webhook/0"
KINDS = {
    "slack": {"channel": "#ml", "token": "xoxb-1"},
    "pagerduty": {"routing_key": "0" * 32},
    "webhook": {"url": "http://localhost/"},
}
QUIET = Reason.CARE_SHOWN


def made(world: Any, *kinds: str, **route: Any) -> Any:
    root = {"receiver": "ops", "group_by": ["model"], "repeat_interval": "1h", **route}
    receivers = [{"name": "ops"} | {f"{kind}_configs": [KINDS[kind]] for kind in kinds}]
    desk = world(parse({"route": root, "receivers": receivers}))
    desk.upsert("firing", "a")
    desk.run_until(60)
    return desk


@pytest.fixture
def desk(world: Any) -> Any:
    return made(world, *KINDS)


def tries(desk: Any, place: str) -> list[tuple[float, str, Reason]]:
    """What a receiver was told of the model; that a silence ends soon is told in a group of its own."""
    told = [one for one in desk.tries if one.place == place and "SilenceEnding" not in one.words]
    return [(one.at_s, one.words, one.reason) for one in told]


def test_an_ack_is_shown_at_once_and_told_nobody_else(desk: Any) -> None:
    desk.ack("a")
    desk.run_until(70)
    first = (30, "+a", Reason.FIRST)
    for place in (SLACK, PAGER):
        assert tries(desk, place) == [first, (60, "+a", QUIET)]
    assert tries(desk, HOOK) == [first]
    assert QUIET in [one.reason for one in desk.desk.receipts(A)]
    desk.run_until(20_000)
    assert len(desk.tries) == 5


def test_pagerduty_hears_of_it_once_all_that_fires_is_acknowledged(world: Any) -> None:
    desk = made(world, "slack", "pagerduty")
    desk.upsert("firing", "b")
    desk.run_until(400)
    desk.ack("a")
    desk.run_until(500)
    desk.ack("b")
    desk.run_until(600)
    assert tries(desk, SLACK)[2:] == [(400, "+a +b", QUIET), (500, "+a +b", QUIET)]
    assert tries(desk, PAGER)[2:] == [(500, "+a +b", QUIET)]


def test_one_that_joins_wants_an_ack_of_its_own_at_pagerduty(world: Any) -> None:
    desk = made(world, "pagerduty")
    desk.ack("a")
    desk.run_until(70)
    desk.upsert("firing", "b")
    desk.run_until(400)
    desk.ack("b")
    desk.run_until(500)
    assert [reason for *_, reason in tries(desk, PAGER)] == [Reason.FIRST, QUIET, Reason.JOINED, QUIET]


def test_an_ack_before_anything_was_told_is_shown_by_the_first_message(world: Any) -> None:
    root = {"receiver": "ops", "group_by": ["model"]}
    receivers = [
        {"name": "ops", "slack_configs": [KINDS["slack"]], "pagerduty_configs": [KINDS["pagerduty"]]}
    ]
    desk = world(parse({"route": root, "receivers": receivers}))
    desk.upsert("firing", "a")
    desk.ack("a")
    desk.run_until(1_000)
    assert tries(desk, SLACK) == [(30, "+a", Reason.FIRST)]
    # Its trigger acknowledges nothing.
    assert tries(desk, PAGER) == [(30, "+a", Reason.FIRST), (30, "+a", QUIET)]


def test_an_ack_taken_back_is_no_longer_shown(desk: Any) -> None:
    desk.ack("a")
    desk.run_until(70)
    desk.command(Unacknowledge(id="command-back", target=A, by="ben"))
    desk.run_until(80)
    assert tries(desk, SLACK)[1:] == [(60, "+a", QUIET), (70, "+a", QUIET)]
    assert tries(desk, PAGER)[1:] == [(60, "+a", QUIET)]


def test_a_silence_is_shown_and_that_it_is_over_is_told(world: Any) -> None:
    desk = made(world, "slack")
    desk.silence(400, "alertname=a")
    desk.run_until(70)
    assert tries(desk, SLACK) == [(30, "+a", Reason.FIRST), (60, "+a", QUIET)]
    desk.run_until(700)
    assert tries(desk, SLACK)[2:] == [(630, "+a", Reason.TOLD_AGAIN)]


def test_an_ack_says_nothing_of_what_is_still_to_be_told(world: Any) -> None:
    desk = made(world, "slack")
    desk.upsert("firing", "b")
    desk.ack("a")
    desk.run_until(400)
    assert tries(desk, SLACK) == [
        (30, "+a", Reason.FIRST), (60, "+a", QUIET), (330, "+a +b", Reason.JOINED),
    ]  # fmt: skip


def test_it_puts_off_no_reminder_of_what_is_not_acknowledged(world: Any) -> None:
    desk = made(world, "slack")
    desk.upsert("firing", "b")
    desk.run_until(2_000)
    desk.ack("a")
    desk.run_until(4_000)
    assert [(at, reason) for at, _, reason in tries(desk, SLACK)] == [
        (30, Reason.FIRST), (330, Reason.JOINED), (2_000, QUIET), (3_930, Reason.REPEAT),
    ]  # fmt: skip


def test_while_a_message_is_out_it_waits_and_then_goes(world: Any) -> None:
    desk = made(world, "slack")
    desk.outcomes[SLACK] = [None]
    desk.upsert("firing", "b")
    desk.run_until(340)
    desk.ack("a")
    desk.run_until(350)
    assert len(tries(desk, SLACK)) == 2
    desk.settle(desk.out[0], Sent({"ts": "1"}))
    desk.run_until(360)
    assert tries(desk, SLACK)[2:] == [(350, "+a +b", QUIET)]


def test_one_that_is_silenced_while_its_ack_is_being_shown_is_shown_so_next(world: Any) -> None:
    desk = made(world, "slack")
    desk.outcomes[SLACK] = [None]
    desk.ack("a")
    desk.run_until(320)
    desk.silence(4_000, "alertname=a")
    # The group's turn comes while the message is out.
    desk.run_until(340)
    desk.settle(desk.out[0], Sent({"ts": "1"}))
    desk.run_until(350)
    assert tries(desk, SLACK)[1:] == [(60, "+a", QUIET), (340, "+a", QUIET)]
    desk.command(Unacknowledge(id="command-back", target=A, by="ben"))
    desk.run_until(4_000)
    assert tries(desk, SLACK)[3:] == [(350, "+a", QUIET)]
    desk.run_until(5_000)
    assert tries(desk, SLACK)[4:] == [(4_530, "+a", Reason.TOLD_AGAIN)]


def test_what_may_have_arrived_is_tried_again_unmarked_and_holds_up_no_news(world: Any) -> None:
    desk = made(world, "slack")
    desk.outcomes[SLACK] = [Retry(0, "no answer", maybe_delivered=True), Retry(600_000, "asks to wait")]
    desk.ack("a")
    desk.run_until(65)
    assert [one.words for one in desk.tries] == ["+a", "+a", "+a"]
    desk.upsert("firing", "b")
    desk.run_until(2_000)
    assert tries(desk, SLACK)[3:] == [(330, "+a +b", Reason.JOINED)]


def test_a_refusal_is_not_tried_again_until_there_is_a_change(world: Any) -> None:
    desk = made(world, "slack")
    desk.outcomes[SLACK] = [Failed("edit_window_closed")]
    desk.ack("a")
    desk.run_until(3_000)
    assert len(desk.tries) == 2
    assert Reason.CARE_REFUSED in [one.reason for one in desk.desk.receipts(A)]
    desk.command(Acknowledge(id="command-anew", target=A, by="ben"))
    desk.run_until(3_010)
    assert tries(desk, SLACK)[2:] == [(3_000, "+a", QUIET)]


@pytest.mark.parametrize("lost", [True, False])
def test_a_takeover_shows_it_again_at_most_and_marks_nothing(world: Any, lost: bool) -> None:
    desk = made(world, "slack")
    if lost:
        desk.outcomes[SLACK] = [None]
    desk.ack("a")
    desk.run_until(70)
    desk.crash()
    desk.run_until(3_000)
    assert tries(desk, SLACK) == [(30, "+a", Reason.FIRST), (60, "+a", QUIET)] + [(70, "+a", QUIET)] * lost


def test_rows_of_before_are_read_and_what_was_not_shown_is_shown(world: Any) -> None:
    desk = made(world, "slack")
    desk.ack("a")
    for key in [key for key in desk.rows if key.startswith("ledger/")]:
        row = json.loads(desk.rows[key])
        new = {name: row.pop(name) for name in ("quiet", "shown", "showing")}
        assert new["quiet"] is True
        desk.rows[key] = json.dumps(row | {"state": "SENT"}).encode()
    desk.crash()
    desk.run_until(400)
    assert tries(desk, SLACK) == [(30, "+a", Reason.FIRST), (330, "+a", QUIET)]


def test_what_is_over_is_told_not_shown(world: Any) -> None:
    desk = made(world, "slack")
    desk.upsert("resolved", "a")
    desk.command(Acknowledge(id="command-late", target=identify('{}:{model="m"}'), by="ana"))
    desk.run_until(1_000)
    assert tries(desk, SLACK) == [(30, "+a", Reason.FIRST), (330, "-a", Reason.SOME_RESOLVED)]
