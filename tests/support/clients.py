"""What tests do to a broker from outside: make topics, produce, look at committed offsets, run an app."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from brokers import Broker

from streams.transport.engine import make_app, run


def stage_app(group: str, broker: Broker, **settings: Any) -> Any:
    """Return an app as the tests run it."""
    return make_app(group, brokers=broker.bootstrap, session_timeout_s=broker.session_timeout_s, **settings)


async def create_topic(
    bootstrap: str, name: str, partitions: int = 1, config: Mapping[str, str] | None = None
) -> str:
    """Create a topic and return its name."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dict(config or {}))])
    finally:
        await admin.close()
    return name


async def produce(
    bootstrap: str, topic: str, values: Iterable[bytes], *, partition: int = 0, key: bytes | None = None
) -> None:
    """Send ``values`` to one partition, in order."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, max_batch_size=1 << 18)
    await producer.start()
    try:
        sent = [await producer.send(topic, value, key=key, partition=partition) for value in values]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def committed(bootstrap: str, group: str, topic: str, partition: int = 0) -> int | None:
    """Return the group's committed offset; None when there is none."""
    onlooker = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await onlooker.start()
    try:
        offset: int | None = await onlooker.committed(TopicPartition(topic, partition))
    finally:
        await onlooker.stop()
    return offset


@asynccontextmanager
async def running(app: Any) -> AsyncIterator["asyncio.Task[None]"]:
    """Run an app for the length of a block; what it crashed with is raised at the end of it."""
    stop = asyncio.Event()
    task = asyncio.create_task(run(app, stop))
    try:
        yield task
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], bool], *, deadline_s: float = 20.0, says: str = "") -> None:
    """Wait until a condition holds."""
    try:
        async with asyncio.timeout(deadline_s):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {deadline_s:g} s: {says or condition}") from None
