"""Running one stage in this process until it is told to stop."""

import asyncio
from collections.abc import Mapping
from typing import Protocol, get_args

from alerts.command import Load
from alerts.config import Config
from streams.collector import collect_seldom
from streams.metrics import Metrics
from streams.stages.desk_stage import DeskStage
from streams.stages.fleet import Fleet, Watched
from streams.stages.join_stage import JoinStage
from streams.stages.judge_stage import JudgeStage
from streams.stages.profile_stage import ProfileStage
from streams.transport.engine import StageApp, run
from streams.views import StageName

STAGES: tuple[StageName, ...] = get_args(StageName)


class Stage(Protocol):
    """A shell with a Faust app."""

    app: StageApp

    async def disconnect(self) -> None:
        """Give back what is open, after the app has stopped."""


def make_stage(
    name: StageName,
    fleet: Fleet,
    metrics: Metrics,
    config: Config,
    *,
    instance: str | None = None,
    load: Load | None = None,
) -> Stage:
    """Return a stage's shell; ``load`` reads the alerting file again for the desk."""
    if name == "profile":
        return ProfileStage(fleet, metrics, instance=instance)
    if name == "judge":
        return JudgeStage(fleet, metrics, instance=instance)
    if name == "join":
        return JoinStage(fleet, metrics, instance=instance)
    return DeskStage(fleet, metrics, config, instance=instance, load=load)


def stages_for(models: Mapping[str, Watched]) -> tuple[StageName, ...]:
    """Return the stages a worker runs: the join only where there are labels to be joined."""
    has_labels = any(one.monitor.labels is not None for one in models.values())
    return tuple(stage for stage in STAGES if has_labels or stage != "join")


async def run_stage(stage: Stage, stop: asyncio.Event) -> None:
    """Run a stage until ``stop`` is set; what ends it otherwise is raised."""
    collect_seldom()
    try:
        await run(stage.app, stop)
    finally:
        await stage.disconnect()
