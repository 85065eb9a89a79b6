"""Alerts handed over to an Alertmanager: to a stand-in that checks each, and to Debian's own where it is."""

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, web
from pydantic import ValidationError

from alerts.alertmanager_config import AlertmanagerConfig
from alerts.config import parse
from alerts.decision import Reason
from alerts.notification import Notification, NotifiedAlert, rank
from alerts.outcome import Failed, Sent
from alerts.receivers.alertmanager import AlertmanagerReceiver

NINE = 1_795_424_400_000
HOUR = 3_600_000
DAY = 24 * HOUR


def alert(name: str = "Drift", status: Any = "firing", starts: int = NINE, **labels: str) -> NotifiedAlert:
    given = {"alertname": name, "model": "churn", "severity": "warning", **labels}
    ends = starts + 60_000 if status == "resolved" else None
    return NotifiedAlert(f"f-{name}", status, given, {"summary": "age moved"}, starts, ends)


def told(*alerts: NotifiedAlert, **more: Any) -> Notification:
    given: dict[str, Any] = {"external_url": "https://drift.example", "repeat_interval_ms": 4 * HOUR, **more}
    return Notification("{}:{}", "ops", {}, rank(alerts), Reason.FIRST, "k-1", **given)


def check(path: str, body: Any) -> dict[str, Any]:
    """Refuse what Alertmanager's API would refuse."""
    assert path == "/base/api/v2/alerts"
    for one in body:
        assert set(one) == {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}
        assert all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) for name in one["labels"])
        assert any(one["labels"].values())
        assert at(one["startsAt"]) <= at(one["endsAt"])
        assert re.match(r"https?://", one["generatorURL"])
    return {}


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.fixture
def other(stub: Any) -> Any:
    stub.default = check
    return stub


def receiver(
    stub: Any, session: ClientSession, now: int = NINE + HOUR, **config: Any
) -> AlertmanagerReceiver:
    given = {"url": f"{stub.url}/base/", **config}
    return AlertmanagerReceiver(AlertmanagerConfig.model_validate(given), session, lambda: now)


def shown(body: Any) -> list[tuple[str, str, int]]:
    return [(one["labels"]["alertname"], one["labels"]["severity"], at(one["endsAt"])) for one in body]


async def test_what_fires_stands_for_long_and_what_is_over_ends_when_it_did(
    other: Any, session: ClientSession
) -> None:
    hand = receiver(other, session, labels={"cluster": "eu", "model": "not this"})
    await hand.send(told(alert(), alert("Gone", "resolved")), None)
    ((_, _, body),) = other.requests
    assert body[0] == {
        "labels": {"alertname": "Drift", "model": "churn", "severity": "warning", "cluster": "eu"},
        "annotations": {"summary": "age moved"},
        "startsAt": "2026-11-23T09:00:00.000Z",
        "endsAt": "2026-11-30T10:00:00.000Z",
        "generatorURL": "https://drift.example",
    }
    assert shown(body)[1] == ("Gone", "warning", NINE + 60_000)


async def test_an_alert_that_is_repeated_seldom_stands_for_three_repeats(
    other: Any, session: ClientSession
) -> None:
    await receiver(other, session).send(told(alert(), repeat_interval_ms=5 * DAY), None)
    assert shown(other.requests[0][2]) == [("Drift", "warning", NINE + HOUR + 15 * DAY)]


async def test_a_change_of_severity_ends_the_alert_that_stood_there(
    other: Any, session: ClientSession
) -> None:
    hand = receiver(other, session)
    first = await hand.send(told(alert(), alert("Other")), None)
    assert isinstance(first, Sent)
    # "Other" is not told of this time, as it is silenced, and stays known.
    second = await hand.send(told(alert(severity="critical")), first.reference)
    assert isinstance(second, Sent)
    third = await hand.send(told(alert("Drift", "resolved", severity="critical")), second.reference)
    assert isinstance(third, Sent)
    fourth = await hand.send(told(alert("Other", severity="info")), third.reference)
    bodies = [shown(body) for _, _, body in other.requests]
    week = NINE + HOUR + 7 * DAY
    assert bodies == [
        [("Drift", "warning", week), ("Other", "warning", week)],
        [("Drift", "critical", week), ("Drift", "warning", NINE + HOUR)],
        [("Drift", "critical", NINE + 60_000)],
        [("Other", "info", week), ("Other", "warning", NINE + HOUR)],
    ]
    assert fourth == Sent({"told": '{"info": "f-Other"}'})


async def test_after_a_try_of_unknown_outcome_no_other_severity_is_left_standing(
    other: Any, session: ClientSession
) -> None:
    await receiver(other, session).send(told(alert(), possible_repeat=True), None)
    assert [(severity, ends) for _, severity, ends in shown(other.requests[0][2])] == [
        ("warning", NINE + HOUR + 7 * DAY), ("critical", NINE + HOUR), ("info", NINE + HOUR),
    ]  # fmt: skip


async def test_an_alert_that_begins_in_its_future_is_not_ended_before_it_begins(
    other: Any, session: ClientSession
) -> None:
    hand = receiver(other, session, now=NINE - HOUR)
    await hand.send(told(alert(), possible_repeat=True), None)
    assert {ends for *_, ends in shown(other.requests[0][2])} == {NINE - HOUR + 7 * DAY, NINE}


async def test_a_refused_alert_is_told_in_its_words_without_secrets(
    stub: Any, session: ClientSession
) -> None:
    login = {"basic_auth": {"username": "u", "password": "s3cret"}}
    stub.answers = [web.json_response("bad label in /t0ken for s3cret", status=400)]
    hand = receiver(stub, session, url=f"{stub.url}/t0ken", http_config=login)
    assert await hand.send(told(alert()), None) == Failed(
        "Alertmanager refused an alert (400): bad label in /… for …; check its labels and links"
    )


@pytest.mark.parametrize(
    ("section", "place", "message"),
    [
        ({}, "url", "required"),
        ({"url": "alertmanager:9093"}, "url", "write http://"),
        ({"url": "http://a", "send_resolved": False}, "send_resolved", "leave it out"),
        ({"url": "http://a", "stands_for": "0s"}, "stands_for", "greater than 0"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(
    section: dict[str, Any], place: str, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        parse({"route": {"receiver": "a"}, "receivers": [{"name": "a", "alertmanager_configs": [section]}]})
    errors = {error["loc"]: error["msg"] for error in caught.value.errors()}
    assert message in errors["receivers", 0, "alertmanager_configs", 0, place]


PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@pytest.fixture
def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return port


@pytest.fixture
async def alertmanager(tmp_path: Path, free_port: int, session: ClientSession) -> AsyncIterator[str]:
    if PROGRAM is None:
        pytest.skip("no prometheus-alertmanager on PATH; Debian's package of that name has it")
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    log = (tmp_path / "log").open("wb")
    process = await asyncio.create_subprocess_exec(
        PROGRAM, f"--config.file={config}", f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{free_port}", "--cluster.listen-address=",
        stdout=log, stderr=log,
    )  # fmt: skip
    url = f"http://127.0.0.1:{free_port}"
    try:
        async with asyncio.timeout(60):
            while not await ready(session, url):
                assert process.returncode is None, (tmp_path / "log").read_text()
                await asyncio.sleep(0.05)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        log.close()


async def ready(session: ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/-/ready") as response:
            return response.status == 200
    except ClientError:
        return False


async def standing(session: ClientSession, url: str) -> set[tuple[str, str]]:
    async with session.get(f"{url}/api/v2/alerts") as response:
        alerts = await response.json()
    now = datetime.now(UTC)
    return {
        (one["labels"]["alertname"], one["labels"].get("severity", ""))
        for one in alerts
        if datetime.fromisoformat(one["endsAt"]) > now
    }


async def test_debians_alertmanager_shows_what_fires_and_ends_what_is_over(
    alertmanager: str, session: ClientSession
) -> None:
    begun = round(datetime.now(UTC).timestamp() * 1000) - 120_000
    hand = AlertmanagerReceiver(AlertmanagerConfig.model_validate({"url": alertmanager}), session)
    drift, gone = alert(starts=begun), alert("Gone", starts=begun)
    first = await hand.send(told(drift, gone), None)
    assert isinstance(first, Sent)
    assert await standing(session, alertmanager) == {("Drift", "warning"), ("Gone", "warning")}
    worse = replace(drift, labels={**drift.labels, "severity": "critical"})
    second = await hand.send(told(worse, alert("Gone", "resolved", begun)), first.reference)
    assert isinstance(second, Sent)
    assert await standing(session, alertmanager) == {("Drift", "critical")}
    again = await hand.send(told(worse, possible_repeat=True), second.reference)
    assert isinstance(again, Sent)
    assert await standing(session, alertmanager) == {("Drift", "critical")}


async def test_debians_alertmanager_keeps_the_good_ones_and_says_what_is_wrong_with_the_bad(
    alertmanager: str, session: ClientSession
) -> None:
    begun = round(datetime.now(UTC).timestamp() * 1000) - 120_000
    hand = AlertmanagerReceiver(AlertmanagerConfig.model_validate({"url": alertmanager}), session)
    refused = await hand.send(told(alert(starts=begun), alert("Bad", starts=begun, **{"a-b c": "x"})), None)
    assert isinstance(refused, Failed)
    assert "a-b c" in refused.reason
    assert await standing(session, alertmanager) == {("Drift", "warning")}
