"""The commands topic as the desk's owner reads it: from where the state it took over says, one owner at a time.

It is no topic of the consumer group, which might give it to another worker than the alerts. How far it was read is a
row of the desk's own state, written after what the commands changed and after their answers.
"""

import asyncio
import logging
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from alerts.command import Command, parse
from streams.connections import Brokers, aiokafka_options
from streams.transport.fetch import FETCH_WAIT_MS

_logger = logging.getLogger(__name__)

#: How long after the topic could not be read it is tried again.
PAUSE_S = 5.0
#: Takes a command, when the broker had it (epoch ms), and the offset after it.
Take = Callable[[Command | None, int, int], None]


async def follow(brokers: Brokers | str, topic: str, start: int, take: Take) -> None:
    """Read commands from an offset on, until cancelled; None stands for one that cannot be read.

    An offset that is not there (any more) is no error: it is read from the beginning, and what was done is known.
    While the topic cannot be read, the desk goes on without commands.
    """
    position = start

    def took(command: Command | None, asked_at_ms: int, next_offset: int) -> None:
        nonlocal position
        position = next_offset
        take(command, asked_at_ms, next_offset)

    while True:
        try:
            await _follow(brokers, topic, position, took)
        except KafkaError as error:
            _logger.error(
                "%s cannot be read (%s): silences and acks wait, alerts go on", topic, type(error).__name__
            )
        await asyncio.sleep(PAUSE_S)


async def _follow(brokers: Brokers | str, topic: str, start: int, take: Take) -> None:
    place = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(
        **aiokafka_options(brokers), enable_auto_commit=False, auto_offset_reset="earliest",
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )  # fmt: skip
    try:
        await consumer.start()
        consumer.assign([place])
        # Of a topic made anew, not every broker says that an offset is beyond its end: it would be waited for.
        ends = await consumer.end_offsets([place])
        consumer.seek(place, start if start <= ends[place] else 0)
        async for record in consumer:
            take(_read(record.offset, record.value), record.timestamp, record.offset + 1)
            # Many may be there already: deliveries must not wait for all of them.
            await asyncio.sleep(0)
    finally:
        await consumer.stop()


def _read(offset: int, value: bytes | None) -> Command | None:
    try:
        return parse(value or b"")
    except ValidationError as error:
        reasons = "; ".join(one["msg"] for one in error.errors(include_input=False, include_url=False))
        _logger.error("command at offset %d cannot be read and is passed over: %s", offset, reasons)
        return None
