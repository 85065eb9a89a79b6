"""Templates in a running `driftline up`: one that fails costs no message, and a reload takes up another."""

import json
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from slack_api import SlackApi
from ups import Up

from alerts.alert import AlertUpsert, fingerprint
from streams.topics import Topics

ALERTING = """\
global: {{slack_api_url: "{url}", slack_token_file: "{home}/token"}}
templates: [words.jinja]
route: {{receiver: ops, group_by: [alertname], group_wait: 100ms, group_interval: 500ms}}
receivers:
  - name: ops
    slack_configs: [{{channel: "#ml", text: "{{{{ words() }}}}"}}]
"""

pytestmark = pytest.mark.broker


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi() as made:
        yield made


@pytest.fixture
async def up(slack: SlackApi, tmp_path: Path) -> AsyncIterator[Up]:
    (tmp_path / "monitors").mkdir()
    (tmp_path / "alerting.yml").write_text(ALERTING.format(url=slack.url, home=tmp_path))
    (tmp_path / "token").write_text(slack.token)
    write(tmp_path, "{{ alerts[0].labels.owner.name }}")
    made = Up(tmp_path)
    yield made
    await made.kill()


def write(home: Path, words: str) -> None:
    (home / "words.jinja").write_text(f"{{% macro words() %}}{words}{{% endmacro %}}\n")


async def fire(bootstrap: str, name: str) -> None:
    """Send an upsert, as the judge does."""
    now_ms = time.time_ns() // 1_000_000
    upsert = AlertUpsert.model_validate(
        {"status": "firing", "labels": {"alertname": name, "model": "churn", "severity": "critical"},
         "annotations": {"summary": "PSI is 0.4"}, "starts_at_ms": now_ms, "pane_end_ms": now_ms, "sequence": 1}
    )  # fmt: skip
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(Topics().alerts.name, upsert.model_dump_json().encode(), partition=0)
    finally:
        await producer.stop()


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


async def test_a_template_that_fails_costs_no_message_and_a_reload_takes_up_another(
    up: Up, slack: SlackApi
) -> None:
    bootstrap = await up.start()
    web = await up.web()
    await fire(bootstrap, "Drift")
    (message,) = await slack.until(lambda: slack.tops, "it is told all the same")
    assert "PSI is 0.4" in message.text

    identity = fingerprint({"alertname": "Drift", "model": "churn"})

    def reasons() -> list[str]:
        known = [one["fingerprint"] for one in json.loads(page(f"{web}/api/v2/alerts"))]
        if identity not in known:
            return []
        return [step["reason"] for step in json.loads(page(f"{web}/api/v1/alerts/{identity}"))["steps"]]

    await up.until(lambda: reasons()[-1:] == ["sent"], "its history is shown")
    assert reasons()[-3:] == ["first", "template_failed", "sent"]
    counted = 'driftline_template_failures_total{receiver="ops/slack/0"} 1.0'
    await up.until(lambda: counted in page(f"{web}/metrics"), "it is counted")

    write(up.home, "we say: {{ alerts[0].sentence }}")
    with urllib.request.urlopen(
        urllib.request.Request(f"{web}/-/reload", method="POST"), timeout=30
    ) as answer:
        assert answer.status == 200
    await fire(bootstrap, "Other")
    await slack.until(lambda: len(slack.tops) == 2, "the next is told")
    assert "we say: PSI is 0.4" in slack.tops[1].text
