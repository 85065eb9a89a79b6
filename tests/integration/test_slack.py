"""Slack's way back: what people press below a message, against a running `driftline up`."""

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from slack_api import SlackApi
from ups import Up

from alerts.alert import AlertUpsert
from streams.topics import Topics

ALERTING = """\
global: {{slack_api_url: "{url}", slack_token_file: "{home}/token"}}
route: {{receiver: ops, group_by: [alertname, model], group_wait: 100ms, group_interval: 500ms}}
receivers:
  - name: ops
    slack_configs: [{{channel: "#ml", location: Europe/Berlin}}]
"""

pytestmark = pytest.mark.broker


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi() as made:
        yield made


@pytest.fixture
async def up(slack: SlackApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Up]:
    (tmp_path / "monitors").mkdir()
    (tmp_path / "alerting.yml").write_text(ALERTING.format(url=slack.url, home=tmp_path))
    (tmp_path / "token").write_text(slack.token)
    (tmp_path / "signing-secret").write_text(f"{slack.signing_secret}\n")
    monkeypatch.setenv("DRIFTLINE_SLACK_SIGNING_SECRET_FILE", str(tmp_path / "signing-secret"))
    made = Up(tmp_path)
    yield made
    await made.kill()


async def fire(bootstrap: str, name: str, status: str = "firing", sequence: int = 1) -> None:
    """Send an upsert, as the judge does."""
    now_ms = time.time_ns() // 1_000_000
    upsert = AlertUpsert.model_validate(
        {"status": status, "labels": {"alertname": name, "model": "churn", "severity": "critical"},
         "annotations": {"summary": "PSI is 0.4"}, "starts_at_ms": now_ms, "pane_end_ms": now_ms,
         "sequence": sequence, "ends_at_ms": now_ms if status == "resolved" else None}
    )  # fmt: skip
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(Topics().alerts.name, upsert.model_dump_json().encode(), partition=0)
    finally:
        await producer.stop()


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """Post as Slack does, and return what it is answered."""
    request = urllib.request.Request(f"{url}/slack/interactive", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def silences(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/api/v2/silences", timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found


async def started(up: Up) -> tuple[str, str]:
    """Start it, and return the broker's address and the web face's."""
    bootstrap = await up.start()
    await up.until(lambda: "web:" in up.log(), "the web face listens")
    found = re.search(r"web: +(\S+)", up.log())
    assert found is not None
    return bootstrap, found[1]


async def test_what_is_pressed_in_slack_is_done_once(up: Up, slack: SlackApi) -> None:
    bootstrap, url = await started(up)
    await fire(bootstrap, "Drift")
    (message,) = await slack.until(lambda: slack.tops, "it is told")
    assert message.channel == "C024BE91L"
    assert list(message.buttons)[:4] == ["Acknowledge", "Silence 1h", "Silence 4h", "Silence today"]

    body, headers = slack.press(message, "Acknowledge")
    first = body
    assert post(url, body, headers) == (200, b"")
    await slack.until(lambda: "Acknowledged by ana (Slack)" in message.text, "the message says who")
    assert "Acknowledge" not in message.buttons
    body, headers = slack.press(message, "Silence 4h")
    for again in ({}, {"X-Slack-Retry-Num": "1"}):
        assert post(url, body, headers | again) == (200, b"")
    assert post(url, body, headers | {"X-Slack-Signature": "v0=00"})[0] == 401
    await up.until(lambda: silences(url), "the store has the silence")
    (silence,) = silences(url)
    assert (silence["createdBy"], silence["comment"]) == ("ana (Slack)", "Silence 4h, pressed in Slack")
    assert {one["name"]: one["value"] for one in silence["matchers"]} == {
        "alertname": "Drift",
        "model": "churn",
    }

    await slack.until(lambda: "Silenced by ana (Slack) until" in message.text, "the message says who")
    # An update tells nobody, and there is nothing to tell in the thread.
    assert slack.messages == [message]

    # A press that comes late: what it was about is over.
    await fire(bootstrap, "Drift", "resolved", sequence=2)
    await slack.until(lambda: not message.buttons, "the buttons are gone")
    late = slack.press(message_before(message, first), "Acknowledge")
    status, said = post(url, *late)
    assert (status, b"that fires" in said) == (404, True)

    assert slack.token not in up.log()
    assert slack.signing_secret not in up.log()


def message_before(message: Any, body: bytes) -> Any:
    """Return the message as it was when a button was pressed."""
    payload = json.loads(urllib.parse.parse_qs(body.decode())["payload"][0])
    return type(message)(message.channel, message.ts, payload["message"])
