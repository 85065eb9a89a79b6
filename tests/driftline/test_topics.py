"""Topics on a real broker: as the fleet needs them, and never touched when they exist."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from brokers import Broker
from clients import create_topic
from command_line import Run

from driftline.brokers import BrokerError
from driftline.embedded import free_port
from driftline.topics import ensure_topics, with_policies
from streams.topics import Topics

ONE_PARTITION = {"layouts", "alerts", "commands", "desk"}


async def partitions(broker: Broker, prefix: str) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(f"{prefix}.")]
        found = await admin.describe_topics(names)
    finally:
        await admin.close()
    return {one["topic"].removeprefix(f"{prefix}."): len(one["partitions"]) for one in found}


async def test_every_topic_is_created_with_its_partitions(broker: Broker, prefix: str) -> None:
    found = ensure_topics(broker.bootstrap, Topics(prefix), partitions=3)
    assert all(topic.created for topic in found)
    names = {topic.name.removeprefix(f"{prefix}.") for topic in Topics(prefix).all()}
    assert await partitions(broker, prefix) == {name: 1 if name in ONE_PARTITION else 3 for name in names}


def test_asking_twice_creates_nothing(broker: Broker, prefix: str) -> None:
    first = ensure_topics(broker.bootstrap, Topics(prefix), partitions=3)
    again = ensure_topics(broker.bootstrap, Topics(prefix), partitions=5)
    assert not any(topic.created for topic in again)
    assert [topic.partitions for topic in again] == [topic.partitions for topic in first]


async def test_topics_that_exist_are_left_as_they_are(broker: Broker, prefix: str) -> None:
    topics = Topics(prefix)
    await create_topic(broker.bootstrap, topics.predictions.name, 5)
    await create_topic(broker.bootstrap, topics.alerts.name, 4)
    found = {topic.name: topic for topic in ensure_topics(broker.bootstrap, topics, partitions=2)}
    kept = found[topics.predictions.name]
    assert (kept.created, kept.partitions, kept.warnings) == (False, 5, [])
    (warning,) = found[topics.alerts.name].warnings
    assert warning.startswith(f"{topics.alerts.name} has 4 partitions and must have 1: ")
    assert found[topics.labels.name].created
    counts = await partitions(broker, prefix)
    assert (counts["predictions"], counts["alerts"]) == (5, 4)


async def test_kafka_keeps_each_topic_by_its_policy(broker: Broker, prefix: str) -> None:
    topics = Topics(prefix)
    await create_topic(broker.bootstrap, topics.desk.name, 1, {"cleanup.policy": "delete"})
    found = with_policies(broker.bootstrap, ensure_topics(broker.bootstrap, topics, partitions=1))
    if broker.kind == "tansu":
        assert {topic.cleanup for topic in found} == {None}
        return
    by_name = {topic.name: topic for topic in found}
    assert by_name.pop(topics.desk.name).warnings == [
        f"{topics.desk.name} has cleanup.policy=delete and needs compact: kafka-configs.sh --alter "
        f"--topic {topics.desk.name} --add-config 'cleanup.policy=[compact]'"
    ]
    for topic in by_name.values():
        assert set((topic.cleanup or "").split(",")) == set(topic.topic.cleanup.split(","))
        assert topic.warnings == []


async def test_only_what_producers_write_bears_their_clock(broker: Broker, prefix: str) -> None:
    if broker.kind == "tansu":
        pytest.skip("the embedded broker tells no settings, and takes records of any time")
    ensure_topics(broker.bootstrap, Topics(prefix), partitions=1)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in Topics(prefix).all()]
        (answer,) = await admin.describe_configs(asked)
    finally:
        await admin.close()
    kinds = {name: dict(one[:2] for one in entries) for *_, name, entries in answer.resources}
    producers = {f"{prefix}.predictions", f"{prefix}.labels"}
    assert {name for name, one in kinds.items() if one["message.timestamp.type"] == "CreateTime"} == producers
    assert len(kinds) == len(Topics(prefix).all())


def test_the_command_prints_what_it_created_and_what_was_there(
    broker: Broker, prefix: str, driftline: Run
) -> None:
    environment = {"DRIFTLINE_KAFKA": broker.bootstrap, "DRIFTLINE_TOPIC_PREFIX": prefix}
    ran = driftline("topics", "create", "--partitions", 2, "--replication", 1, **environment)
    assert (ran.status, ran.err) == (0, "")
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["topic", "partitions", "cleanup", "state"]
    assert [f"{prefix}.predictions", "2", "delete", "created"] in lines
    assert [f"{prefix}.desk", "1", "compact", "created"] in lines
    again = driftline("topics", "create", "--json")
    rows = json.loads(again.out)
    assert [row["topic"] for row in rows] == [topic.name for topic in Topics(prefix).all()]
    assert {row["state"] for row in rows} == {"there"}


async def test_the_command_warns_of_a_topic_with_too_many_partitions(
    broker: Broker, prefix: str, driftline: Run
) -> None:
    await create_topic(broker.bootstrap, f"{prefix}.commands", 2)
    ran = driftline("topics", "create", DRIFTLINE_KAFKA=broker.bootstrap, DRIFTLINE_TOPIC_PREFIX=prefix)
    assert ran.status == 0
    assert f"warning: {prefix}.commands has 2 partitions and must have 1" in ran.err


def test_too_many_replicas_are_refused_in_a_sentence(broker: Broker, prefix: str) -> None:
    if broker.kind == "tansu":
        pytest.skip("the embedded broker takes any number of replicas")
    with pytest.raises(BrokerError, match=r"refused: InvalidReplicationFactorError: [A-Z]"):
        ensure_topics(broker.bootstrap, Topics(prefix), partitions=1, replication=3)


_IN_A_HURRY = (
    "import driftline.brokers as b; b.CONNECT_TIMEOUT_MS = 300; from driftline.cli import main; main()"
)


def test_a_broker_that_is_not_there_is_said_in_a_sentence() -> None:
    nobody = f"127.0.0.1:{free_port()}"
    # A process of its own: kafka-python never closes the socket of a failed connection.
    ran = subprocess.run(
        [sys.executable, "-c", _IN_A_HURRY, "topics", "create"],
        env={**os.environ, "DRIFTLINE_KAFKA": nobody},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr == (
        f"no broker answers at {nobody} (KafkaTimeoutError); check DRIFTLINE_KAFKA, that it runs, and that "
        "it speaks PLAINTEXT there (DRIFTLINE_KAFKA_SECURITY_PROTOCOL)\n"
    )
