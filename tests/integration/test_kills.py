"""``kill -9`` of stages 1 and 2 at precise steps, again and again: the counts still equal a recount."""

import asyncio
from collections.abc import Sequence

import only_on
from counting import all_counted
from fleet_of_stages import Pipeline
from traffic import Traffic

#: What a stage dies of, run after run; `deadly.py` tells what the steps are.
DEATHS = {
    "profile": (
        "fold@9",
        "upserts.half@2",
        "upserts.before@3",
        "rows.before@3",
        "checkpoint.before@4",
        "recover@1",
        "checkpoint.after@4",
        "closed.before@2",
        "restore@2",
        "commit@2",
    ),
    "judge": (
        "put@9",
        "close@3",
        "outputs.half@2",
        "outputs.after@3",
        "state.half@2",
        "recover@1",
        "state.after@3",
        "commit@2",
        "restore-judge@2",
        "close@5",
    ),
}


@only_on.kafka
async def test_ten_kills_in_a_row_at_ten_steps_of_each_stage_lose_nothing_and_count_nothing_twice(
    pipeline: Pipeline,
) -> None:
    # A static member that starts again takes its partitions up at once: nobody waits for its session to end.
    pipeline.environment["DRIFTLINE_STATIC_MEMBERSHIP"] = "true"
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        async with traffic.flowing():
            await pipeline.start("desk")
            await asyncio.gather(*(_die_of(pipeline, stage, steps) for stage, steps in DEATHS.items()))
        await all_counted(pipeline, traffic)
        await pipeline.stop()


async def _die_of(pipeline: Pipeline, stage: str, steps: Sequence[str]) -> None:
    """Start a stage again and again, each time to die at the next step; then for good."""
    for step in steps:
        await pipeline.start(stage, fuse=step)
        await pipeline.killed_itself(stage)
    await pipeline.start(stage)
