"""The journal of ``driftline up --data``: what one broker held, the next one holds."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from driftline.embedded import EmbeddedBroker
from driftline.journal import Journal
from driftline.topics import ensure_topics
from streams.stages.judge_rows import PaneKey
from streams.topics import Topics
from streams.wire import Heartbeat, HeartbeatKey, encode

PARTITIONS = 2
DEADLINE_S = 30.0

pytestmark = pytest.mark.broker


@pytest.fixture
def brokers() -> Iterator[list[str]]:
    """Two brokers, one after the other as far as the journal is concerned."""
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        yield [one.bootstrap, other.bootstrap]


async def opened(folder: Path, bootstrap: str, topics: Topics) -> tuple[Journal, int]:
    await asyncio.to_thread(ensure_topics, bootstrap, topics, partitions=PARTITIONS, replication=1)
    journal = Journal(folder, bootstrap, topics, PARTITIONS)
    return journal, await journal.restore()


async def ends(bootstrap: str, topic: str, partitions: int) -> list[int]:
    """Return what the broker tells as the end of each partition: where a stage's recovery stops."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        found = await consumer.end_offsets([TopicPartition(topic, part) for part in range(partitions)])
    finally:
        await consumer.stop()
    return [found[TopicPartition(topic, part)] for part in range(partitions)]


async def write(bootstrap: str, rows: list[tuple[str, int, bytes, bytes | None]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    for topic, partition, key, value in rows:
        await producer.send(topic, value, key=key, partition=partition)
    await producer.stop()


async def test_all_that_was_written_before_the_stop_is_there_for_recovery_to_read(
    brokers: list[str], tmp_path: Path
) -> None:
    topics = Topics("kept")
    judge = f"{topics.prefix}-judge-state-changelog"
    journal, restored = await opened(tmp_path, brokers[0], topics)
    assert restored == 0
    stop = asyncio.Event()
    running = asyncio.create_task(journal.run(stop))
    await write(brokers[0], [(topics.desk.name, 0, b"%d" % n, b"row") for n in range(40)])
    panes = [encode(PaneKey("churn", "", "", n, n + 1)) for n in range(30)]
    await write(brokers[0], [(judge, n % PARTITIONS, key, b"row") for n, key in enumerate(panes)])
    await write(
        brokers[0], [(judge, 0, encode(HeartbeatKey(0, "churn")), encode(Heartbeat(1, False, 1, 1, 1)))]
    )
    await write(brokers[0], [(topics.desk.name, 0, b"7", None), (topics.desk.name, 0, b"8", b"newer")])
    stop.set()
    async with asyncio.timeout(DEADLINE_S):
        await running
    journal, restored = await opened(tmp_path, brokers[1], topics)
    await journal.run(stop)
    assert restored == 39 + 30
    assert await ends(brokers[1], topics.desk.name, 1) == [39]
    assert await ends(brokers[1], judge, PARTITIONS) == [15, 15]
