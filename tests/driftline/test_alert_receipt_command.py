"""``driftline alerts show``."""

import asyncio
import json

import pytest
from command_line import Ran, Run
from redis import Redis
from shown_desk import ShownDesk, id_of

from alerts.outcome import Retry, Sent

SLOW = id_of("Slow")


@pytest.fixture
def show(store: str, driftline: Run) -> Run:
    """Run ``driftline alerts show ARGUMENTS…`` over a desk that has told of an alert at its second try."""
    with Redis.from_url(store) as redis:
        redis.flushdb()
    desk = ShownDesk(store)
    desk.outcomes = [Retry(0, "the webhook answered 503\x1b[2J"), Sent({"ts": "17.1"})]
    desk.upsert("firing", "Slow", for_s=120, feature="age\x1b[2J")
    desk.pass_s(60)
    desk.ack(id_of("Slow", feature="age\x1b[2J"), "rolling back")
    asyncio.run(desk.show())

    def run(*arguments: object) -> Ran:
        ran: Ran = driftline("alerts", "show", *arguments, DRIFTLINE_REDIS=store)
        return ran

    return run


def test_it_tells_the_way_of_an_alert_line_by_line(show: Run) -> None:
    ran = show(id_of("Slow", feature="age\x1b[2J"))
    assert (ran.status, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    heading, table = ran.out.split("\n\n", 1)
    assert heading.splitlines()[:2] == ["firing: warning Slow churn age\\x1b[2J", "Slow is bad"]
    assert "pending since 2026-11-23T08:58:00.000Z" in heading
    assert 'group {}:{model="churn"}' in heading
    assert "acknowledged by ana" in heading
    lines = table.splitlines()[2:]
    assert lines[0].startswith("2026-11-23T08:58:00.000Z")
    assert "hook/log/0" in lines[-2]
    assert "ts 17.1; notification" in lines[-2]
    assert "rolling back" in lines[-1]
    assert len(lines) == 8


def test_json_has_all_of_it(show: Run) -> None:
    found = json.loads(show(id_of("Slow", feature="age\x1b[2J"), "--json").out)
    assert [step["reason"] for step in found["steps"]][-2:] == ["sent", "acknowledged"]


def test_an_unknown_alert_is_an_error_that_says_where_ids_are(show: Run) -> None:
    ran = show("0000000000000000")
    assert ran.status == 1
    assert "driftline alerts --all" in ran.err
