"""Alertmanager's own command line against a running `driftline up`."""

import asyncio
import json
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from desks import Receiver
from ups import Up

from alerts.alert import AlertUpsert
from alerts.pushed import fingerprint
from streams.topics import Topics

ALERTING = """\
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 100ms
  group_interval: 500ms
  routes: [{{receiver: pager, matchers: [severity=critical], continue: true, repeat_interval: 1h}}]
receivers:
  - name: hook
    webhook_configs: [{{url: "{url}?token=s3cret"}}]
  - name: pager
    log_configs: [{{}}]
"""

pytestmark = pytest.mark.broker


@pytest.fixture
async def up(receiver: Receiver, tmp_path: Path) -> AsyncIterator[Up]:
    (tmp_path / "monitors").mkdir()
    (tmp_path / "alerting.yml").write_text(ALERTING.format(url=receiver.url))
    made = Up(tmp_path)
    yield made
    await made.kill()


async def amtool(url: str, *arguments: str) -> tuple[int, str, str]:
    """Run amtool, and return its exit code, output and errors."""
    program = shutil.which("amtool")
    if program is None:
        assert os.environ.get("CI") != "true", "amtool is missing: install Debian's prometheus-alertmanager"
        pytest.skip("NOT TESTED WITH AMTOOL: it is missing; install Debian's package prometheus-alertmanager")
    process = await asyncio.create_subprocess_exec(
        program, f"--alertmanager.url={url}", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def asked(url: str, *arguments: str) -> Any:
    """Run amtool with ``-o json``, which must end well, and return what it printed."""
    status, out, err = await amtool(url, *arguments, "-o", "json")
    assert status == 0, out + err
    return json.loads(out)


async def until(condition: Any, says: str) -> Any:
    """Wait until a coroutine function gives something."""
    try:
        async with asyncio.timeout(60):
            while not (found := await condition()):
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"not within 60 s: {says}") from None
    return found


async def send(bootstrap: str, *alerts: tuple[str, str]) -> None:
    """Send an upsert of each alert (its name and severity), as the judge does."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    now_ms = time.time_ns() // 1_000_000
    try:
        for number, (name, severity) in enumerate(alerts):
            upsert = AlertUpsert(
                status="firing", labels={"alertname": name, "model": "churn", "severity": severity},
                annotations={"summary": "PSI is 0.4"}, starts_at_ms=now_ms, pane_end_ms=now_ms, sequence=number,
            )  # fmt: skip
            await producer.send_and_wait(Topics().alerts.name, upsert.model_dump_json().encode(), partition=0)
    finally:
        await producer.stop()


async def test_amtool_lists_alerts_and_adds_changes_lists_and_expires_silences(
    up: Up, receiver: Receiver
) -> None:
    bootstrap = await up.start()
    await up.until(lambda: "web:" in up.log(), "the web face listens")
    found = re.search(r"web: +(\S+)", up.log())
    assert found is not None
    url = found[1]
    await send(bootstrap, ("LatencyHigh", "critical"), ("FeatureDrift", "warning"))
    await up.until(lambda: receiver.words == ["+FeatureDrift"], "it is told")
    await until(lambda: asked(url, "alert", "query", "LatencyHigh"), "the alert is listed")

    (alert,) = await asked(url, "alert", "query", "alertname=~Latency.*")
    assert alert["labels"] == {"alertname": "LatencyHigh", "model": "churn", "severity": "critical"}
    assert alert["annotations"] == {"summary": "PSI is 0.4"}
    assert (alert["status"]["state"], alert["receivers"]) == ("active", [{"name": "pager"}])
    assert await asked(url, "alert", "query", "--receiver=pager", "FeatureDrift") == []
    status, out, err = await amtool(url, "alert", "query", "FeatureDrift")
    assert status == 0, err
    assert "PSI is 0.4" in out

    status, out, err = await amtool(
        url,
        "silence",
        "add",
        "FeatureDrift",
        "model=~churn|fraud",
        "-d",
        "4h",
        "-a",
        "ana",
        "-c",
        "new export",
    )
    assert status == 0, err
    name = out.strip()

    async def is_silenced() -> bool:
        (shown,) = await asked(url, "alert", "query", "--silenced", "FeatureDrift") or [None]
        return shown is not None and shown["status"]["silencedBy"] == [name]

    await until(is_silenced, "the alert is shown as silenced")
    (silence,) = await asked(url, "silence", "query")
    assert (silence["id"], silence["createdBy"], silence["comment"]) == (name, "ana", "new export")
    assert [(one["name"], one["value"], one["isRegex"]) for one in silence["matchers"]] == [
        ("alertname", "FeatureDrift", False), ("model", "churn|fraud", True),
    ]  # fmt: skip
    # amtool shows what is told unless asked for more.
    assert [one["labels"]["alertname"] for one in await asked(url, "alert", "query")] == ["LatencyHigh"]

    status, out, err = await amtool(url, "silence", "update", name, "-d", "8h", "-c", "longer")
    assert status == 0, err

    async def is_longer() -> bool:
        (one,) = await asked(url, "silence", "query", "FeatureDrift")
        return bool(one["comment"] == "longer" and one["id"] == name)

    await until(is_longer, "it is the same silence, and longer")

    status, out, err = await amtool(url, "silence", "expire", name)
    assert (status, out) == (0, ""), err
    await up.until(lambda: receiver.words.count("+FeatureDrift") == 2, "it is told again")

    async def is_over() -> bool:
        return await asked(url, "silence", "query", "--expired") != [] and not await asked(
            url, "silence", "query"
        )

    await until(is_over, "it is listed as expired")
    assert (await amtool(url, "silence", "expire", name))[0] != 0
    assert (await amtool(url, "silence", "expire", "3f0c9c1e-6d0a-4b7e-9f43-0a5a4f5f9b11"))[0] != 0
    assert (await amtool(url, "silence", "add", "alertname=~.*", "-c", "all"))[0] != 0
    await up.stop()


async def test_amtool_adds_an_alert_that_is_told_outlives_a_restart_and_ends(
    up: Up, receiver: Receiver
) -> None:
    await up.start()
    url = await up.web()
    status, out, err = await amtool(
        url, "alert", "add", "Backup", "severity=warning", "gone=",
        "--annotation=summary=none for 2 days", "--generator-url=http://backup.example/runs?day=2",
    )  # fmt: skip
    assert (status, out) == (0, ""), err
    await up.until(lambda: receiver.words == ["+Backup"], "it is told")
    (alert,) = await until(lambda: asked(url, "alert", "query", "Backup"), "it is listed")
    assert alert["labels"] == {"alertname": "Backup", "severity": "warning"}
    assert alert["generatorURL"] == "http://backup.example/runs?day=2"
    assert alert["annotations"] == {"summary": "none for 2 days"}
    status, out, err = await amtool(url, "alert", "add", "Backup", "severity=warning", "9lives=x")
    assert status != 0
    assert "9lives" in err

    await up.stop()
    await up.start()
    url = await up.web()
    (alert,) = await until(lambda: asked(url, "alert", "query", "Backup"), "it is listed as before")
    assert alert["fingerprint"] == fingerprint({"alertname": "Backup", "severity": "warning"})
    assert receiver.of("Backup") == ["+Backup"]
    end = datetime.now(UTC).isoformat(timespec="seconds")
    status, out, err = await amtool(url, "alert", "add", "Backup", "severity=warning", f"--end={end}")
    assert status == 0, err
    await up.until(lambda: receiver.of("Backup") == ["+Backup", "-Backup"], "its end is told")
    assert await asked(url, "alert", "query", "Backup") == []
    await up.stop()


async def test_amtool_shows_the_routes_and_tests_them_and_sees_no_secret(up: Up, tmp_path: Path) -> None:
    await up.start()
    await up.until(lambda: "web:" in up.log(), "the web face listens")
    found = re.search(r"web: +(\S+)", up.log())
    assert found is not None
    url = found[1]

    async def reported() -> bool:
        return (await amtool(url, "config", "show"))[0] == 0

    await until(reported, "the desk has reported")
    _, shown, _ = await amtool(url, "config", "show")
    assert "s3cret" not in shown
    for labels, receivers in (("severity=critical", "pager"), ("severity=warning", "hook")):
        status, out, err = await amtool(url, "config", "routes", "test", labels)
        assert (status, out.strip()) == (0, receivers), err
    status, out, err = await amtool(url, "config", "routes", "show")
    assert status == 0, err
    assert 'severity="critical"' in out
    status, out, err = await amtool(url, "cluster", "show")
    assert status == 0, err
    outline = re.search(r"^\{.*^\}", shown, re.DOTALL | re.MULTILINE)
    assert outline is not None
    (tmp_path / "outline.yml").write_text(outline[0])
    status, out, err = await amtool(url, "check-config", str(tmp_path / "outline.yml"))
    assert status == 0, out + err
    await up.stop()
