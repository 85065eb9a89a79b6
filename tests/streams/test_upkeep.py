"""Rows that do not change are written again where another has written among them, before compaction could leave its."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from brokers import Broker
from clients import create_topic, produce, running, stage_app, until

from streams.stages import judge_rows
from streams.stages.judge_stage import TICK_S
from streams.stages.profile_stage import LONGEST_CHECKPOINT_S
from streams.stages.rows import MIN_COMPACTION_LAG_MS, PROBE, Rows
from streams.stages.sender import Sender
from streams.stages.upkeep import PROBED_AFTER_MS, Upkeep
from streams.transport import chunk_topic
from streams.wire import HeartbeatKey, OutcomeKey, encode


def test_others_are_found_and_answered_before_compaction() -> None:
    assert PROBED_AFTER_MS + 1000 * max(LONGEST_CHECKPOINT_S, TICK_S) < MIN_COMPACTION_LAG_MS


def test_a_record_of_another_is_noticed_wherever_it_lies() -> None:
    for offsets in ([1], [0, 2], [0, 1, 2, 4], [0, 1, 0]):
        upkeep = Upkeep(0, 0)
        upkeep.wrote(offsets, 0)
        assert upkeep.take_disturbed()
        assert not upkeep.take_disturbed()
    upkeep = Upkeep(5, 0)
    upkeep.wrote([5, 6, 7], 0)
    assert not upkeep.take_disturbed()


def test_a_judge_writes_all_again_but_the_panes() -> None:
    keys = [
        judge_rows.StateKey("c"), judge_rows.BacklogKey(), HeartbeatKey(0, "c"), OutcomeKey(0, "c", 0, "", ""),
    ]  # fmt: skip
    assert all(judge_rows.is_lasting(encode(key)) for key in keys)
    assert not judge_rows.is_lasting(encode(judge_rows.PaneKey("c", "", "", 0, 10)))


async def test_of_rows_that_another_wrote_late_the_owners_come_last(broker: Broker, prefix: str) -> None:
    async with _owner(broker, prefix) as rows:
        await rows.write(0, {b"one": b"new"})
        await rows.write(0, {b"pane": b"new"})
        await rows.keep_up(0)
        assert await _changelog(broker, prefix) == [(b"one", b"new"), (b"pane", b"new")]
        await _write_late(broker, prefix, b"one", b"pane")
        await rows.write(0, {b"two": b"new"})
        await rows.keep_up(0, lambda key: key != b"pane")
        found = await _changelog(broker, prefix)
        assert dict(found) == {b"one": b"new", b"pane": b"old", b"two": b"new"}
        await rows.keep_up(0)
        assert await _changelog(broker, prefix) == found


async def test_an_owner_with_nothing_to_write_finds_it_by_a_probe_that_is_no_row(
    broker: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _owner(broker, prefix) as rows:
        await rows.write(0, {b"one": b"new"})
        await _write_late(broker, prefix, b"one")
        monkeypatch.setattr("streams.stages.upkeep.PROBED_AFTER_MS", 0)
        await rows.keep_up(0)
        assert dict(await _changelog(broker, prefix)) == {b"one": b"new", PROBE: b""}
    async with _owner(broker, prefix) as rows:
        assert rows.of(0) == {b"one": b"new"}


@asynccontextmanager
async def _owner(broker: Broker, prefix: str) -> AsyncIterator[Rows]:
    """Run an app whose rows are recovered, and yield them."""
    app, recovered = stage_app(prefix, broker, topic_partitions=1), asyncio.Event()
    rows = Rows(app, Sender(app), "state", partitions=1, prepare=_nothing, recovered=recovered.set)
    source = await create_topic(broker.bootstrap, f"{prefix}-{uuid4().hex}")

    @app.agent(chunk_topic(app, source))  # type: ignore[untyped-decorator]
    async def nothing(stream: Any) -> None:
        async for _ in stream.noack().events():
            pass

    async with running(app):
        await until(recovered.is_set, deadline_s=60, says="rows are recovered")
        yield rows


async def _nothing() -> None:
    pass


async def _write_late(broker: Broker, prefix: str, *keys: bytes) -> None:
    for key in keys:
        await produce(broker.bootstrap, f"{prefix}-state-changelog", [b"old"], key=key)


async def _changelog(broker: Broker, prefix: str) -> list[tuple[bytes | None, bytes | None]]:
    """Return all records of the changelog, oldest first."""
    place = TopicPartition(f"{prefix}-state-changelog", 0)
    reader = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    await reader.start()
    try:
        reader.assign([place])
        end = (await reader.end_offsets([place]))[place]
        found: list[tuple[bytes | None, bytes | None]] = []
        while await reader.position(place) < end:
            batch = await reader.getmany(timeout_ms=200)
            found += [(one.key, one.value) for one in batch.get(place, [])]
    finally:
        await reader.stop()
    return found
