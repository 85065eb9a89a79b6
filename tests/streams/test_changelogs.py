"""A stage's changelog on the broker: what a recovery has to read of it stays bounded."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from brokers import Broker
from clients import create_topic, running, stage_app, until

from streams.stages.rows import Rows
from streams.stages.sender import Sender

#: Of a broker that compacts once in a while, and of a cleaner that takes its time.
READ_AT_MOST_S = 300


async def test_what_is_written_is_compacted_within_minutes_but_not_before_a_row_is_written_again(
    broker: Broker, prefix: str
) -> None:
    if broker.kind == "tansu":
        pytest.skip("the embedded broker compacts nothing, and tells no settings")
    config = await _config_of_changelog(broker, prefix)
    assert config["cleanup.policy"] == "compact"
    unread_ms = int(config["segment.ms"]) + int(config["min.compaction.lag.ms"])
    assert unread_ms <= READ_AT_MOST_S * 1000
    # Stage 1 writes an open row again after half a minute at the latest.
    assert int(config["min.compaction.lag.ms"]) >= 60_000
    assert int(config["segment.bytes"]) > int(config["max.message.bytes"])


async def _config_of_changelog(broker: Broker, prefix: str) -> dict[str, str]:
    app = stage_app(prefix, broker, topic_partitions=1)
    recovered = asyncio.Event()

    async def nothing() -> None:
        """There are no layouts to wait for."""

    Rows(app, Sender(app), "state", partitions=1, prepare=nothing, recovered=recovered.set)
    topic = app.topic(await create_topic(broker.bootstrap, f"{prefix}-in"))

    @app.agent(topic)  # type: ignore[untyped-decorator]
    async def take(stream: object) -> None:
        async for _ in stream:  # type: ignore[attr-defined]
            pass

    async with running(app):
        await until(recovered.is_set, deadline_s=60, says="the app has started")
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        wanted = ConfigResource(ConfigResourceType.TOPIC, f"{prefix}-state-changelog")
        (answer,) = await admin.describe_configs([wanted])
    finally:
        await admin.close()
    return {name: value for name, value, *_ in answer.resources[0][4]}
