"""`driftline up --data` is stopped and started again: it goes on with what it had, and tells nothing twice."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from desks import ALERTING, Receiver
from ups import Up

from streams.topics import Topics

MONITOR = """\
model: quiet
features: {}
unexpected_features: ignore
windows: {pane: 1s, current: 5s, allowed_lateness: 1s, min_samples: 50}
reference: {trailing: 7d}
detectors: {stale_stream: false, traffic_surge: false, traffic_silence: {after_seconds: 4}}
"""

WARMING = """\
model: warming
features: {age: {type: number}}
windows: {pane: 1s, current: 5s, allowed_lateness: 1s, min_samples: 50}
reference: {trailing: 7d}
"""

pytestmark = pytest.mark.broker


@pytest.fixture
async def up(receiver: Receiver, tmp_path: Path) -> AsyncIterator[Up]:
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "quiet.yaml").write_text(MONITOR)
    (tmp_path / "alerting.yml").write_text(ALERTING.format(url=receiver.url))
    made = Up(tmp_path)
    yield made
    await made.kill()


@asynccontextmanager
async def traffic(
    bootstrap: str, *, model: str = "quiet", rate: int = 50, partition: int | None = None
) -> AsyncIterator[None]:
    """Send ``rate`` events a second for the length of a block, to all partitions or one."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    flowing = asyncio.create_task(_flow(producer, model, rate, partition))
    try:
        yield
    finally:
        flowing.cancel()
        await asyncio.wait([flowing])
        await producer.stop()


async def _flow(producer: AIOKafkaProducer, model: str, rate: int, partition: int | None) -> None:
    for number in itertools.count():
        now_ms = time.time_ns() // 1_000_000
        event = {"id": f"{now_ms}-{number}", "model": model, "ts": now_ms, "prediction": 0.5}
        event["features"] = {"age": number % 90}
        value, key = json.dumps(event).encode(), b"%d" % number
        await producer.send(Topics().predictions.name, value, key=key, partition=partition)
        await asyncio.sleep(1 / rate)


async def test_a_silence_that_was_told_is_not_told_again_and_its_end_is(up: Up, receiver: Receiver) -> None:
    async with traffic(await up.start()):
        await up.until(lambda: up.panes("quiet") > 8, "the model's usual traffic is known")
    await up.until(lambda: receiver.words, "the silence is told")
    await up.stop()
    async with traffic(await up.start()):
        await up.until(lambda: "-TrafficSilence" in receiver.words, "the end of the silence is told")
    assert receiver.words == ["+TrafficSilence", "-TrafficSilence"]
    await up.stop()


async def test_what_was_known_is_shown_before_anything_comes_and_judged_on_when_one_partition_speaks(
    up: Up,
) -> None:
    async with traffic(await up.start()):
        await up.until(lambda: up.panes("quiet") > 8, "the model's usual traffic is known")
    await up.stop()
    closed = up.panes("quiet")
    bootstrap = await up.start()
    await up.until(lambda: up.models(), "the model is shown")
    (shown,) = up.models()
    assert shown["model"] == "quiet"
    assert shown["events_per_second"] > 10
    assert up.panes("quiet") == closed
    async with traffic(bootstrap, partition=0):
        await up.until(lambda: up.panes("quiet") > closed + 3, "panes close again")
    await up.stop()


async def test_bins_that_were_cut_are_judged_by_when_the_rows_of_that_moment_were_lost(up: Up) -> None:
    (up.home / "monitors" / "warming.yaml").write_text(WARMING)
    async with traffic(await up.start(), model="warming", rate=250):
        await up.until(lambda: up.kept("driftline.layouts"), "the model's bins are cut")
    await up.stop()
    closed = up.panes("warming")
    (up.home / "data" / "driftline-judge-state-changelog.jsonl").unlink()
    async with traffic(await up.start(), model="warming"):
        await up.until(lambda: up.panes("warming") > closed + 3, "panes close again")
    await up.stop()
