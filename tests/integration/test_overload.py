"""More events than stage 1 can take: it says so, tells somebody, and holds no more of them than it buffers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

import httpx
import only_on
from aiokafka import AIOKafkaProducer
from fleet_of_stages import Pipeline
from traffic import PARTITIONS, now_ms
from webhook import Webhook

from driftline.web.app import create_app
from streams.transport.chunk import MAX_BYTES

#: An event as large as a wide one: nothing is needed of it but that it takes room and is counted.
EVENT_BYTES = 16 * 1024
MB = 1_000_000
CHUNKS_WAITING, FETCH_BYTES = 8, 4 * 1024 * 1024
#: What a stage buffers: the chunks that wait for it and one per partition under way, and of each partition a
#: fetch that is taken apart and one that is on its way, and their records as objects.
BUFFERED_BYTES = (CHUNKS_WAITING + PARTITIONS) * MAX_BYTES + 2 * PARTITIONS * FETCH_BYTES


@asynccontextmanager
async def _producer(pipeline: Pipeline) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=pipeline.broker.bootstrap, linger_ms=20, max_batch_size=512 * 1024
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _produce(pipeline: Pipeline, megabytes: float) -> int:
    """Send a backlog to all partitions, and return how many events it has."""
    count = int(megabytes * MB) // EVENT_BYTES
    async with _producer(pipeline) as producer:
        for number in range(count):
            at_ms = now_ms()
            event = {
                "id": str(number), "model": "fraud", "version": "1", "ts": at_ms, "prediction": 0.5,
                "latency_ms": 10, "features": {"amount": 20 + number % 40},
            }  # fmt: skip
            await producer.send(
                pipeline.topics.predictions.name, json.dumps(event).encode().ljust(EVENT_BYTES),
                partition=number % PARTITIONS, timestamp_ms=at_ms,
            )  # fmt: skip
    return count


class Front:
    """The web face over the pipeline's store."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def shows_backlog(self) -> bool:
        alerts = (await self._client.get("/api/v1/alerts")).json()
        found = [one for one in alerts if one["labels"]["alertname"] == "Backlog"]
        for one in found:
            assert one["labels"] == {"alertname": "Backlog", "component": "driftline", "severity": "critical"}
            assert "Driftline is behind: events are counted up to" in one["annotations"]["summary"]
        return bool(found)

    async def is_ready(self) -> bool:
        return (await self._client.get("/readyz")).status_code == 200

    async def says_behind(self) -> bool:
        answer = await self._client.get("/readyz")
        return answer.status_code == 503 and any(
            reason.startswith("profile: profile is ") and reason.endswith(" records behind")
            for reason in answer.json()["reasons"]
        )


@asynccontextmanager
async def _front(pipeline: Pipeline) -> AsyncIterator[Front]:
    app = create_app(redis_url=pipeline.redis_url)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield Front(client)


def _backlog_alerts(webhook: Webhook) -> list[dict[str, Any]]:
    alerts = [alert for payload in webhook.payloads for alert in payload["alerts"]]
    return [alert for alert in alerts if alert["labels"]["alertname"] == "Backlog"]


async def test_a_stage_that_is_behind_says_so_and_one_alert_tells_of_it_and_of_its_end(
    pipeline: Pipeline, webhook: Webhook
) -> None:
    pipeline.environment |= {"DRIFTLINE_BEHIND_S": "4", "DRIFTLINE_BEHIND_FOR_S": "1"}
    async with _front(pipeline) as front:
        await pipeline.start("desk", "judge")
        # It takes a second for each chunk, and is given dozens.
        await pipeline.start("profile", fuse="take@1:SLOW")
        sent = await _produce(pipeline, 0.1)
        await pipeline.until(front.is_ready, "all stages have caught up")
        assert _backlog_alerts(webhook) == []

        sent += await _produce(pipeline, 80)
        await pipeline.until(front.says_behind, "/readyz says how far stage 1 is behind")
        await pipeline.until(lambda: _backlog_alerts(webhook), "the alert arrives")
        await pipeline.until(front.shows_backlog, "the API shows it")
        await pipeline.redis.flushdb()
        await pipeline.until(front.shows_backlog, "the API shows it again, of an emptied store")

        # The judge that told of it dies; the next one tells of its end.
        await pipeline.kill("judge")
        await asyncio.gather(pipeline.start("judge"), pipeline.stop("profile"))
        await pipeline.start("profile")
        await pipeline.until(lambda: _backlog_alerts(webhook)[-1]["status"] == "resolved", "its end arrives")
        await pipeline.until(front.is_ready, "all stages have caught up")

        assert [status for status, _ in groupby(_backlog_alerts(webhook), key=lambda one: one["status"])] == [
            "firing",
            "resolved",
        ]
        assert len({one["startsAt"] for one in _backlog_alerts(webhook)}) == 1
        await _all_counted(pipeline, sent)
        await pipeline.stop()


async def _all_counted(pipeline: Pipeline, sent: int) -> None:
    counted = 0

    async def complete() -> bool:
        nonlocal counted
        panes = await pipeline.panes("fraud")
        counted = sum(pane["events"] + pane["late"] for pane in panes if not pane["segment"])
        return counted >= sent

    await pipeline.until(complete, "every event is in a closed pane")
    assert counted == sent


@only_on.kafka
async def test_the_memory_of_a_stage_does_not_grow_with_its_backlog(pipeline: Pipeline) -> None:
    peaks = {}
    for megabytes in (0, 200, 400):
        await _produce(pipeline, megabytes)
        await pipeline.start("profile")
        await pipeline.until(lambda: _has_caught_up(pipeline), f"{megabytes} MB are worked off")
        peaks[megabytes] = pipeline.peak_bytes("profile")
        await pipeline.stop("profile")
    told = {megabytes: f"{peak / MB:.0f} MB" for megabytes, peak in peaks.items()}
    assert max(peaks.values()) - peaks[0] < BUFFERED_BYTES, told


async def _has_caught_up(pipeline: Pipeline) -> bool:
    return await pipeline.partitions_of("profile") == [PARTITIONS]
