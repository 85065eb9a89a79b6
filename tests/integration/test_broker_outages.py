"""The broker stopped, stalled, cut off, slow: stages wait or start again, and every count equals a recount."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from brokers import Broker
from counting import all_counted, goes_on
from fault_proxy import FaultProxy
from fleet_of_stages import Pipeline
from returning_kafka import ReturningKafka
from traffic import Traffic
from webhook import Webhook

from driftline.embedded import EmbeddedStore

pytestmark = [pytest.mark.broker, pytest.mark.kafka]
#: Longer than a session (6 s) and than a partition may be quiet before its event time goes on by itself (10 s).
OUTAGE_S = 13.0


@pytest.fixture
async def kafka(needs_kafka: Path, proxy: FaultProxy, tmp_path: Path) -> AsyncIterator[ReturningKafka]:
    """A broker of the test's own."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    with ReturningKafka(needs_kafka, folder, proxy.port) as server:
        proxy.target_port = server.target_port
        yield server


@pytest.fixture
async def pipeline(
    kafka: ReturningKafka,
    proxy: FaultProxy,
    own_store: EmbeddedStore,
    webhook: Webhook,
    prefix: str,
    tmp_path: Path,
) -> AsyncIterator[Pipeline]:
    """Workers come in through the proxy; the test itself does not."""
    broker = Broker("kafka", kafka.bootstrap)
    async with Pipeline(broker, prefix, own_store.url, webhook.url, tmp_path) as made:
        made.environment["DRIFTLINE_KAFKA"] = f"127.0.0.1:{proxy.port}"
        yield made


async def test_a_broker_that_stalls_stops_or_cannot_be_reached_costs_no_event(
    pipeline: Pipeline, kafka: ReturningKafka, proxy: FaultProxy
) -> None:
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        async with traffic.flowing():
            await pipeline.start_worker()
            await goes_on(pipeline)
            await _stall(kafka)
            await goes_on(pipeline)
            async with proxy.slow(0.2):
                await goes_on(pipeline)
            async with proxy.cut():
                await asyncio.sleep(OUTAGE_S)
            await goes_on(pipeline)
            async with proxy.swallowing():
                await asyncio.sleep(OUTAGE_S)
            await goes_on(pipeline)
        kafka.stop()
        await asyncio.sleep(1.0)
        kafka.start()
        async with traffic.flowing():
            await goes_on(pipeline)
        await all_counted(pipeline, traffic)
        await pipeline.stop("worker")
    assert pipeline.restarts() == []


@pytest.mark.slow
async def test_a_minute_without_the_broker_costs_no_event(pipeline: Pipeline, proxy: FaultProxy) -> None:
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        async with traffic.flowing(1.0):
            await pipeline.start_worker()
            await goes_on(pipeline)
            async with proxy.swallowing():
                await asyncio.sleep(60.0)
            await goes_on(pipeline)
        await all_counted(pipeline, traffic)
        await pipeline.stop("worker")


async def _stall(kafka: ReturningKafka) -> None:
    """Stop the broker's process for a second, three times: commits are sent every second."""
    assert kafka.pid is not None
    for _ in range(3):
        os.kill(kafka.pid, signal.SIGSTOP)
        await asyncio.sleep(1.0)
        os.kill(kafka.pid, signal.SIGCONT)
        await asyncio.sleep(0.7)
