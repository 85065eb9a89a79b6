"""The consumer's thread: takes chunks straight off what aiokafka has fetched.

aiokafka builds a `ConsumerRecord` for each record, which costs more than all the rest of fetching. Its
partition records do so through one method; where the topic comes in chunks, that is replaced by one
that hands the raw record on. Transactions, control records and positions stay aiokafka's business.
"""

import asyncio
from time import monotonic, monotonic_ns
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.transport.chunk import Chunk, ChunkSchema

#: How long a broker with nothing new holds a fetch. Faust asks for 1.5 s, and the embedded broker, which
#: looks for new records only now and then meanwhile, would make each of them wait for half of that.
FETCH_WAIT_MS = 100


def _raw_record(_partition: Any, record: Any) -> Any:
    return record


def take(result: Any, partition: Any, schema: ChunkSchema) -> Chunk | None:
    """Take the next chunk off a fetch result, within the schema's bounds; None when nothing is left."""
    if not result.check_assignment(partition) or not result.has_more():
        return None
    records = result._partition_records
    records._consumer_record = _raw_record
    offsets: list[int] = []
    timestamps_ms: list[int] = []
    keys: list[bytes | None] = []
    values: list[bytes | None] = []
    max_rows, room_bytes = schema.max_rows, schema.max_bytes
    for record in records._records_iterator:
        value = record.value
        offsets.append(record.offset)
        timestamps_ms.append(record.timestamp)
        keys.append(record.key)
        values.append(value)
        if value is not None:
            room_bytes -= len(value)
        if room_bytes <= 0 or len(values) >= max_rows:
            result._update_position()
            break
    else:
        result._update_position()
        result._partition_records = None
    return (
        Chunk(partition.topic, partition.partition, offsets, timestamps_ms, keys, values) if offsets else None
    )


class ChunkConsumerThread(AIOKafkaConsumerThread):  # type: ignore[misc]  # faust is untyped here
    """Fetches chunks for chunk topics and stock records for the others."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: The app's count of rebalances as the last chunks were taken: of an earlier assignment, if it is lower.
        self.taken_at = 0
        self._answered_ms: dict[TopicPartition, int] = {}
        self._watched: Any = None

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    def answered_ms(self, partition: Any) -> int | None:
        """Return when the last request for a partition left that was answered since it came to us, or None.

        Parameters
        ----------
        partition
            Of a chunk topic. The time is of a clock that is never set, in milliseconds.
        """
        return self._answered_ms.get(partition)

    def forget_answers(self) -> None:
        """Forget when partitions were answered for: others may have read them in the meantime."""
        self._answered_ms.clear()

    def _watch_answers(self, fetcher: Any) -> None:
        """Have the fetcher write down which requests were answered; aiokafka tells only the wall clock's time."""
        if self._watched is fetcher:
            return
        self._watched = fetcher
        real = fetcher._proc_fetch_request

        async def process(assignment: Any, node_id: int, request: Any) -> bool:
            left_ms = monotonic_ns() // 1_000_000
            asked = [TopicPartition(topic, one[0]) for topic, parts in request.topics for one in parts]
            states = {tp: assignment.state_value(tp) for tp in asked}
            before = {tp: state and state.timestamp for tp, state in states.items()}
            found: bool = await real(assignment, node_id, request)
            for tp, state in states.items():
                if state is not None and state.timestamp != before[tp]:
                    self._answered_ms[tp] = left_ms
            return found

        fetcher._proc_fetch_request = process

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Say nothing of partitions whose commits are long ago.

        The stock thread then tells of an error as soon as the first event comes after a lull, or while one write
        takes long. Whether a stage stands still is what `streams.stages.pulse` knows, by its lag and its
        progress: it says so, and ends the stage.
        """

    def wake(self) -> None:
        """Let a fetch that waits for data look again: a partition has room for more."""
        if self._consumer is not None and not self.thread_loop.is_closed():
            self.thread_loop.call_soon_threadsafe(self._notify_waiters)

    def _notify_waiters(self) -> None:
        fetcher = self._ensure_consumer()._fetcher
        for waiter in tuple(fetcher._fetch_waiters):
            fetcher._notify(waiter)

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[Any] | None,
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> dict[Any, list[Any]]:
        if active_partitions is None:
            records: dict[Any, list[Any]] = await super()._fetch_records(consumer, None, timeout, max_records)
            return records
        fetcher = consumer._fetcher
        self._watch_answers(fetcher)
        deadline = monotonic() + (timeout or 0.0)
        with fetcher._subscriptions.fetch_context():
            while self.consumer.flow_active and not fetcher._subscriptions.reassignment_in_progress:
                if consumer._closed or fetcher._closed:
                    raise ConsumerStoppedError
                records = await self._take_all(fetcher, active_partitions.copy(), max_records)
                left_s = deadline - monotonic()
                if records or left_s <= 0:
                    return records
                await _wait_for_data(fetcher, left_s)
        return {}

    async def _take_all(
        self, fetcher: Any, active: set[Any], max_records: int | None
    ) -> dict[Any, list[Any]]:
        schemas = self.consumer.chunk_schemas
        taken: dict[Any, list[Any]] = {}
        self.taken_at = self.app.rebalancing_count
        # A chunk fetched before recovery has sought and cleared the queues would be lost until restart.
        if not self.app.rebalancing:
            for partition in [tp for tp in fetcher._records if tp.topic in schemas and tp in active]:
                chunk = await self._take_one(fetcher, partition, schemas[partition.topic])
                if chunk is not None:
                    taken[partition] = [chunk]
        plain = {tp for tp in active if tp.topic not in schemas}
        if plain:
            taken.update(await fetcher.fetched_records(plain, timeout=0, max_records=max_records))
        return taken

    async def _take_one(self, fetcher: Any, partition: Any, schema: ChunkSchema) -> Chunk | None:
        result = fetcher._records[partition]
        if type(result) is not FetchResult:
            await fetcher.fetched_records({partition}, timeout=0)  # raises the error it holds
            return None
        chunk = take(result, partition, schema)
        if not result.has_more():
            del fetcher._records[partition]
            fetcher._notify(fetcher._wait_consume_future)
        return chunk


async def _wait_for_data(fetcher: Any, timeout_s: float) -> None:
    waiter = fetcher._create_fetch_waiter()
    done, _ = await asyncio.wait([waiter], timeout=timeout_s)
    if done:
        waiter.result()  # authorisation errors come this way
    else:
        waiter.cancel()
