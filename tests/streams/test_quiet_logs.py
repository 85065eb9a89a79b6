"""What a stage logs: an error is said only where something is wrong."""

import asyncio
import logging
import time
from typing import Any

import pytest
from brokers import Broker
from clients import create_topic, produce, running, stage_app, until
from faust.types.tuples import TP

from streams.transport import chunk_topic
from streams.transport.engine import listen

AN_HOUR_S = 3600.0


async def test_one_long_piece_of_work_after_a_lull_is_no_error(
    broker: Broker, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = stage_app(prefix, broker)
    topic = await create_topic(broker.bootstrap, f"{prefix}-in")
    may_go_on = asyncio.Event()
    taken = []

    @app.agent(chunk_topic(app, topic, maxsize=2, max_rows=1))  # type: ignore[untyped-decorator]
    async def take(stream: Any) -> None:
        async for event in stream.noack().events():
            taken.append(event.value)
            event.ack()
            if len(taken) > 1:
                await may_go_on.wait()

    async with running(app):
        await produce(broker.bootstrap, topic, [b"first"])
        await until(lambda: len(taken) == 1, deadline_s=60)
        # A broker that has just started has no coordinator for groups yet, and aiokafka calls that an error.
        caplog.clear()
        await produce(broker.bootstrap, topic, [b"more"] * 50)
        await until(lambda: (app.consumer.highwater(TP(topic, 0)) or 0) > 10, deadline_s=60)
        app.consumer.verify_event_path(time.monotonic() + AN_HOUR_S, TP(topic, 0))
        may_go_on.set()
        await until(lambda: len(taken) == 51, deadline_s=60)
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR] == []


class Told:
    """A listener that writes down what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    async def assigned(self, partitions: frozenset[TP]) -> None:
        self.words.append("assigned")

    async def revoking(self, partitions: frozenset[TP]) -> None:
        self.words.append("revoking")

    async def revoked(self, partitions: frozenset[TP]) -> None:
        self.words.append("revoked")


async def test_a_rebalance_that_ends_while_the_app_stops_gives_it_nothing_to_write(
    broker: Broker, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = stage_app(prefix, broker)
    topic = await create_topic(broker.bootstrap, f"{prefix}-in")
    told = Told()
    listen(app, told)

    @app.agent(chunk_topic(app, topic))  # type: ignore[untyped-decorator]
    async def take(stream: Any) -> None:
        async for _ in stream.noack().events():
            pass

    async with running(app):
        await until(lambda: told.words == ["assigned"], deadline_s=60)
    before = list(told.words)
    await app.consumer.on_partitions_revoked({TP(topic, 0)})
    await app.consumer.on_partitions_assigned({TP(topic, 0)})
    assert told.words == before
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR] == []
