"""The wall clock of the workers steps forward and back by hours: no count changes, nothing waits for it."""

import asyncio
from pathlib import Path

import only_on
from counting import all_counted, goes_on
from fleet_of_stages import Pipeline
from stepped import step
from traffic import Traffic

#: Longer than Kafka lets a writer's clock be ahead.
STEP_S = 3 * 3600.0
#: Longer than some flushes of stage 1: its models are quiet when the clock steps.
PAUSE_S = 2.0


@only_on.kafka
async def test_a_wall_clock_that_steps_makes_no_event_late_and_holds_no_pane_back(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    step(clock, 0.0)
    pipeline.step_by(clock)
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        await pipeline.start()
        async with traffic.flowing():
            await goes_on(pipeline)
        for ahead_s in (STEP_S, 0.0, -STEP_S, 0.0):
            await asyncio.sleep(PAUSE_S)
            step(clock, ahead_s)
            await asyncio.sleep(PAUSE_S)
            async with traffic.flowing():
                await goes_on(pipeline)
        await all_counted(pipeline, traffic)
    await pipeline.stop()
