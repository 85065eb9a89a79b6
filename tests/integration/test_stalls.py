"""A stage that stands still, for whatever reason, ends itself with a message, and nothing is lost."""

import asyncio
import signal

import only_on
from counting import all_counted, goes_on
from fleet_of_stages import Pipeline
from traffic import Traffic

#: Longer than a busy machine keeps a process from running.
LIMIT_S = 15
#: A partition without news for 10 s is idle, and its event time goes on with the clock.
STILL_S = 13.0


@only_on.kafka
async def test_a_stage_that_consumes_nothing_or_is_blocked_ends_itself(
    pipeline: Pipeline,
) -> None:
    pipeline.environment["DRIFTLINE_STATIC_MEMBERSHIP"] = "true"
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        async with traffic.flowing():
            await pipeline.start("desk", "profile")
            await _start_to_stall(pipeline, "judge", "outputs.before@3:HANG")
            log = await pipeline.crashed("judge")
            assert f"stage judge has been at one write for {LIMIT_S} s" in log

            await pipeline.start("judge")
            await pipeline.kill("profile")
            await _start_to_stall(pipeline, "profile", "take@5:HANG")
            log = await pipeline.crashed("profile")
            assert "stage profile has lag" in log
            assert f"and made no progress for {LIMIT_S} s" in log

            await pipeline.kill("judge")
            await _start_to_stall(pipeline, "judge", "put@9:SPIN")
            await _start_to_stall(pipeline, "profile", "fold@9:SPIN")
            for stage in ("judge", "profile"):
                assert f"Timeout (0:00:{LIMIT_S})!" in await pipeline.crashed(stage)

            await pipeline.start("judge", "profile")
            await goes_on(pipeline)
        await all_counted(pipeline, traffic)
        await pipeline.stop()


async def _start_to_stall(pipeline: Pipeline, stage: str, fuse: str) -> None:
    pipeline.environment["DRIFTLINE_STALLED_S"] = str(LIMIT_S)
    await pipeline.start(stage, fuse=fuse)
    del pipeline.environment["DRIFTLINE_STALLED_S"]


@only_on.kafka
async def test_events_that_waited_while_a_worker_stood_still_are_not_late(pipeline: Pipeline) -> None:
    pipeline.environment["DRIFTLINE_SESSION_TIMEOUT_S"] = "60"
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        await traffic.panes_of(10)
        await pipeline.start("desk", "judge")
        # It wakes up in a flush, before it can know what has come meanwhile.
        await pipeline.start("profile", fuse="flush@5:STOP")
        await pipeline.until(lambda: pipeline.is_stopped("profile"), "stage 1 stands still")
        # Its partitions were idle by then: event time has gone on a little.
        traffic.panes += 16
        await traffic.panes_of(20)
        await asyncio.sleep(STILL_S)
        pipeline.send("profile", signal.SIGCONT)
        await all_counted(pipeline, traffic)
        await pipeline.stop()
