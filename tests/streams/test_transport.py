"""The chunk transport on a real broker: order, bounds, exact commits, rebalances, backpressure, crashes."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from brokers import Broker
from clients import committed, create_topic, produce, running, stage_app, until
from faust.exceptions import ImproperlyConfigured
from faust.types.tuples import TP

from driftline.embedded import free_port
from streams.stages.rows import Rows
from streams.stages.sender import Sender
from streams.transport import Chunk, ChunkSchema, Receipt, chunk_topic
from streams.transport.driver import chunk_schemas
from streams.transport.engine import commit_now, listen, run


class Collector:
    """An agent that keeps the chunks it gets, and acknowledges them at once if told to."""

    def __init__(self, app: Any, topic: Any, *, ack: bool = False, seconds_per_chunk: float = 0.0) -> None:
        self.chunks: list[Chunk] = []
        self.receipts: list[Receipt] = []
        self.gate = asyncio.Event()
        self.gate.set()

        async def collect(stream: Any) -> None:
            async for event in stream.noack().events():
                await self.gate.wait()
                self.chunks.append(event.value)
                self.receipts.append(Receipt(event))
                if ack:
                    self.receipts[-1].ack()
                await asyncio.sleep(seconds_per_chunk)

        app.agent(topic)(collect)

    @property
    def rows(self) -> int:
        return sum(map(len, self.chunks))

    def values(self, partition: int = 0) -> list[bytes | None]:
        return [value for chunk in self.chunks if chunk.partition == partition for value in chunk.values]


def numbered(count: int, *, size: int = 8, start: int = 0) -> list[bytes]:
    return [b"%0*d" % (size, number) for number in range(start, start + count)]


async def test_chunks_keep_order_and_bounds_and_plain_topics_stay_plain(broker: Broker, prefix: str) -> None:
    app = stage_app(prefix, broker)
    small = await create_topic(broker.bootstrap, f"{prefix}-small", partitions=2)
    large = await create_topic(broker.bootstrap, f"{prefix}-large")
    plain = await create_topic(broker.bootstrap, f"{prefix}-plain")
    await produce(broker.bootstrap, small, numbered(950), partition=0, key=b"k")
    await produce(broker.bootstrap, small, numbered(350), partition=1)
    await produce(broker.bootstrap, large, numbered(90, size=1000))
    await produce(broker.bootstrap, plain, numbered(20), key=b"k")
    collector = Collector(app, chunk_topic(app, small, max_rows=100))
    by_size: list[Chunk] = []
    singles: list[tuple[bytes, bytes, int]] = []

    async def collect_large(stream: Any) -> None:
        async for event in stream.noack().events():
            by_size.append(event.value)

    async def collect_plain(stream: Any) -> None:
        async for event in stream.events():
            singles.append((event.key, event.value, event.message.offset))

    app.agent(chunk_topic(app, large, max_bytes=10_000))(collect_large)
    app.agent(app.topic(plain, key_serializer="raw", value_serializer="raw"))(collect_plain)

    async with running(app):
        await until(lambda: collector.rows == 1300 and sum(map(len, by_size)) == 90 and len(singles) == 20)

    assert collector.values(0) == numbered(950)
    assert collector.values(1) == numbered(350)
    for partition, rows in ((0, 950), (1, 350)):
        of_partition = [chunk for chunk in collector.chunks if chunk.partition == partition]
        assert [offset for chunk in of_partition for offset in chunk.offsets] == list(range(rows))
    assert max(map(len, collector.chunks)) == 100
    first = collector.chunks[0]
    assert first.topic == small
    assert len(first.keys) == len(first.values) == len(first.timestamps_ms) == len(first)
    assert {key for chunk in collector.chunks if chunk.partition == 0 for key in chunk.keys} == {b"k"}
    assert all(at > 1_600_000_000_000 for at in first.timestamps_ms)
    assert max(map(len, by_size)) == 10
    assert singles == [(b"k", value, offset) for offset, value in enumerate(numbered(20))]
    assert await committed(broker.bootstrap, prefix, plain) == 20


async def test_the_commit_follows_the_acknowledged_head_and_a_restart_resumes_there(
    broker: Broker, prefix: str
) -> None:
    topic = await create_topic(broker.bootstrap, f"{prefix}-t")
    await produce(broker.bootstrap, topic, numbered(70))
    app = stage_app(prefix, broker, broker_commit_interval=3600.0)
    collector = Collector(app, chunk_topic(app, topic, max_rows=10, maxsize=20))

    async def committed_after(*acknowledged: int) -> int | None:
        for number in acknowledged:
            collector.receipts[number].ack()
        await commit_now(app)
        return await committed(broker.bootstrap, prefix, topic)

    async with running(app):
        await until(lambda: collector.rows == 70)
        assert [chunk.last_offset for chunk in collector.chunks] == [9, 19, 29, 39, 49, 59, 69]
        assert await committed_after() is None
        assert await committed_after(1) is None
        assert await committed_after(0) == 20
        assert await committed_after(4, 3) == 20
        assert await committed_after(1, 0) == 20
        assert await committed_after(2) == 50
        collector.receipts[6].ack()
    assert await committed(broker.bootstrap, prefix, topic) == 50

    await produce(broker.bootstrap, topic, numbered(5, start=70))
    again = stage_app(prefix, broker)
    rest = Collector(again, chunk_topic(again, topic, max_rows=7), ack=True)
    async with running(again):
        await until(lambda: rest.rows >= 25)
    assert rest.values() == numbered(25, start=50)
    assert await committed(broker.bootstrap, prefix, topic) == 75


class Ownership:
    """A listener that writes down what it hears, and acknowledges what the worker has when it is revoked."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.heard: list[tuple[str, frozenset[int], int]] = []
        self.owned: frozenset[int] = frozenset()

    def _hear(self, what: str, partitions: frozenset[Any]) -> frozenset[int]:
        numbers = frozenset(tp.partition for tp in partitions)
        self.heard.append((what, numbers, self.collector.rows))
        return numbers

    async def assigned(self, partitions: frozenset[Any]) -> None:
        self.owned = self._hear("assigned", partitions)

    async def revoking(self, partitions: frozenset[Any]) -> None:
        self._hear("revoking", partitions)
        for receipt in self.collector.receipts:
            receipt.ack()

    async def revoked(self, partitions: frozenset[Any]) -> None:
        self._hear("revoked", partitions)
        self.owned = frozenset()


async def test_clean_rebalances_lose_nothing_and_repeat_nothing(broker: Broker, prefix: str) -> None:
    partitions = range(4)
    topic = await create_topic(broker.bootstrap, f"{prefix}-t", partitions=len(partitions))
    apps = [stage_app(prefix, broker) for _ in range(2)]
    workers = [Collector(app, chunk_topic(app, topic, max_rows=50)) for app in apps]
    listeners = [Ownership(worker) for worker in workers]
    for app, listener in zip(apps, listeners, strict=True):
        listen(app, listener)
    enough = asyncio.Event()
    produced = 0

    async def trickle() -> None:
        nonlocal produced
        while not enough.is_set():
            for partition in partitions:
                await produce(broker.bootstrap, topic, numbered(120, start=produced), partition=partition)
            produced += 120

    async with running(apps[0]):
        producing = asyncio.create_task(trickle())
        await until(lambda: workers[0].rows > 1000)
        async with running(apps[1]):
            await until(lambda: len(listeners[0].owned) == len(listeners[1].owned) == 2)
            await until(lambda: workers[1].rows > 1000)
        await until(lambda: len(listeners[0].owned) == 4)
        enough.set()
        await producing
        await until(lambda: sum(worker.rows for worker in workers) >= 4 * produced)

    seen = defaultdict(list)
    for chunk in workers[0].chunks + workers[1].chunks:
        seen[chunk.partition].extend(chunk.offsets)
    assert {partition: sorted(offsets) for partition, offsets in seen.items()} == {
        partition: list(range(produced)) for partition in partitions
    }
    for partition in partitions:
        assert await committed(broker.bootstrap, prefix, topic, partition) == produced
    everything = frozenset(partitions)
    assert [heard[:2] for heard in listeners[0].heard[:3]] == [
        ("assigned", everything), ("revoking", everything), ("revoked", everything),
    ]  # fmt: skip
    rows_when_heard = [rows for _, _, rows in listeners[0].heard]
    assert rows_when_heard[0] == listeners[1].heard[0][2] == 0, "assigned comes before any event"
    assert len(set(rows_when_heard[1:4])) == 1, "nothing is delivered between revoking and assigned"


async def test_what_comes_after_a_rebalance_is_delivered_by_a_fetch_that_waited_since_before_it(
    broker: Broker, prefix: str
) -> None:
    topic = await create_topic(broker.bootstrap, f"{prefix}-t")
    app = stage_app(prefix, broker)
    collector = Collector(app, chunk_topic(app, topic))
    async with running(app):
        for count in range(1, 4):
            app.on_rebalance_start()
            app.on_rebalance_end()
            await produce(broker.bootstrap, topic, numbered(1, start=count))
            await until(lambda: collector.rows == count)  # noqa: B023


async def test_who_gets_a_partition_back_does_not_know_of_answers_from_before(
    broker: Broker, prefix: str
) -> None:
    topic = await create_topic(broker.bootstrap, f"{prefix}-t")
    app = stage_app(prefix, broker)
    collector = Collector(app, chunk_topic(app, topic))
    known: list[int | None] = []

    class Answers(Ownership):
        async def assigned(self, partitions: frozenset[Any]) -> None:
            known.extend(app.consumer.answered_ms(tp) for tp in partitions)

    listen(app, Answers(collector))
    async with running(app):
        ours = TP(topic, 0)
        await until(lambda: known and app.consumer.answered_ms(ours) is not None)
        long_ago_ms = app.consumer._thread._answered_ms[ours] = 1
        await app.consumer.on_partitions_assigned({ours}, app.consumer_generation_id)
    assert len(known) == 2
    assert long_ago_ms not in known


@pytest.mark.parametrize("partitions", [1, 2], ids=["nothing else to fetch", "waiting for another partition"])
async def test_a_stalled_agent_bounds_what_is_fetched_and_goes_on_without_a_pause(
    broker: Broker, prefix: str, partitions: int
) -> None:
    topic = await create_topic(broker.bootstrap, f"{prefix}-t", partitions=partitions)
    await produce(broker.bootstrap, topic, numbered(1500))
    app = stage_app(prefix, broker)
    collector = Collector(
        app, chunk_topic(app, topic, max_rows=10, maxsize=8), ack=True, seconds_per_chunk=0.001
    )
    collector.gate.clear()
    async with running(app):
        await until(lambda: any(queue.qsize() >= 6 for queue in app.flow_control._queues))
        for _ in range(50):
            await asyncio.sleep(0.01)
            assert sum(map(len, app.consumer._delivered.values())) <= 10
        clock = asyncio.get_running_loop().time
        start = clock()
        collector.gate.set()
        await until(lambda: collector.rows == 1500)
        # 150 chunks fill a queue of 8 about thirty times: pauses of a second would show.
        assert clock() - start < 5.0
    assert collector.values() == numbered(1500)


async def test_an_exception_in_an_agent_ends_the_app_with_it(broker: Broker, prefix: str) -> None:
    topic = await create_topic(broker.bootstrap, f"{prefix}-t")
    await produce(broker.bootstrap, topic, numbered(30))
    app = stage_app(prefix, broker)

    async def fail(stream: Any) -> None:
        async for event in stream.noack().events():
            if event.value.first_offset == 10:
                raise ZeroDivisionError("the second chunk")
            event.ack()

    app.agent(chunk_topic(app, topic, max_rows=10))(fail)

    with pytest.raises(ZeroDivisionError, match="the second chunk"):
        await asyncio.wait_for(run(app, asyncio.Event()), 20.0)
    assert await committed(broker.bootstrap, prefix, topic) == 10


async def test_what_a_listener_raises_ends_the_app(broker: Broker, prefix: str) -> None:
    topic = await create_topic(broker.bootstrap, f"{prefix}-t")
    app = stage_app(prefix, broker)
    collector = Collector(app, chunk_topic(app, topic))

    class Unwilling(Ownership):
        async def assigned(self, partitions: frozenset[Any]) -> None:
            raise PermissionError("not mine")

    listen(app, Unwilling(collector))
    with pytest.raises(PermissionError, match="not mine"):
        await asyncio.wait_for(run(app, asyncio.Event()), 20.0)


@pytest.mark.parametrize("rebalancing", [False, True])
async def test_an_app_that_is_to_stop_lets_its_round_end_and_begins_none(
    broker: Broker, prefix: str, rebalancing: bool
) -> None:
    app = stage_app(prefix, broker)
    name = await create_topic(broker.bootstrap, f"{prefix}-topic")
    Collector(app, chunk_topic(app, name))
    sender, stop = Sender(app), asyncio.Event()
    begun, sent = 0, 0

    async def write() -> None:
        nonlocal begun, sent
        begun += 1
        app.rebalancing = rebalancing
        stop.set()
        for value in numbered(200):
            await sender.send([(name, 0, b"k", value, ())])
            sent += 1

    app.every(0.01, write)
    await run(app, stop)
    assert (begun, sent) == (1, 200)


async def test_of_a_partition_that_is_not_ours_no_end_is_known(broker: Broker, prefix: str) -> None:
    app = stage_app(prefix, broker)
    ours, theirs = [await create_topic(broker.bootstrap, f"{prefix}-{name}") for name in ("ours", "theirs")]
    collector = Collector(app, chunk_topic(app, ours))
    await produce(broker.bootstrap, ours, [b"one"])
    async with running(app):
        await until(lambda: collector.rows == 1, deadline_s=60)
        assert app.consumer.highwater(TP(ours, 0)) == 1
        assert app.consumer.highwater(TP(theirs, 0)) is None


async def test_an_app_without_a_broker_ends_at_once() -> None:
    app = stage_app("nobody", Broker("kafka", f"127.0.0.1:{free_port()}"))
    with pytest.raises(KafkaConnectionError):
        await asyncio.wait_for(run(app, asyncio.Event()), 10.0)


async def _nothing() -> None:
    """Nothing is to be done after a recovery."""


async def test_a_table_recovers_and_no_chunk_is_lost_meanwhile(broker: Broker, prefix: str) -> None:
    topic = await create_topic(broker.bootstrap, f"{prefix}-t")
    for number in range(2):
        await produce(broker.bootstrap, topic, numbered(300, start=300 * number))
        app = stage_app(prefix, broker)
        rows = Rows(app, Sender(app), "rows", partitions=1, prepare=_nothing, recovered=lambda: None)
        counted: list[int] = []

        async def count(stream: Any, rows: Rows = rows, counted: list[int] = counted) -> None:
            async for event in stream.noack().events():
                total = int(rows.of(0).get(b"all", b"0")) + len(event.value)
                await rows.write(0, {b"all": b"%d" % total})
                counted.append(total)
                event.ack()

        app.agent(chunk_topic(app, topic, max_rows=50))(count)
        async with running(app):
            await until(lambda: counted[-1:] == [300 * (number + 1)])  # noqa: B023
        assert counted[0] == 300 * number + 50


async def test_holes_in_the_offsets_do_not_hold_up_the_commit(broker: Broker, prefix: str) -> None:
    if broker.kind != "kafka":
        pytest.skip("the embedded broker has no transactions")
    topic = await create_topic(broker.bootstrap, f"{prefix}-t")
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=prefix)
    await producer.start()
    try:
        for start in range(0, 30, 3):
            async with producer.transaction():
                for value in numbered(3, start=start):
                    await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()
    app = stage_app(prefix, broker)
    collector = Collector(app, chunk_topic(app, topic, max_rows=5), ack=True)
    async with running(app):
        await until(lambda: collector.rows == 30)
        await commit_now(app)
        assert await committed(broker.bootstrap, prefix, topic) == 39
    assert collector.values() == numbered(30)
    offsets = [offset for chunk in collector.chunks for offset in chunk.offsets]
    assert offsets == [offset for offset in range(39) if offset % 4 != 3]


def test_a_topic_comes_in_chunks_or_does_not() -> None:
    app = stage_app("both", Broker("kafka", "127.0.0.1:1"))
    app.topics.add(chunk_topic(app, "events"))
    app.topics.add(app.topic("others"))
    assert list(chunk_schemas(app)) == ["events"]
    app.topics.add(app.topic("events"))
    with pytest.raises(ImproperlyConfigured, match="'events'"):
        chunk_schemas(app)


def test_a_chunk_holds_at_least_one_record() -> None:
    with pytest.raises(ValueError, match="max_rows=0"):
        ChunkSchema(max_rows=0)
