"""The demo's producer on a real broker: it keeps its rate, survives a stall, and stops when it is told."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer

from driftline import demo
from driftline.demo.production import BACKLOG_S
from driftline.embedded import EmbeddedBroker
from driftline.topics import ensure_topics
from streams.topics import Topics

pytestmark = pytest.mark.broker

TOPIC = Topics().predictions.name
RATE_PER_SECOND = 400.0
DEADLINE_S = 30.0
STALL_S = 3.0


class Reader:
    """Everything on the topic so far, as (key, event)."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.events: list[tuple[bytes, dict[str, Any]]] = []

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                for records in (await self._consumer.getmany(timeout_ms=100)).values():
                    self.events += [(one.key, msgspec.json.decode(one.value)) for one in records]

    @property
    def times_ms(self) -> list[int]:
        return sorted(event["ts"] for _, event in self.events)

    def span_s(self) -> float:
        return (self.times_ms[-1] - self.times_ms[0]) / 1000 if self.events else 0.0


@pytest.fixture
def tansu() -> Iterator[EmbeddedBroker]:
    """A broker that may be stalled."""
    with EmbeddedBroker() as server:
        ensure_topics(server.bootstrap, Topics(), partitions=2, replication=1)
        yield server


@pytest.fixture
async def reader(tansu: EmbeddedBroker) -> AsyncIterator[Reader]:
    """Reads the predictions from the beginning."""
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=tansu.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    yield Reader(consumer)
    await consumer.stop()


@asynccontextmanager
async def producing(broker: EmbeddedBroker) -> AsyncIterator[Callable[[], Any]]:
    """Produce beside the test; what it yields stops, and returns how long that took in seconds."""
    stop = asyncio.Event()
    task = asyncio.create_task(
        demo.produce(broker.bootstrap, TOPIC, stop, lambda line: None, rate_per_second=RATE_PER_SECOND)
    )

    async def end() -> float:
        began_s = time.monotonic()
        stop.set()
        await task
        return time.monotonic() - began_s

    try:
        yield end
    finally:
        stop.set()
        await task


async def test_events_come_at_their_rate_keyed_by_id_and_stop_when_told(
    tansu: EmbeddedBroker, reader: Reader
) -> None:
    async with producing(tansu) as end:
        await reader.until(lambda: reader.span_s() > 4.0)
        assert await end() < 2.0
    assert len(reader.events) / reader.span_s() == pytest.approx(RATE_PER_SECOND, rel=0.1)
    assert all(key.decode() == event["id"] for key, event in reader.events)
    assert len({key for key, _ in reader.events}) == len(reader.events)


async def test_a_stalled_broker_costs_events_and_nothing_else(tansu: EmbeddedBroker, reader: Reader) -> None:
    assert tansu.pid is not None
    async with producing(tansu):
        await reader.until(lambda: reader.span_s() > 1.0)
        os.kill(tansu.pid, signal.SIGSTOP)
        stalled_ms = time.time_ns() // 1_000_000
        await asyncio.sleep(STALL_S)  # the fault itself
        os.kill(tansu.pid, signal.SIGCONT)
        woken_ms = time.time_ns() // 1_000_000
        await reader.until(lambda: bool(reader.events) and reader.times_ms[-1] > woken_ms + 2_000)
    after = [at for at in reader.times_ms if stalled_ms + 100 < at < woken_ms + 1_000]
    assert len(after) < RATE_PER_SECOND * (BACKLOG_S + 1.0) * 1.3


async def test_it_stops_while_the_broker_is_stalled(tansu: EmbeddedBroker, reader: Reader) -> None:
    assert tansu.pid is not None
    async with producing(tansu) as end:
        await reader.until(lambda: reader.span_s() > 0.5)
        os.kill(tansu.pid, signal.SIGSTOP)
        try:
            assert await end() < 10.0
        finally:
            os.kill(tansu.pid, signal.SIGCONT)
