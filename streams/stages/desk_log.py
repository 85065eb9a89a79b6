"""The desk's topic as its owner writes it: rows are confirmed, and known to be the owner's own.

`alerts.epoch` says how owners follow each other. Here is how one knows that it was not followed: offsets.
A topic with one writer grows without gaps, so an owner whose confirmed records follow the ones before
knows, without reading, that nobody claimed in between. At a gap it reads what is there.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition

from alerts import epoch as epochs
from alerts.epoch import Past
from streams.connections import Brokers, aiokafka_options
from streams.stages.sender import Sender
from streams.writes import Record

#: How long a broker may give nothing of what is known to be there.
READ_TIMEOUT_MS = 60_000


class SupersededError(RuntimeError):
    """Another worker owns the desk by now; this one ends, and joins anew."""


class DeskLog:
    """One owner's time on the desk's topic; a new one for each takeover. Not for concurrent use.

    Parameters
    ----------
    sure_for_s
        How long after a write was begun that proved ownership it counts as sure; below the group's session
        timeout, as no other worker gets the desk before a stalled one has been silent for that long.
    """

    def __init__(
        self,
        sender: Sender,
        brokers: Brokers | str,
        topic: str,
        *,
        sure_for_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.epoch = 0
        self._sender = sender
        self._brokers = brokers
        self._topic = topic
        self._sure_for_s = sure_for_s
        self._monotonic_s = monotonic_s
        self._next_offset = 0
        self._sure_until_s = 0.0
        self._keys: set[str] = set()

    def __len__(self) -> int:
        return len(self._keys)

    async def claim(self) -> Past:
        """Win an epoch, and return all that was written before."""
        past, bid = Past(), 1
        while True:
            begun_s = self._monotonic_s()
            offset, _ = await self._append(epochs.claim(bid, uuid4().hex))
            async for key, value in self._read(self._next_offset, offset):
                past.see(key, value)
            self._next_offset = offset
            if past.highest < bid:
                break
            bid = past.highest + 1
        self.epoch, self._next_offset = bid, offset + 1
        self._sure_until_s = begun_s + self._sure_for_s
        return past

    async def succeed(self, past: Past, state: Mapping[str, bytes]) -> None:
        """Write the whole state as this epoch's, then delete what it replaces."""
        for changes in past.succession(self.epoch, state):
            await self._write(changes)
        self._keys = set(state)

    async def write(self, changes: Mapping[str, bytes | None]) -> None:
        """Write rows (None deletes), and return when the broker has them and they are known to count.

        Raises
        ------
        SupersededError
            When somebody took over before: the rows have no effect.
        """
        await self._write(epochs.stamped(self.epoch, changes))
        self._keys |= changes.keys()
        self._keys -= {key for key, value in changes.items() if value is None}

    async def make_sure(self) -> None:
        """Return when it is known that the desk was ours a moment ago; asks the topic where it may not be.

        Raises
        ------
        SupersededError
            When somebody took over.
        """
        while self._monotonic_s() > self._sure_until_s:
            await self._write(epochs.still(self.epoch))

    async def _write(self, changes: Mapping[str, bytes | None]) -> None:
        if not changes:
            return
        begun_s = self._monotonic_s()
        first, last = await self._append(changes)
        if (first, last) != (self._next_offset, self._next_offset + len(changes) - 1):
            found = [epochs.epoch_of(key) async for key, _ in self._read(self._next_offset, last)]
            newest = max(found, default=0)
            if newest > self.epoch:
                raise SupersededError(
                    f"another worker owns the desk as epoch {newest}, this one was epoch {self.epoch}: "
                    "it ends so that its supervisor starts it again"
                )
        self._next_offset = last + 1
        self._sure_until_s = begun_s + self._sure_for_s

    async def _append(self, changes: Mapping[str, bytes | None]) -> tuple[int, int]:
        """Send records in order, and return the first and the last offset."""
        placed = await self._sender.send(
            Record(self._topic, 0, key.encode(), value) for key, value in changes.items()
        )
        offsets = [record.offset for record in placed]
        return min(offsets), max(offsets)

    async def _read(self, start: int, end: int) -> AsyncIterator[tuple[str, bytes | None]]:
        """Yield the records from one offset up to another, at which one is known to be."""
        if start >= end:
            return
        partition = TopicPartition(self._topic, 0)
        consumer = AIOKafkaConsumer(
            **aiokafka_options(self._brokers), enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            consumer.assign([partition])
            consumer.seek(partition, start)
            while await consumer.position(partition) < end:
                found = await consumer.getmany(partition, timeout_ms=READ_TIMEOUT_MS)
                if not found:
                    raise TimeoutError(
                        f"{self._topic} was not read to offset {end} within {READ_TIMEOUT_MS} ms; "
                        "check that the brokers answer"
                    )
                for record in found[partition]:
                    if record.offset < end:
                        yield _text(record.key), record.value
        finally:
            await consumer.stop()


def _text(key: bytes | None) -> str:
    return (key or b"").decode("utf-8", "replace")
