"""The journal of ``driftline up --data``: what one broker held, the next one holds."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from driftline.embedded import EmbeddedBroker
from driftline.journal import Journal, JournalError, owned
from driftline.topics import ensure_topics
from streams.stages.judge_rows import PaneKey
from streams.stages.rows import PROBE
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
    # What a judge writes that has had no row to write for a while.
    await write(brokers[0], [(judge, part, PROBE, b"") for part in range(PARTITIONS)])
    await write(brokers[0], [(topics.desk.name, 0, b"7", None), (topics.desk.name, 0, b"8", b"newer")])
    stop.set()
    async with asyncio.timeout(DEADLINE_S):
        await running
    journal, restored = await opened(tmp_path, brokers[1], topics)
    await journal.run(stop)
    assert restored == 39 + 30
    assert await ends(brokers[1], topics.desk.name, 1) == [39]
    assert await ends(brokers[1], judge, PARTITIONS) == [15, 15]


def test_a_folder_another_one_uses_is_refused_and_free_again_when_that_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    command = [sys.executable, "-m", "driftline", "up", "--data", str(folder), "--port", "0"]
    with owned(folder):
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=os.environ | {"COLUMNS": "300"},
        )
    assert ran.returncode == 1, ran.stderr
    assert f"--data {folder} is in use by another driftline up (pid {os.getpid()})" in ran.stderr
    assert "broker:" not in ran.stderr
    with owned(folder):
        pass


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(JournalError, match=r"--data .*file/data cannot be used"),
        owned(tmp_path / "file" / "data"),
    ):
        pass
