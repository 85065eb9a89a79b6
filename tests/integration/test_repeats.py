"""What the judges said is said again, in order and in any order: nobody is told again, and no page changes."""

import random
import time
from typing import Any, Literal

from aiokafka import AIOKafkaProducer
from clients import committed
from counting import all_counted, goes_on
from fleet_of_stages import Pipeline
from traffic import Traffic
from webhook import Webhook

from alerts.alert import AlertUpsert

SEED = 5


async def test_outputs_that_come_again_and_in_any_order_tell_nobody_again_and_change_no_page(
    pipeline: Pipeline, webhook: Webhook
) -> None:
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        async with traffic.flowing():
            await pipeline.start()
            await goes_on(pipeline)
            traffic.slow = True
            await pipeline.until(lambda: webhook.statuses("fraud"), "the webhook is told that fraud is slow")
            traffic.slow = False
            await pipeline.until(lambda: len(webhook.statuses("fraud")) > 1, "and that it is over")

            topics = pipeline.topics
            for topic in (topics.alerts.name, topics.panes.name, topics.verdicts.name):
                await _repeat(pipeline, topic)
            await _an_end_before_its_beginning(pipeline)
            await _all_taken(pipeline)
            await _later_news_is_told(pipeline, webhook)

            # The series are read again from the record of panes, where each stands several times now.
            await pipeline.redis.flushall()
            await goes_on(pipeline)
        await all_counted(pipeline, traffic)
        assert await _firing(pipeline) == []
        await pipeline.stop()
    assert webhook.statuses("fraud") == ["firing", "resolved"]
    assert webhook.of("backwards") == []


async def _repeat(pipeline: Pipeline, topic: str) -> None:
    """Send what is on a topic again, twice: as it came, and shuffled."""
    records = await pipeline.records(topic)
    assert records
    shuffled = random.Random(SEED).sample(records, len(records))
    await _send(pipeline, topic, [(one.partition, one.key, one.value) for one in [*records, *shuffled]])


async def _an_end_before_its_beginning(pipeline: Pipeline) -> None:
    await _say(pipeline, "resolved", "backwards", sequence=2)
    await _say(pipeline, "firing", "backwards", sequence=1)


async def _later_news_is_told(pipeline: Pipeline, webhook: Webhook) -> None:
    """Have another alert come and go, which takes longer than what came before it could be told in."""
    for sequence, status in enumerate(("firing", "resolved"), start=1):
        await _say(pipeline, status, "another", sequence=sequence)  # type: ignore[arg-type]
        await pipeline.until(lambda: webhook.statuses("another")[-1:] == [status], f"another is {status}")  # noqa: B023


async def _say(
    pipeline: Pipeline, status: Literal["firing", "resolved"], model: str, *, sequence: int
) -> None:
    at_ms = time.time_ns() // 1_000_000
    upsert = AlertUpsert(
        status=status,
        labels={"alertname": "Said", "model": model, "version": "1", "severity": "warning"},
        starts_at_ms=at_ms,
        pane_end_ms=1_000,
        sequence=sequence,
        ends_at_ms=at_ms if status == "resolved" else None,
    )
    key, value = upsert.fingerprint.encode(), upsert.model_dump_json().encode()
    await _send(pipeline, pipeline.topics.alerts.name, [(0, key, value)])


async def _send(pipeline: Pipeline, topic: str, records: list[tuple[int, Any, Any]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=pipeline.broker.bootstrap)
    await producer.start()
    try:
        sent = [
            await producer.send(topic, value, key=key, partition=partition)
            for partition, key, value in records
        ]
        for one in sent:
            await one
    finally:
        await producer.stop()


async def _all_taken(pipeline: Pipeline) -> None:
    """Wait until the desk has acknowledged every alert that has been said so far."""
    topic = pipeline.topics.alerts.name
    said = max(one.offset for one in await pipeline.records(topic)) + 1
    group = f"{pipeline.topics.prefix}-desk"

    async def taken() -> bool:
        return (await committed(pipeline.broker.bootstrap, group, topic) or 0) >= said

    await pipeline.until(taken, "the desk has taken every alert")


async def _firing(pipeline: Pipeline) -> list[str]:
    """Return which of fraud's alerts fire in the store."""
    rows = await pipeline.hash("driftline:model:fraud:alerts")
    return [row["labels"]["alertname"] for row in rows.values() if row["status"] == "firing"]
