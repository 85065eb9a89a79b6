"""Partitions that move while a stage takes up the last ones: what is half recovered is not taken for whole."""

import asyncio

import pytest
from faust.types.tuples import TP
from prediction_events import T0, event, monitor
from profile_rows import fold
from prometheus_client import CollectorRegistry

from streams.layout import compile_layout
from streams.metrics import Metrics
from streams.profiler import Profiler
from streams.stages import profile_rows
from streams.stages.fleet import Fleet, Watched
from streams.stages.judge_stage import JudgeStage
from streams.stages.profile_stage import ProfileStage

MONITOR = monitor()
FLEET = Fleet("nobody:1", "redis://nobody", {"churn": Watched(MONITOR, compile_layout(MONITOR))})


async def _move_while_layouts_are_read(
    stage: ProfileStage | JudgeStage, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have a partition assigned again while the stage, restoring it, waits for the layouts."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def catch_up() -> None:
        reached.set()
        await go_on.wait()

    monkeypatch.setattr(stage._layouts, "catch_up", catch_up)
    ours = frozenset({TP(topic, 0)})
    await stage.assigned(ours)
    restoring = asyncio.create_task(stage._restore())
    await reached.wait()
    await stage.revoked(ours)
    await stage.assigned(ours)
    go_on.set()
    await restoring


async def test_stage_1_restores_a_partition_from_rows_that_are_recovered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = ProfileStage(FLEET, Metrics(CollectorRegistry()))
    profiler = Profiler({"churn": (MONITOR, FLEET.models["churn"].layout)})
    fold(profiler, [(event(0, T0), T0)], 0, 1)
    early = profile_rows.flush_steps(FLEET, profiler.flush(0, 0, caught_up=False))
    rows = {key: value for step in early for key, value in step.rows.items() if value is not None}
    stage._rows._store.rows[0].update(rows)
    await _move_while_layouts_are_read(stage, FLEET.topics.predictions.name, monkeypatch)
    assert stage._ready == set()
    fold(profiler, [(event(0, T0), T0), (event(1, T0), T0)], 1, 2)
    late = profile_rows.flush_steps(FLEET, profiler.flush(0, 0, caught_up=False))
    stage._rows._store.rows[0].update(
        {key: value for step in late for key, value in step.rows.items() if value is not None}
    )
    await stage._restore()
    assert stage.profiler.partitions[0].next_offset == 2


async def test_stage_2_restores_a_partition_from_rows_that_are_recovered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = JudgeStage(FLEET, Metrics(CollectorRegistry()))
    await _move_while_layouts_are_read(stage, FLEET.topics.profiles.name, monkeypatch)
    assert stage._ready == set()
    await stage._restore()
    assert stage._ready == {0}
