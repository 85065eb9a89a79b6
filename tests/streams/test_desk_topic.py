"""The desk's own topic: it grows as the desk writes, and nothing is stuck."""

import asyncio
import logging
import time

import pytest
from brokers import Broker
from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from alerts.alert import AlertUpsert
from alerts.config import default_config
from driftline.embedded import EmbeddedStore
from driftline.topics import ensure_topics
from streams.metrics import Metrics
from streams.stages.desk_stage import DeskStage
from streams.stages.fleet import Fleet
from streams.stages.run import run_stage
from streams.topics import Topics

PROCESSING_TIMEOUT_S = 2.0
DEADLINE_S = 40.0


async def test_rows_the_desk_wrote_are_not_reported_as_a_stream_that_is_stuck(
    broker: Broker, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    topics = Topics(prefix)
    await asyncio.to_thread(ensure_topics, broker.bootstrap, topics, partitions=1, replication=1)
    with EmbeddedStore() as store:
        fleet = Fleet(
            brokers=broker.bootstrap,
            redis_url=store.url,
            models={},
            topics=topics,
            session_timeout_s=broker.session_timeout_s,
        )
        stage = DeskStage(fleet, Metrics(CollectorRegistry()), default_config())
        stage.app.conf.stream_processing_timeout = PROCESSING_TIMEOUT_S
        stop = asyncio.Event()
        running = asyncio.create_task(run_stage(stage, stop))
        try:
            await asyncio.to_thread(send_alert, broker, topics)
            async with asyncio.timeout(DEADLINE_S):
                while not len(stage.log):
                    await asyncio.sleep(0.1)
            # Faust looks every few seconds, once the timeout has passed; this waits for what must not come.
            await asyncio.sleep(4 * PROCESSING_TIMEOUT_S)
        finally:
            stop.set()
            await running
    assert [
        r.getMessage()
        for r in caplog.records
        if r.levelno >= logging.ERROR and topics.desk.name in r.getMessage()
    ] == []


def send_alert(broker: Broker, topics: Topics) -> None:
    now_ms = time.time_ns() // 1_000_000
    alert = AlertUpsert(
        status="firing",
        labels={"alertname": "FeatureDrift", "model": "m", "severity": "warning"},
        starts_at_ms=now_ms,
        pane_end_ms=now_ms,
        sequence=1,
    )
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    producer.send(topics.alerts.name, alert.model_dump_json().encode()).get(timeout=30)
    producer.close()
