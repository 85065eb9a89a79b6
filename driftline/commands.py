"""Asking the desk to do something, and waiting until it has: what the web face and the command line do alike.

The command goes to ``driftline.commands``; its answer is a row on ``driftline.desk``, which is read from before the
command was sent.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from alerts.answer import Answer
from alerts.command import STALE_MS, Command
from alerts.epoch import epoch_of
from driftline.errors import DriftlineError
from streams.connections import Brokers, TokenError, aiokafka_options
from streams.topics import Topics

#: How long a caller waits for the desk; a takeover may take as long as a session times out.
TIMEOUT_S = 15.0


class NotTaken(DriftlineError):
    """No desk took the command in time, or no broker was there to bring it."""


def new_id() -> str:
    """Return an id for a command: a random UUID, which becomes a new silence's."""
    return str(uuid4())


@dataclass(frozen=True, slots=True)
class Door:
    """The way to a fleet's desk."""

    brokers: Brokers | str
    topics: Topics

    async def ask(self, command: Command) -> Answer:
        """Send a command, and return the desk's answer; raises `NotTaken`."""
        return await ask(self.brokers, self.topics, command)

    async def ask_all(self, commands: Sequence[Command]) -> list[Answer]:
        """Send commands, and return the desk's answers, in their order; raises `NotTaken` if one has none."""
        return await ask_all(self.brokers, self.topics, commands)


async def ask(
    brokers: Brokers | str, topics: Topics, command: Command, *, timeout_s: float = TIMEOUT_S
) -> Answer:
    """Send a command, and return the desk's answer once it is written.

    Raises
    ------
    NotTaken
        When there is no answer in time, or no broker.
    """
    (answer,) = await ask_all(brokers, topics, [command], timeout_s=timeout_s)
    return answer


async def ask_all(
    brokers: Brokers | str, topics: Topics, commands: Sequence[Command], *, timeout_s: float = TIMEOUT_S
) -> list[Answer]:
    """Send commands, in order, and return the desk's answers once all are written.

    Raises
    ------
    NotTaken
        When one has no answer in time, or there is no broker; the desk may have taken some.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _ask(brokers, topics, commands)
    except TimeoutError as error:
        raise NotTaken(
            f"no desk has taken the command within {timeout_s:g} s; check that a worker runs the stage desk "
            f"(driftline worker --stage desk). One that comes within {STALE_MS // 60_000} minutes may still "
            "carry it out: see `driftline silence list` before you repeat it"
        ) from error
    except (KafkaError, TokenError, OSError) as error:
        raise NotTaken(
            f"the broker at {brokers} does not take the command ({type(error).__name__}); check "
            "DRIFTLINE_KAFKA, and that it runs"
        ) from error


async def _ask(brokers: Brokers | str, topics: Topics, commands: Sequence[Command]) -> list[Answer]:
    async with _answers(brokers, topics.desk.name) as answers, _sending(brokers) as producer:
        for command in commands:
            value = command.model_dump_json().encode()
            await producer.send_and_wait(topics.commands.name, value, key=command.id.encode(), partition=0)
        newest, found = 0, dict[str, Answer]()
        wanted = {f"answer/{command.id}": command.id for command in commands}
        async for record in answers:
            key = (record.key or b"").decode("utf-8", "replace")
            newest = max(newest, epoch_of(key))
            # What an owner writes after it was followed has no effect.
            epoch, _, name = key.partition("/")
            if epoch == str(newest) and name in wanted and record.value is not None:
                found[wanted[name]] = Answer.model_validate_json(record.value)
            if len(found) == len(wanted):
                return [found[command.id] for command in commands]
    raise AssertionError("a consumer of aiokafka has no end")


@asynccontextmanager
async def _answers(brokers: Brokers | str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **aiokafka_options(brokers),
        enable_auto_commit=False,
        auto_offset_reset="latest",
        fetch_max_wait_ms=100,
    )
    try:
        await consumer.start()
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        ends = await consumer.end_offsets([place])
        consumer.seek(place, ends[place])
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def _sending(brokers: Brokers | str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(**aiokafka_options(brokers), acks="all")
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()
