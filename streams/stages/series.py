"""Series of panes, read again from their topic when Redis has lost them."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from streams.connections import aiokafka_options
from streams.projection import Projection
from streams.stages.fleet import Fleet
from streams.views import PANES_KEPT, TTL_S

_logger = logging.getLogger(__name__)

BATCH_ROWS = 500
AGAIN_S = 2.0
#: How far back to look in a store that has the series, for what a crash may have kept from it.
RECENT_MS = 3_600_000


def full_span_ms(pane_ms: int) -> int:
    """Return how long ago the oldest pane worth keeping was written, at one a pane length, or a little more.

    Examples
    --------
    >>> full_span_ms(10_000) / 3_600_000
    7.0
    """
    return min(PANES_KEPT * pane_ms + RECENT_MS, TTL_S * 1000)


class _Record(msgspec.Struct):
    model: str
    pane: msgspec.Raw


class _End(msgspec.Struct):
    end: datetime


class SeriesReader:
    """Fills series of panes from ``driftline.panes``, in the background, some hundred rows at a time.

    The store keeps the newest of what it is given, and one row of a pane.
    """

    def __init__(self, fleet: Fleet, projection: Projection) -> None:
        self._fleet = fleet
        self._projection = projection
        self._asked: dict[str, int] = {}
        self._wake = asyncio.Event()

    def ask(self, spans_ms: Mapping[str, int]) -> None:
        """Have the series of models filled with what was written in the last ``spans_ms``."""
        self._asked |= spans_ms
        if self._asked:
            self._wake.set()

    async def run(self) -> None:
        """Fill what is asked for, as long as the stage runs."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            asked, self._asked = self._asked, {}
            try:
                await self._read(asked)
            except (RedisError, KafkaError, OSError) as error:
                _logger.warning("the series of panes are not filled yet (%s); it is tried again", error)
                await asyncio.sleep(AGAIN_S)
                self.ask(asked)

    async def _read(self, spans_ms: Mapping[str, int]) -> None:
        consumer: Any = AIOKafkaConsumer(
            self._fleet.topics.panes.name,
            **aiokafka_options(self._fleet.brokers),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            await consumer.start()
            ends = await self._seek(consumer, max(spans_ms.values()))
            rows = 0
            while not await _is_past(consumer, ends):
                batches = await consumer.getmany(timeout_ms=500, max_records=BATCH_ROWS)
                rows += await self._fill(spans_ms, [one.value for batch in batches.values() for one in batch])
            _logger.info("%d panes of %d models were read again for Redis", rows, len(spans_ms))
        finally:
            await consumer.stop()

    async def _seek(self, consumer: Any, span_ms: int) -> dict[TopicPartition, int]:
        """Go back as far as is worth it, and return the offsets to read up to."""
        partitions = consumer.assignment()
        since_ms = time.time_ns() // 1_000_000 - span_ms
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
        for partition in partitions:
            at = found.get(partition)
            consumer.seek(partition, ends[partition] if at is None else at.offset)
        return ends

    async def _fill(self, models: Mapping[str, int], values: Iterable[bytes]) -> int:
        series: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for value in values:
            record = msgspec.json.decode(value, type=_Record)
            if record.model in models:
                series[record.model][bytes(record.pane).decode()] = _end_ms(record.pane)
        for model, rows in series.items():
            await self._projection.fill(f"model:{model}:panes", rows)
        return sum(map(len, series.values()))


def _end_ms(pane: msgspec.Raw) -> int:
    return round(msgspec.json.decode(pane, type=_End).end.timestamp() * 1000)


async def _is_past(consumer: Any, ends: Mapping[TopicPartition, int]) -> bool:
    return all([await consumer.position(partition) >= end for partition, end in ends.items()])
