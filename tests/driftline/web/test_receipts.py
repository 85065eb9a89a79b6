"""Delivery receipts in the API and on their page, over a desk in this process and a real store."""

from typing import Any

import pytest
from shown_desk import START_MS, ShownDesk, id_of

from alerts.outcome import Retry, Sent

SLOW = id_of("Slow")


@pytest.fixture
async def desk(redis_url: str, seed: Any) -> ShownDesk:
    desk = ShownDesk(redis_url)
    desk.outcomes = [Retry(0, "the webhook answered 503"), Sent({"channel": "C1", "ts": "17.1"})]
    desk.upsert("firing", "Slow", for_s=120)
    desk.pass_s(60)
    desk.ack(SLOW, "rolling back")
    await desk.show()
    return desk


async def test_the_api_gives_every_decision_in_order(browse: Any, desk: ShownDesk) -> None:
    found = (await browse(f"/api/v1/alerts/{SLOW}")).json()
    assert (found["fingerprint"], found["status"], found["ack"]["by"]) == (SLOW, "firing", "ana")
    assert found["pending_since_ms"] == START_MS - 120_000
    assert found["groups"] == ['{}:{model="churn"}']
    assert [(step["stage"], step["reason"]) for step in found["steps"]] == [
        ("judge", "pending"), ("remember", "new"), ("route", "routed"), ("group", "waits_for_group"),
        ("deliver", "first"), ("deliver", "retry"), ("deliver", "sent"), ("command", "acknowledged"),
    ]  # fmt: skip
    sent = found["steps"][-2]
    assert (sent["where"], sent["detail"]) == ("hook/log/0", "channel C1, ts 17.1")
    assert sent["message"] == desk.sent[-1].id


async def test_the_page_shows_them_for_people(browse: Any, desk: ShownDesk) -> None:
    answer = await browse(f"/alerts/{SLOW}")
    assert answer.status_code == 200
    for words in (
        "Slow is bad", "pending since", "acknowledged by", "rolling back", "the webhook answered 503", "hook/log/0",
        "channel C1, ts 17.1", "sent", 'href="/models/churn"', f"/api/v1/alerts/{SLOW}",
    ):  # fmt: skip
        assert words in answer.text, words


async def test_the_inhibiting_alert_is_linked(browse: Any, desk: ShownDesk) -> None:
    desk.upsert("firing", "Down")
    desk.pass_s(600)
    await desk.show()
    assert f'href="/alerts/{id_of("Down")}"' in (await browse(f"/alerts/{SLOW}")).text


async def test_it_stays_once_the_alert_is_over_and_goes_with_the_desks_memory_of_it(
    browse: Any, desk: ShownDesk
) -> None:
    desk.upsert("resolved", "Slow")
    desk.pass_s(600)
    await desk.show()
    found = (await browse(f"/api/v1/alerts/{SLOW}")).json()
    assert (found["status"], found["groups"], found["steps"][-1]["reason"]) == ("resolved", [], "sent")
    assert "over since" in (await browse(f"/alerts/{SLOW}")).text
    desk.pass_s(8 * 86_400)
    desk.desk.tick(desk.now_ms)
    await desk.show()
    assert (await browse(f"/api/v1/alerts/{SLOW}")).status_code == 404


async def test_what_another_owner_left_goes_with_a_takeover(browse: Any, desk: ShownDesk) -> None:
    heir = ShownDesk(desk.redis_url)
    heir.projection.in_doubt()
    await heir.show()
    assert (await browse(f"/api/v1/alerts/{SLOW}")).status_code == 404


async def test_an_unknown_alert_is_said_to_be_unknown(browse: Any, desk: ShownDesk) -> None:
    answer = await browse("/api/v1/alerts/0000000000000000")
    assert answer.status_code == 404
    assert "knows no alert '0000000000000000'" in answer.json()["detail"]
    page = await browse("/alerts/%3Cscript%3E")
    assert page.status_code == 404
    assert "<script>" not in page.text.replace('<script src="', "")


async def test_a_models_alerts_lead_to_their_receipts(browse: Any, seed: Any, desk: ShownDesk) -> None:
    seed.summary(state="firing", firing=1)
    seed.alert("churn", labels={"alertname": "Slow", "feature": ""})
    assert f'href="/alerts/{SLOW}"' in (await browse("/models/churn")).text


async def test_the_report_counts_what_alerts_asked_of_a_team(browse: Any, desk: ShownDesk) -> None:
    (row,) = (await browse("/api/v1/report?days=1")).json()
    assert (row["team"], row["alerts"], row["acted_on"], sum(row["pages"].values())) == ("", 1, 1, 1)
    assert (await browse("/api/v1/report?days=8")).status_code == 422
