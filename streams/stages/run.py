"""Running one stage in this process until it is told to stop."""

import asyncio
from typing import Literal, Protocol

from alerts.config import Config
from streams.metrics import Metrics
from streams.stages.desk_stage import DeskStage
from streams.stages.fleet import Fleet
from streams.stages.judge_stage import JudgeStage
from streams.stages.profile_stage import ProfileStage
from streams.transport.engine import StageApp, run

StageName = Literal["profile", "judge", "desk"]
STAGES: tuple[StageName, ...] = ("profile", "judge", "desk")


class Stage(Protocol):
    """A shell with a Faust app."""

    app: StageApp

    async def disconnect(self) -> None:
        """Give back what is open, after the app has stopped."""


def make_stage(
    name: StageName, fleet: Fleet, metrics: Metrics, config: Config, *, instance: str | None = None
) -> Stage:
    """Return a stage's shell."""
    if name == "profile":
        return ProfileStage(fleet, metrics, instance=instance)
    if name == "judge":
        return JudgeStage(fleet, metrics, instance=instance)
    return DeskStage(fleet, metrics, config, instance=instance)


async def run_stage(stage: Stage, stop: asyncio.Event) -> None:
    """Run a stage until ``stop`` is set; what ends it otherwise is raised."""
    try:
        await run(stage.app, stop)
    finally:
        await stage.disconnect()
