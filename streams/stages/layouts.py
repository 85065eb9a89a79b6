"""Layouts on their compacted topic: published by the judge, followed by every stage of every worker."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.connections import aiokafka_options
from streams.layout import Layout, fits, unmonitored_layout
from streams.stages.fleet import Fleet
from streams.writes import Record

Listener = Callable[[Layout, int], None]


class LayoutRecord(msgspec.Struct):
    """A layout and the start of the first pane it is for (epoch ms)."""

    from_ms: int
    layout: Layout


def layout_record(topic: str, from_ms: int, layout: Layout) -> Record:
    """Return the record that publishes a layout."""
    key = f"{layout.model}\xff{layout.hash}".encode()
    return Record(topic, 0, key, msgspec.json.encode(LayoutRecord(from_ms, layout)))


class LayoutFollower:
    """Knows every layout that is or was in force, and tells of new ones.

    Not part of the stage's consumer group: every worker reads the whole topic, which is small.
    """

    def __init__(self, fleet: Fleet, heard: Listener) -> None:
        self._fleet = fleet
        self._heard = heard
        self._known = {(name, one.layout.hash): one.layout for name, one in fleet.models.items()}
        self._consumer: Any = None
        self._catching_up = asyncio.Lock()
        self._started = asyncio.Event()

    def layout(self, model: str, layout_hash: str) -> Layout | None:
        """Return a layout by its hash, None if it is not known."""
        found = self._known.get((model, layout_hash))
        if found is None and model not in self._fleet.models:
            found = unmonitored_layout(model)
        return found if found is not None and found.hash == layout_hash else None

    async def catch_up(self) -> None:
        """Read what was published so far."""
        async with self._catching_up:
            await self._connect()
            partition = TopicPartition(self._fleet.topics.layouts.name, 0)
            end = (await self._consumer.end_offsets([partition]))[partition]
            while await self._consumer.position(partition) < end:
                await self._read(timeout_ms=1_000)
        self._started.set()

    async def _connect(self) -> None:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                **aiokafka_options(self._fleet.brokers),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
            )
            await self._consumer.start()
            self._consumer.assign([TopicPartition(self._fleet.topics.layouts.name, 0)])
            await self._consumer.seek_to_beginning()

    async def follow(self) -> None:
        """Read on, as long as the stage runs."""
        await self._started.wait()
        while True:
            await self._read(timeout_ms=1_000)

    async def stop(self) -> None:
        """Close the connection."""
        if self._consumer is not None:
            await self._consumer.stop()

    def take(self, value: bytes) -> None:
        """Take a record of the topic."""
        found = msgspec.json.decode(value, type=LayoutRecord)
        model = found.layout.model
        watched = self._fleet.models.get(model)
        # One of the monitor as it was before has other columns; a reference file brings its own.
        if watched and watched.reference is None and fits(watched.monitor, found.layout):
            self._known[(model, found.layout.hash)] = found.layout
            self._heard(found.layout, found.from_ms)

    async def _read(self, timeout_ms: int) -> None:
        for records in (await self._consumer.getmany(timeout_ms=timeout_ms)).values():
            for record in records:
                self.take(record.value)
