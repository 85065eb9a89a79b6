"""Rows of state on a real broker: what was confirmed is there after the writer is gone."""

import asyncio
from typing import Any

import pytest
from brokers import Broker
from clients import create_topic, stage_app, until

from streams.stages.rows import Rows
from streams.stages.sender import Sender
from streams.transport import chunk_topic
from streams.transport.engine import run


async def _with_rows(broker: Broker, prefix: str, topic: str, write: dict[bytes, bytes | None]) -> Any:
    """Return the rows a fresh app recovers; then write some."""
    recovered = asyncio.Event()
    app = stage_app(prefix, broker, topic_partitions=1)

    async def note() -> None:
        recovered.set()

    rows = Rows(app, Sender(app), "state", partitions=1, recovered=note)

    @app.agent(chunk_topic(app, topic))
    async def nothing(stream: Any) -> None:
        async for _ in stream.noack().events():
            pass

    stop = asyncio.Event()
    running = asyncio.create_task(run(app, stop))
    await until(lambda: recovered.is_set() or running.done(), says="rows are recovered")
    found = dict(rows.of(0))
    if write:
        await rows.write(0, write)
    stop.set()
    await running
    return found


@pytest.mark.parametrize("count", [1, 50])
async def test_every_row_that_was_confirmed_is_recovered(broker: Broker, prefix: str, count: int) -> None:
    topic = await create_topic(broker.bootstrap, f"{prefix}-source")
    written: dict[bytes, bytes | None] = {b"key %d" % at: b"not JSON: %d" % at for at in range(count)}
    assert await _with_rows(broker, prefix, topic, written) == {}
    assert await _with_rows(broker, prefix, topic, {b"key 0": None}) == written
    del written[b"key 0"]
    assert await _with_rows(broker, prefix, topic, {}) == written
