"""Rows of state on a real broker: what was confirmed is there after the writer is gone."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from brokers import Broker
from clients import create_topic, running, stage_app, until
from faust.types.tuples import TP

from streams.stages.rows import Rows
from streams.stages.sender import Sender
from streams.transport import chunk_topic
from streams.transport.engine import listen


async def _with_rows(broker: Broker, prefix: str, topic: str, write: dict[bytes, bytes | None]) -> Any:
    """Return the rows a fresh app recovers; then write some."""
    recovered = asyncio.Event()
    app, rows = _app_with_rows(broker, prefix, topic, recovered.set)
    async with running(app) as task:
        await until(lambda: recovered.is_set() or task.done(), says="rows are recovered")
        found = dict(rows.of(0))
        if write:
            await rows.write(0, write)
    return found


def _app_with_rows(
    broker: Broker, prefix: str, topic: str, recovered: Callable[[], None], *, partitions: int = 1
) -> tuple[Any, Rows]:
    app = stage_app(prefix, broker, topic_partitions=partitions)
    rows = Rows(app, Sender(app), "state", partitions=partitions, prepare=_nothing, recovered=recovered)

    @app.agent(chunk_topic(app, topic))
    async def nothing(stream: Any) -> None:
        async for _ in stream.noack().events():
            pass

    return app, rows


async def _nothing() -> None:
    pass


@pytest.mark.parametrize("count", [1, 50])
async def test_every_row_that_was_confirmed_is_recovered(broker: Broker, prefix: str, count: int) -> None:
    topic = await create_topic(broker.bootstrap, f"{prefix}-source")
    written: dict[bytes, bytes | None] = {b"key %d" % at: b"not JSON: %d" % at for at in range(count)}
    assert await _with_rows(broker, prefix, topic, written) == {}
    assert await _with_rows(broker, prefix, topic, {b"key 0": None}) == written
    del written[b"key 0"]
    assert await _with_rows(broker, prefix, topic, {}) == written


class _Worker:
    """An app with rows in two partitions, which notes what it is told and what it then holds."""

    def __init__(self, broker: Broker, prefix: str, topic: str) -> None:
        self.owned: frozenset[int] = frozenset()
        self.held: list[dict[int, dict[bytes, bytes]]] = []
        self.app, self.rows = _app_with_rows(broker, prefix, topic, self._note, partitions=2)
        listen(self.app, self)

    def _note(self) -> None:
        self.held.append({partition: dict(self.rows.of(partition)) for partition in self.owned})

    async def assigned(self, partitions: frozenset[TP]) -> None:
        self.owned = frozenset(tp.partition for tp in partitions if "changelog" not in tp.topic)

    async def revoking(self, partitions: frozenset[TP]) -> None:
        pass

    async def revoked(self, partitions: frozenset[TP]) -> None:
        self.owned = frozenset()


async def test_a_recovery_that_a_rebalance_cuts_short_is_not_taken_for_a_whole_one(
    broker: Broker, prefix: str
) -> None:
    topic = await create_topic(broker.bootstrap, f"{prefix}-source", partitions=2)
    written = {b"key %d" % at: b"value" for at in range(300)}
    writer = _Worker(broker, prefix, topic)
    async with running(writer.app):
        await until(lambda: bool(writer.held), says="the writer is ready")
        for partition in (0, 1):
            await writer.rows.write(partition, dict(written))

    reader, joiner = _Worker(broker, prefix, topic), _Worker(broker, prefix, topic)
    half_way, go_on = asyncio.Event(), asyncio.Event()
    seen = 0

    async def hold(event: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == len(written) // 2:
            half_way.set()
            await go_on.wait()

    reader.app.tables["state"].on_changelog_event = hold
    async with running(reader.app):
        await until(half_way.is_set, says="the reader is half-way through")
        rebalances = reader.app.rebalancing_count
        async with running(joiner.app):
            await until(lambda: reader.app.rebalancing_count > rebalances, says="the other one joins")
            go_on.set()
            await until(lambda: bool(reader.held and joiner.held), says="both are ready")
            for worker in (reader, joiner):
                for held in worker.held:
                    assert held == dict.fromkeys(held, written)
            assert sorted(reader.held[-1].keys() | joiner.held[-1].keys()) == [0, 1]
