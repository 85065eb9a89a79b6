"""Commands that run until they are stopped: up, worker, web."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from driftline import settings as configuration
from driftline import up as everything
from driftline import worker as workers
from driftline.serving import serve_web, serve_worker
from streams.stages.run import STAGES, StageName

Port = Annotated[int, typer.Option(help="Port of the web face; 0 takes a free one.", min=0, max=65535)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(worker)
    app.command()(web)


def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Watch a credit-scoring model with incidents.")
    ] = False,
    monitors: Annotated[Path | None, typer.Option(help="Folder of monitor files.")] = None,
    alerting: Annotated[Path | None, typer.Option(help="Alertmanager-style file: who is told what.")] = None,
    port: Port = 8080,
    data: Annotated[Path | None, typer.Option(help="Keep panes and desk state here over restarts.")] = None,
) -> None:
    """Run everything on this machine: broker and store (unless set), a worker, the web face.

    Example: driftline up --demo
    """
    chosen = configuration.load()
    changes = {"monitors": monitors, "alerting": alerting}
    given = {name: value for name, value in changes.items() if value is not None}
    asyncio.run(everything.up(chosen.model_copy(update=given), demo=demo, port=port, data=data))


def worker(
    stage: Annotated[str | None, typer.Option(help="Run only this stage: profile, judge or desk.")] = None,
) -> None:
    """Run one worker of a fleet; run more of them to scale.

    Example: DRIFTLINE_KAFKA=localhost:9092 DRIFTLINE_REDIS=redis://localhost driftline worker
    """
    chosen = configuration.load()
    names = {name: name for name in STAGES}
    if stage is not None and stage not in names:
        raise typer.BadParameter(
            f"{stage!r} is no stage; there are {', '.join(STAGES)}", param_hint="--stage"
        )
    only: StageName | None = None if stage is None else names[stage]  # type: ignore[index]
    if only is not None and workers.SUPERVISED in os.environ:
        asyncio.run(_one_stage(only, chosen))
    else:
        asyncio.run(serve_worker(chosen, STAGES if only is None else (only,)))


def web(port: Port = 8080) -> None:
    """Serve the web face and API, without a worker.

    Example: DRIFTLINE_REDIS=redis://localhost driftline web --port 8080
    """
    asyncio.run(serve_web(configuration.load(), port))


async def _one_stage(stage: StageName, chosen: configuration.Settings) -> None:
    stop = asyncio.Event()
    workers.stop_on_signals(stop)
    await workers.run_one(stage, chosen, stop)
