"""The transport and its consumer: Faust's aiokafka driver, taught to count in chunks.

Each override names the stock behaviour it steps around; `streams.transport.fetch` does the fetching.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any, Protocol

from faust.exceptions import ImproperlyConfigured
from faust.transport.drivers import aiokafka
from faust.types.tuples import TP, ConsumerMessage
from mode.utils.futures import notify

from streams.transport.chunk import Chunk, ChunkSchema
from streams.transport.fetch import ChunkConsumerThread


class PartitionListener(Protocol):
    """Is told which partitions this worker owns. Kafka revokes all of them at each rebalance.

    An exception in any of these ends the app.
    """

    async def assigned(self, partitions: frozenset[TP]) -> None:
        """Take note of all partitions owned from now on; none of their events has been delivered yet."""

    async def revoking(self, partitions: frozenset[TP]) -> None:
        """Flush and acknowledge: nothing more is delivered, and what is acknowledged now is committed."""

    async def revoked(self, partitions: frozenset[TP]) -> None:
        """Drop the partitions' state: the commit is done, another worker may own them in a moment."""


class Consumer(aiokafka.Consumer):  # type: ignore[misc]  # faust is untyped here
    """Delivers chunks for chunk topics, and commits what was acknowledged of them without a gap."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.chunk_schemas: Mapping[str, ChunkSchema] = {}
        self._delivered: defaultdict[TP, deque[Any]] = defaultdict(deque)
        self._room = asyncio.Event()
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def close_unstarted_thread(self) -> None:
        """Close the thread's event loop, which only a thread that has run closes itself."""
        if not self._thread._thread_started.is_set():
            self._thread.thread_loop.close()

    # Fetching.

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[Any]]:
        records: dict[TP, list[Any]] = await super()._getmany(active_partitions, timeout)
        if self._thread.taken_at == self.app.rebalancing_count:
            return records
        # A chunk of the last assignment is fetched again under the new one; delivering it as well would
        # move the read offset beyond what has to be read. What a wait that began before a rebalance takes
        # after it is new, and would not come again.
        return {tp: some for tp, some in records.items() if tp.topic not in self.chunk_schemas}

    def _to_message(self, tp: TP, record: Any) -> Any:
        if not isinstance(record, Chunk):
            return super()._to_message(tp, record)
        message = ConsumerMessage(
            record.topic, record.partition, record.last_offset, record.timestamps_ms[-1] / 1000.0, 0,
            None, None, record, None, 0, 0, tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip
        self._delivered[tp].append(message)
        return message

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        active = self._get_active_partitions()
        if self.flow_active and not self.app.client_only and not active:
            # The stock consumer sleeps a second here, however soon a stream has room again.
            self._room.clear()
            await self.wait_first(self._room.wait(), timeout=timeout)
            return {}, active
        return await super()._wait_next_records(timeout)  # type: ignore[no-any-return]

    def _make_room(self) -> None:
        self._room.set()
        self._thread.wake()

    def on_buffer_drop(self, tp: TP) -> None:
        """Fetch from the partition again, at once: its stream has room."""
        super().on_buffer_drop(tp)
        self._make_room()

    def resume_partitions(self, tps: Any) -> None:
        """Fetch from the partitions again, at once."""
        super().resume_partitions(tps)
        self._make_room()

    def highwater(self, tp: TP) -> int | None:
        """Return the offset the next record gets; None where it is not known, or the partition is not ours."""
        try:
            found: int | None = super().highwater(tp)
        except AssertionError:
            # It was taken away just now, and nobody has been told yet: aiokafka asserts that it is assigned.
            return None
        return found

    def answered_ms(self, tp: TP) -> int | None:
        """Return when the last request for a chunk partition left that the broker answered, by a steady clock."""
        return self._thread.answered_ms(tp)  # type: ignore[no-any-return]

    # Acknowledging and committing.

    def ack(self, message: Any) -> bool:
        """Mark a message as done; a chunk's records are let go."""
        if message.topic not in self.chunk_schemas:
            return bool(super().ack(message))
        # A stream that skips an event of an earlier assignment acknowledges it, though nobody saw it.
        if message.acked or not message.tracked:
            return False
        message.acked = True
        message.value = None
        self._acked[message.tp]  # a partition without an entry is not looked at by `commit`
        self._unacked_messages.discard(message)
        self._n_acked += 1
        notify(self._waiting_for_ack)
        return True

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic not in self.chunk_schemas:
            offset: int | None = super()._new_offset(tp)
            return offset
        delivered = self._delivered[tp]
        next_offset = None
        while delivered and delivered[0].acked:
            next_offset = delivered.popleft().offset + 1
        return next_offset

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        # Between the last records of two chunks there is always a gap; the stock rule would commit past it.
        if tp.topic not in self.chunk_schemas:
            await super()._add_gap(tp, offset_from, offset_to)

    async def commit_now(self) -> None:
        """Commit what has been acknowledged, also what a commit under way may have missed."""
        while self._commit_fut is not None:
            await self.maybe_wait_for_commit_to_finish()
        await self.commit()

    async def perform_seek(self) -> None:
        """Go back to the committed offsets: what was delivered beyond them comes again."""
        self._delivered.clear()
        await super().perform_seek()

    # Rebalancing.

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Tell the listeners, then let the app recover and resume."""
        self._thread.forget_answers()
        self.chunk_schemas = chunk_schemas(self.app)
        if not self.app.should_stop:
            await self._tell("assigned", assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Flush, commit and forget, in this order; the stock consumer forgets the acks first."""
        # In an app that stops the producer may be gone; it has let go before, or had nothing yet.
        if revoked and not self.app.should_stop:
            await self.let_go(revoked)
            await self._tell("revoked", revoked)
        for tp in revoked:
            self._delivered.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    async def let_go(self, partitions: set[TP]) -> None:
        """Stop deliveries, have the listeners flush, and commit what is acknowledged."""
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        await self._tell("revoking", partitions)
        await self.commit_now()

    async def _tell(self, what: str, partitions: set[TP]) -> None:
        try:
            for listener in self.transport.listeners:
                await getattr(listener, what)(frozenset(partitions))
        except Exception as error:
            # aiokafka only logs what a rebalance callback raises.
            await self.crash(error)
            raise


class Transport(aiokafka.Transport):  # type: ignore[misc]  # faust is untyped here
    """What ``chunks://`` stands for."""

    Consumer = Consumer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.listeners: list[PartitionListener] = []

    async def _really_create_topic(
        self, owner: Any, client: Any, topic: str, *args: Any, **options: Any
    ) -> None:
        # The stock transport asks for a topic that it has not heard of yet; who may not create topics is
        # refused then, though the topic is there.
        known = await client.fetch_all_metadata()
        if topic not in known.topics(exclude_internal_topics=False):
            await super()._really_create_topic(owner, client, topic, *args, **options)


def chunk_schemas(app: Any) -> dict[str, ChunkSchema]:
    """Return the chunk topics of an app with their schemas, from how its topics were declared.

    Raises
    ------
    ImproperlyConfigured
        When a topic is declared both ways: the consumer can deliver it only one way.
    """
    schemas: dict[str, ChunkSchema] = {}
    plain: set[str] = set()
    for topic in app.topics:
        if isinstance(topic.schema, ChunkSchema):
            schemas.update(dict.fromkeys(topic.topics, topic.schema))
        else:
            plain.update(topic.topics)
    if both := sorted(plain & schemas.keys()):
        raise ImproperlyConfigured(
            f"topic {both[0]!r} is declared with and without ChunkSchema: use one of them"
        )
    return schemas
