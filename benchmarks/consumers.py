"""Driftline's own consumers, and those it is built on: aiokafka and stock Faust."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import aiokafka
import faust
import numpy as np
import workload
from meter import Job, Meter, job_from_arguments
from prometheus_client import CollectorRegistry

from streams.metrics import Metrics
from streams.profiler import Profiler
from streams.stages.fleet import Fleet, Watched
from streams.stages.profile_stage import ProfileStage
from streams.topics import Topic, Topics
from streams.transport import Chunk, Receipt, chunk_topic
from streams.transport.engine import make_app

SESSION_TIMEOUT_S = 6.0
FETCH_BYTES = 4 * 1024 * 1024
CHUNK_ROWS = 7_000


async def getmany(job: Job) -> None:
    """Fetch with aiokafka, which builds a ConsumerRecord for each."""
    consumer = aiokafka.AIOKafkaConsumer(
        job.topic,
        bootstrap_servers=job.bootstrap,
        group_id=f"{job.prefix}-aiokafka",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=int(SESSION_TIMEOUT_S * 1000),
        heartbeat_interval_ms=600,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await consumer.start()
    meter = Meter(job)
    while True:
        for records in (await consumer.getmany(timeout_ms=1_000, max_records=10_000)).values():
            meter.take(len(records))


async def stock_faust(job: Job) -> None:
    """Take lists of raw values from a Faust stream, and do nothing with them."""
    app = faust.App(
        f"{job.prefix}-faust",
        broker=f"kafka://{job.bootstrap}",
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=0.6,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        stream_buffer_maxsize=4 * 5_000,
        store="memory://",
        topic_disable_leader=True,
        web_enabled=False,
    )
    meter = Meter(job)

    @app.agent(app.topic(job.topic, value_serializer="raw"))  # type: ignore[untyped-decorator]
    async def take(stream: Any) -> None:
        async for values in stream.take(5_000, within=0.1):
            meter.take(len(values))

    await _run(app)


async def chunks(job: Job) -> None:
    """Take whole chunks from Driftline's transport, acknowledge them, and do nothing else."""
    app = make_app(
        f"{job.prefix}-chunks",
        brokers=job.bootstrap,
        session_timeout_s=SESSION_TIMEOUT_S,
        topic_partitions=job.partitions,
    )
    meter = Meter(job)

    @app.agent(chunk_topic(app, job.topic))  # type: ignore[untyped-decorator]
    async def take(stream: Any) -> None:
        async for event in stream.noack().events():
            rows = len(event.value)
            Receipt(event).ack()
            meter.take(rows)

    await _run(app)


@dataclass(frozen=True, slots=True)
class TopicsOfARun(Topics):
    """A run's own topics, but for the events, which all runs read."""

    events: str = ""

    @property
    def predictions(self) -> Topic:
        """One event per prediction."""
        return Topic(self.events)


class MeteredStage(ProfileStage):
    """Stage 1 as it is deployed; events count when their profiles are written and they are acknowledged."""

    def __init__(self, fleet: Fleet, job: Job) -> None:
        super().__init__(fleet, Metrics(CollectorRegistry()))
        self._job = job
        self._meter = Meter(job)
        self._folded = self._counted = 0

    async def take(self, chunk: Chunk, receipt: Receipt) -> None:
        """Fold a chunk; flush at once after the last, which has no later timer to wait for."""
        await super().take(chunk, receipt)
        self._folded += len(chunk)
        if self._folded >= self._job.events:
            await self.flush()

    async def flush(self) -> None:
        """Flush, then count what this has acknowledged."""
        folded = self._folded
        await super().flush()
        done, self._counted = folded - self._counted, folded
        if done:
            self._meter.take(done, ahead=self._folded - folded)


async def stage(job: Job) -> None:
    """Run the whole of stage 1: decode, validate, all statistics, flushes, checkpoints, acknowledgements."""
    fleet = Fleet(
        brokers=job.bootstrap,
        redis_url=job.redis,
        models={workload.MODEL: Watched(workload.monitor(), workload.layout())},
        topics=TopicsOfARun(job.prefix, job.topic),
        source_partitions=job.partitions,
        profile_partitions=job.partitions,
        session_timeout_s=SESSION_TIMEOUT_S,
    )
    await _run(MeteredStage(fleet, job).app)


async def fold(job: Job) -> None:
    """Fold chunks that are in memory already: stage 1 without Kafka."""
    found = list(workload.events(job.events))
    values = [value for _, value in found]
    record_ms = np.array([ts_ms for ts_ms, _ in found]) + workload.TRANSIT_MS
    offsets = np.arange(job.events)
    profiler = Profiler({workload.MODEL: (workload.monitor(), workload.layout())})
    meter = Meter(job)
    for low in range(0, job.events, CHUNK_ROWS):
        rows = slice(low, low + CHUNK_ROWS)
        profiler.fold_records(0, values[rows], offsets[rows], record_ms[rows])
        meter.take(len(offsets[rows]))


async def _run(app: Any) -> None:
    await app.start()
    await app.wait_until_stopped()


CONSUMERS: dict[str, Callable[[Job], Coroutine[Any, Any, None]]] = {
    "aiokafka": getmany, "faust": stock_faust, "chunks": chunks, "stage": stage, "fold": fold,
}  # fmt: skip

if __name__ == "__main__":
    name, job = job_from_arguments()
    asyncio.run(CONSUMERS[name](job))
