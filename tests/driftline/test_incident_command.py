"""``driftline incident``: groups in the desk's record, and a post-mortem draft filled from it."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from command_line import Ran, Run
from redis import Redis
from shown_desk import ShownDesk, id_of

from alerts.book import identify
from alerts.outcome import Retry, Sent

CHURN = '{}:{model="churn"}'


@pytest.fixture
def incident(store: str, driftline: Run) -> Run:
    """Run ``driftline incident ARGUMENTS…``: churn's is over, fraud's goes on."""
    with Redis.from_url(store) as redis:
        redis.flushdb()
    desk = ShownDesk(store)
    desk.upsert("firing", "Old")
    desk.pass_s(60)
    desk.upsert("resolved", "Old")
    desk.pass_s(7200)
    desk.outcomes = [Retry(0, "the webhook answered 503"), Sent({"ts": "17.1"})]
    desk.upsert("firing", "Drift", for_s=120, feature="age|<b>")
    desk.pass_s(60)
    desk.ack(id_of("Drift", feature="age|<b>"), "rolling back")
    desk.upsert("firing", "Late", severity="critical")
    desk.silence(3600, "alertname=Late")
    desk.upsert("firing", "Other", model="fraud")
    desk.pass_s(600)
    desk.upsert("resolved", "Drift", feature="age|<b>")
    desk.upsert("resolved", "Late", severity="critical")
    desk.pass_s(600)
    asyncio.run(desk.show())

    def run(*arguments: object) -> Ran:
        ran: Ran = driftline("incident", *arguments, DRIFTLINE_REDIS=store)
        return ran

    return run


def test_groups_are_listed_those_that_go_on_first(incident: Run) -> None:
    rows = json.loads(incident("list", "--json").out)
    assert [(row["group"], row["alerts"], row["ended"] is None) for row in rows] == [
        ('{}:{model="fraud"}', 1, True), (CHURN, 2, False),
    ]  # fmt: skip
    assert identify(CHURN) in incident("list").out


def test_a_group_has_an_incident_for_each_time_it_fired(incident: Run) -> None:
    rows = json.loads(incident(CHURN, "--json").out)
    assert [row["alerts"] for row in rows] == [1, 2]


def test_the_draft_is_filled_from_the_record(incident: Run) -> None:
    ran = incident(identify(CHURN), "--post-mortem")
    assert (ran.status, ran.err) == (0, "")
    headings = re.findall(r"(?m)^## (.*)$", ran.out)
    assert headings == [
        "Overview", "What happened", "Timeline", "Impact", "Contributing factors", "Resolution", "Action items",
    ]  # fmt: skip
    parts = dict(zip(headings, re.split(r"(?m)^## .*$", ran.out)[1:], strict=True))
    assert "| Severity | critical |" in parts["Overview"]
    assert "| Began | 2026-11-23 11:01:00 |" in parts["Overview"]
    assert "| Ended | 2026-11-23 11:12:00 |" in parts["Overview"]
    assert "| First acknowledged | 2026-11-23 11:02:00, 1 min after it began |" in parts["Overview"]
    timeline = [row.split(" | ")[2] for row in parts["Timeline"].splitlines() if row.startswith("| 2026")]
    assert timeline[0].startswith("first verdict that led to it")
    assert any(said.startswith("sent (hook/log/0): ts 17.1") for said in timeline)
    assert any(said.startswith("silenced: by ben") for said in timeline)
    times = re.findall(r"(?m)^\| (2026[^|]*) \|", parts["Timeline"])
    assert times == sorted(times)
    assert "503" in parts["Contributing factors"]
    assert "acknowledged: by ana: rolling back" in parts["Resolution"]
    assert "was over at 2026-11-23 11:12:00" in parts["Resolution"]
    assert "hook/log/0 did not take notifications" in parts["Action items"]
    assert "Old" not in ran.out
    assert "fraud" not in ran.out
    assert "<b>" not in ran.out.replace("\\<b\\>", "")


def test_it_goes_into_a_file(incident: Run, tmp_path: Path) -> None:
    target = tmp_path / "draft.md"
    assert incident(CHURN, "--post-mortem", "--out", target).status == 0
    assert target.read_text().startswith("# Post-mortem: Drift, Late of churn")
    ran = incident(CHURN, "--post-mortem", "--out", tmp_path / "nowhere" / "draft.md")
    assert ran.status == 1
    assert "No such file" in ran.err


def test_one_that_goes_on_says_so(incident: Run) -> None:
    said = incident('{}:{model="fraud"}', "--post-mortem").out
    assert "| Ended | goes on |" in said
    assert "still fires" in said


def test_an_unknown_group_is_an_error_that_says_where_they_are(incident: Run) -> None:
    ran = incident("nothing", "--post-mortem")
    assert ran.status == 1
    assert "driftline incident list" in ran.err
