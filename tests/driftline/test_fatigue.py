"""The fatigue report, from a desk's own record."""

import json
from typing import Any

import pytest
from command_line import Run
from redis import Redis
from shown_desk import START_MS, ShownDesk, config, id_of

from driftline.fatigue import DAY_MS, TeamReport, report
from driftline.web.store import Store

ROUTE = {"receiver": "hook", "group_by": ["alertname"], "group_wait": "30s", "repeat_interval": "1h"}


@pytest.fixture
async def rows(store: str) -> Any:
    with Redis.from_url(store) as redis:
        redis.flushdb()
    desk = ShownDesk(store, config(route=ROUTE))
    for kind in ("Acked", "Brief", "Quiet", "Long"):
        desk.upsert("firing", kind, team="growth")
    desk.upsert("firing", "Other")
    desk.silence(1800, "alertname=Quiet")
    desk.silence(1200, "alertname=Quiet")
    desk.pass_s(60)
    desk.ack(id_of("Acked", team="growth"))
    desk.upsert("resolved", "Brief", team="growth")
    desk.upsert("resolved", "Other")
    desk.pass_s(3600)
    for kind in ("Acked", "Quiet"):
        desk.upsert("resolved", kind, team="growth")
    desk.pass_s(600)
    await desk.show()
    reading = Store(store)
    yield await reading.receipts(), await reading.silences(), desk.now_ms
    await reading.close()


async def test_each_team_has_what_its_alerts_asked_of_it(rows: Any) -> None:
    receipts, silences, now_ms = rows
    none, growth = report(receipts, silences, now_ms - DAY_MS, now_ms)
    # Two told and over; one acked, told and over; one silenced, told when that ended; one repeated.
    assert (growth.team, growth.alerts, growth.acted_on, growth.self_resolved) == ("growth", 4, 2, 1)
    assert growth.repeats == 1
    assert growth.silenced_hours == 0.5
    assert growth.pages == {"00-08": 0, "08-16": 8, "16-24": 0}
    assert none == TeamReport(
        team="", pages={"00-08": 0, "08-16": 2, "16-24": 0}, repeats=0, alerts=1, acted_on=0, self_resolved=1,
        silenced_hours=0.0,
    )  # fmt: skip


async def test_what_began_before_is_not_counted(rows: Any) -> None:
    receipts, silences, now_ms = rows
    assert report(receipts, silences, START_MS + 1, now_ms) == []


def test_without_alerts_the_command_says_so(store: str, driftline: Run) -> None:
    with Redis.from_url(store) as redis:
        redis.flushdb()
    ran = driftline("alerts", "report", DRIFTLINE_REDIS=store)
    assert (ran.status, ran.out) == (0, "no alert in that time\n")
    assert json.loads(driftline("alerts", "report", "--json", DRIFTLINE_REDIS=store).out) == []
