"""The log and webhook receivers, the latter against a local server."""

import asyncio
import logging
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from alerts.alert import AlertUpsert
from alerts.config import parse
from alerts.decision import Reason
from alerts.desk import Desk
from alerts.dispatch import Delivery
from alerts.errors import UnknownReceiver
from alerts.notification import Notification, NotifiedAlert, rank
from alerts.outcome import Failed, Retry, Sent
from alerts.receiver_config import LogConfig
from alerts.receivers.base import retry_after_ms
from alerts.receivers.log import LogReceiver
from alerts.receivers.registry import REGISTRY, Receivers
from alerts.receivers.webhook import WebhookReceiver
from alerts.webhook_config import WebhookConfig

NINE = 1_795_424_400_123
FIRING = NotifiedAlert(
    "f1", "firing", {"alertname": "Drift", "model": "churn", "severity": "critical"},
    {"summary": "age moved", "runbook_url": "/runbooks/Drift", "dashboard_url": "https://d.example/churn"}, NINE, None,
)  # fmt: skip
OVER = NotifiedAlert(
    "f2",
    "resolved",
    {"alertname": "Gone 🔥 " + "x" * 10_000, "model": "churn", "severity": "info"},
    {},
    NINE,
    NINE + 1000,
)
TOLD = Notification(
    '{}:{model="churn"}', "ops", {"model": "churn"}, rank([OVER, FIRING]), Reason.FIRST, "k-1",
    external_url="https://drift.example",
)  # fmt: skip


def webhook(session: ClientSession, **config: Any) -> WebhookReceiver:
    return WebhookReceiver(WebhookConfig.model_validate(config), session)


async def test_the_webhook_posts_exactly_alertmanagers_version_4(stub: Any, session: ClientSession) -> None:
    receiver = webhook(session, url=f"{stub.url}/hook?token=x", headers={"X-Key": "k"})
    assert await receiver.send(TOLD, None) == Sent()
    ((path, headers, body),) = stub.requests
    assert path == "/hook"
    assert (headers["Content-Type"], headers["Idempotency-Key"], headers["X-Key"]) == (
        "application/json",
        "k-1",
        "k",
    )
    assert headers["User-Agent"] == "driftline"
    assert body == {
        "version": "4",
        "groupKey": '{}:{model="churn"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "ops",
        "groupLabels": {"model": "churn"},
        "commonLabels": {"model": "churn"},
        "commonAnnotations": {},
        "externalURL": "https://drift.example",
        "alerts": [
            {
                "status": "firing",
                "labels": dict(FIRING.labels),
                "annotations": dict(FIRING.annotations),
                "startsAt": "2026-11-23T09:00:00.123Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://d.example/churn",
                "fingerprint": "f1",
            },
            {
                "status": "resolved",
                "labels": dict(OVER.labels),
                "annotations": {},
                "startsAt": "2026-11-23T09:00:00.123Z",
                "endsAt": "2026-11-23T09:00:01.123Z",
                "generatorURL": "https://drift.example",
                "fingerprint": "f2",
            },
        ],
    }


async def test_only_what_may_have_arrived_before_is_marked_as_a_possible_repeat(
    stub: Any, session: ClientSession
) -> None:
    receiver = webhook(session, url=stub.url)
    await receiver.send(TOLD, None)
    await receiver.send(replace(TOLD, possible_repeat=True), None)
    marks = [headers.get("Driftline-Possible-Repeat") for _, headers, _ in stub.requests]
    assert marks == [None, "true"]


async def test_a_server_that_closed_the_last_connection_leaves_nothing_in_doubt(
    session: ClientSession,
) -> None:
    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")
        # What comes on this connection from now on is cut off without an answer.
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        receiver = webhook(session, url=f"http://127.0.0.1:{port}/")
        assert [await receiver.send(TOLD, None) for _ in range(3)] == [Sent()] * 3


async def test_max_alerts_keeps_the_worst_and_counts_the_rest(stub: Any, session: ClientSession) -> None:
    await webhook(session, url=stub.url, max_alerts=1).send(TOLD, None)
    body = stub.requests[0][2]
    assert [alert["fingerprint"] for alert in body["alerts"]] == ["f1"]
    assert body["truncatedAlerts"] == 1


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Sent()),
        (204, {}, Sent()),
        (302, {"Location": "http://169.254.169.254/"}, Failed),
        (400, {}, Failed),
        (401, {}, Failed),
        (404, {}, Failed),
        (408, {}, Retry(0, "the webhook answered 408", maybe_delivered=True)),
        (429, {"Retry-After": "7"}, Retry(7_000, "the webhook asks to wait (429)")),
        (429, {"Retry-After": "Mon, 23 Nov 2026 09:01:00 GMT", "Date": "Mon, 23 Nov 2026 09:00:00 GMT"},
         Retry(60_000, "the webhook asks to wait (429)")),
        (500, {}, Retry(0, "the webhook answered 500", maybe_delivered=True)),
        (503, {"Retry-After": "2"}, Retry(2_000, "the webhook answered 503", maybe_delivered=True)),
    ],
)  # fmt: skip
async def test_a_status_leads_to_its_outcome(
    stub: Any, session: ClientSession, status: int, headers: dict[str, str], outcome: Any
) -> None:
    stub.answers = [web.Response(status=status, headers=headers)]
    got = await webhook(session, url=stub.url).send(TOLD, None)
    assert got == outcome if not isinstance(outcome, type) else isinstance(got, outcome)
    assert len(stub.requests) == 1


@pytest.mark.parametrize("text", ["", "soon", "-5", "1e9", "Mon, 23 Nov 2026 09:01:00 GMT"])
def test_a_retry_after_that_cannot_be_read_is_none(text: str) -> None:
    assert retry_after_ms({"Retry-After": text}) == 0


def test_a_retry_after_is_at_most_a_day() -> None:
    assert retry_after_ms({"Retry-After": "999999999"}) == 86_400_000


async def test_a_server_that_hangs_runs_into_the_timeout(stub: Any, session: ClientSession) -> None:
    stub.hang = True
    outcome = await webhook(session, url=stub.url, timeout="50ms").send(TOLD, None)
    assert outcome == Retry(0, "the webhook did not answer within 50 ms", maybe_delivered=True)


async def test_a_broken_connection_may_have_delivered(stub: Any, session: ClientSession) -> None:
    stub.answers = [ConnectionResetError()]
    outcome = await webhook(session, url=stub.url).send(TOLD, None)
    assert isinstance(outcome, Retry)
    assert outcome.maybe_delivered


async def test_a_refused_connection_has_delivered_nothing(session: ClientSession) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/secret-path"
        outcome = await webhook(session, url=url).send(TOLD, None)
    assert outcome == Retry(0, "the webhook cannot be reached (ClientConnectorError)")


async def test_the_address_is_read_from_its_file_each_time(
    stub: Any, session: ClientSession, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    receiver = webhook(session, url_file=str(file))
    missing = await receiver.send(TOLD, None)
    assert isinstance(missing, Failed)
    assert "check the path and its rights" in missing.reason
    file.write_text("")
    assert isinstance(await receiver.send(TOLD, None), Failed)
    file.write_text("not an address secret-1")
    bad = await receiver.send(TOLD, None)
    assert isinstance(bad, Failed)
    assert "secret-1" not in bad.reason
    file.write_text(f"{stub.url}/rotated\n")
    assert await receiver.send(TOLD, None) == Sent()


async def test_the_log_has_one_readable_line_per_alert(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    evil = NotifiedAlert("f3", "firing", {"alertname": "A\nERROR fake %s"}, {}, NINE, None)
    told = Notification(
        "g", "ops", {}, rank([OVER, FIRING, evil]), Reason.FIRST, "k", external_url="https://d.example"
    )
    assert await LogReceiver(LogConfig()).send(told, None) == Sent()
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert lines[0] == (
        "ERROR",
        "CRITICAL Drift · churn: age moved | since 2026-11-23 09:00:00 UTC | runbook https://d.example/runbooks/Drift",
    )
    assert lines[1][0] == "WARNING"
    assert lines[1][1].startswith("FIRING A ERROR fake %s: ")
    assert lines[2][0] == "INFO"
    assert lines[2][1].startswith("RESOLVED Gone 🔥")
    assert all("\n" not in message for _, message in lines)


CONFIG = parse(
    {
        "route": {"receiver": "ops", "group_wait": "0s"},
        "receivers": [
            {"name": "ops", "log_configs": [{}], "webhook_configs": [{"url": "http://localhost:1/"}]}
        ],
    }
)


def deliveries() -> list[Delivery]:
    desk = Desk(CONFIG)
    desk.upsert(
        AlertUpsert(status="firing", labels=dict(FIRING.labels), starts_at_ms=0, pane_end_ms=0, sequence=1), 0
    )
    return desk.tick(0)


async def test_every_kind_of_receiver_in_the_config_has_its_client(session: ClientSession) -> None:
    data = {
        "route": {"receiver": "all"},
        "receivers": [
            {
                "name": "all",
                "log_configs": [{}],
                "webhook_configs": [{"url": "http://x/"}],
                "slack_configs": [{"channel": "#x", "token": "t"}],
                "pagerduty_configs": [{"routing_key": "k"}],
                "alertmanager_configs": [{"url": "http://x"}],
                "email_configs": [{"to": "a@x", "from": "b@x", "smarthost": "x:25"}],
            }
        ],
    }
    config = parse(data)
    Receivers(config, session)
    assert {type(place.config) for place in config.integrations()["all"]} == set(REGISTRY)


async def test_a_receiver_that_breaks_loses_nothing_and_tells_no_secret(
    session: ClientSession, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> Sent:
        raise KeyError("secret-1")

    monkeypatch.setattr(LogReceiver, "send", breaks)
    receivers = Receivers(CONFIG, session)
    outcome = await receivers.send(deliveries()[0])
    assert isinstance(outcome, Retry)
    assert outcome.maybe_delivered
    assert "secret-1" not in outcome.reason + caplog.text


async def test_a_delivery_of_another_config_is_an_error(session: ClientSession) -> None:
    other = parse({"route": {"receiver": "x"}, "receivers": [{"name": "x"}]})
    with pytest.raises(UnknownReceiver, match="ops/log/0"):
        await Receivers(other, session).send(deliveries()[0])
