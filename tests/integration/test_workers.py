"""Workers that come, go, die in a rebalance or sleep through one: every count still equals a recount."""

import random
import signal

import only_on
from aiokafka import AIOKafkaProducer
from counting import all_counted, goes_on
from fleet_of_stages import Pipeline
from traffic import PARTITIONS, Traffic

SEED = 3
STAGES = ("profile", "judge")


@only_on.kafka
async def test_workers_that_join_leave_die_in_a_rebalance_or_wake_up_late_change_no_count(
    pipeline: Pipeline,
) -> None:
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        async with traffic.flowing():
            await pipeline.start("desk", *STAGES)
            await goes_on(pipeline)
            await _from_one_to_three(pipeline)
            await goes_on(pipeline)
            await _repeat_upserts_in_any_order(pipeline)
            await _back_to_one(pipeline)
            await goes_on(pipeline)
            await _sleep_through_a_take_over(pipeline)
            await goes_on(pipeline)
            await _die_in_a_rebalance(pipeline)
        await all_counted(pipeline, traffic)
        await pipeline.stop()


@only_on.kafka
async def test_a_static_member_that_starts_again_moves_no_partition_of_the_others(pipeline: Pipeline) -> None:
    pipeline.environment |= {"DRIFTLINE_STATIC_MEMBERSHIP": "true", "DRIFTLINE_SESSION_TIMEOUT_S": "60"}
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        async with traffic.flowing():
            await pipeline.start("desk", *STAGES, "profile/2", "judge/2")
            await _shared(pipeline, "1", "2")
            before = pipeline.metric("driftline_rebalances_total", worker="1")
            for end in (pipeline.stop, pipeline.kill):
                await end("profile/2", "judge/2")
                await pipeline.start("profile/2", "judge/2")
                await goes_on(pipeline)
            assert pipeline.metric("driftline_rebalances_total", worker="1") == before
        await all_counted(pipeline, traffic)
        await pipeline.stop("desk", *STAGES, "profile/2", "judge/2")


async def _from_one_to_three(pipeline: Pipeline) -> None:
    await pipeline.start("profile/2", "judge/2", "profile/3", "judge/3")
    await _shared(pipeline, "1", "2", "3")


async def _back_to_one(pipeline: Pipeline) -> None:
    await pipeline.stop("profile", "judge")
    await pipeline.stop("profile/3", "judge/3")
    await _shared(pipeline, "2")


async def _sleep_through_a_take_over(pipeline: Pipeline) -> None:
    """Stop both stages on the brink of a write, let others take over, and let the write go on."""
    await pipeline.stop("profile/2", "judge/2")
    await pipeline.start("profile", fuse="upserts.before@16:STOP")
    await pipeline.start("judge", fuse="outputs.before@2:STOP")
    await pipeline.until(lambda: pipeline.is_stopped(*STAGES), "both stages have stopped")
    await pipeline.start("profile/2", "judge/2")
    await _shared(pipeline, "2")
    await goes_on(pipeline)
    for stage in STAGES:
        pipeline.send(stage, signal.SIGCONT)
    await _shared(pipeline, "1", "2")


async def _die_in_a_rebalance(pipeline: Pipeline) -> None:
    """Let a worker die as it gives partitions up, and another as it is given some."""
    await pipeline.stop(*STAGES)
    await _shared(pipeline, "2")
    await pipeline.start("profile", fuse="assigned@1")
    await pipeline.start("judge", fuse="assigned@1")
    await pipeline.killed_itself(*STAGES)
    await pipeline.start("profile", fuse="revoking@1")
    await pipeline.start("judge", fuse="revoking@1")
    await _shared(pipeline, "1", "2")
    await pipeline.stop("profile/2", "judge/2")
    await pipeline.killed_itself(*STAGES)
    await pipeline.start(*STAGES)


async def _shared(pipeline: Pipeline, *workers: str) -> None:
    """Wait until these workers have caught up with all partitions of stages 1 and 2, as evenly as can be."""
    each = sorted(PARTITIONS // len(workers) + (n < PARTITIONS % len(workers)) for n in range(len(workers)))
    names = {stage: [stage if one == "1" else f"{stage}/{one}" for one in workers] for stage in STAGES}

    async def shared() -> bool:
        return all([sorted(await pipeline.partitions_of(*names[stage])) == each for stage in STAGES])

    await pipeline.until(shared, f"{', '.join(workers)} share the partitions")


async def _repeat_upserts_in_any_order(pipeline: Pipeline) -> None:
    """Send what stage 1 sent so far again, twice: as it came, and shuffled across keys and within each."""
    records = await pipeline.records(pipeline.topics.profiles.name)
    producer = AIOKafkaProducer(bootstrap_servers=pipeline.broker.bootstrap)
    await producer.start()
    try:
        for some in (records, random.Random(SEED).sample(records, len(records))):
            for one in some:
                await producer.send(one.topic, one.value, key=one.key, partition=one.partition)
    finally:
        await producer.stop()
