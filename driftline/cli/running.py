"""Commands that run until they are stopped: up, worker, web."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from driftline import settings as configuration

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
    from driftline import up as everything

    chosen = configuration.load()
    changes = {"monitors": monitors, "alerting": alerting}
    given = {name: value for name, value in changes.items() if value is not None}
    asyncio.run(everything.up(chosen.model_copy(update=given), demo=demo, port=port, data=data))


def worker(
    stage: Annotated[
        str | None, typer.Option(help="Run only this stage: profile, judge, desk or join.")
    ] = None,
) -> None:
    """Run one worker of a fleet; run more of them to scale.

    Example: DRIFTLINE_KAFKA=localhost:9092 DRIFTLINE_REDIS=redis://localhost driftline worker
    """
    from driftline import serving
    from driftline import worker as workers
    from streams.stages.run import STAGES

    chosen = configuration.load()
    if stage not in (None, *STAGES):
        raise typer.BadParameter(
            f"{stage!r} is no stage; there are {', '.join(STAGES)}", param_hint="--stage"
        )
    is_supervised = workers.SUPERVISED in os.environ
    only = [name for name in STAGES if name == stage]
    asyncio.run(
        workers.run_supervised(only[0], chosen) if is_supervised else serving.serve_worker(chosen, only)
    )


def web(port: Port = 8080) -> None:
    """Serve the web face and API, without a worker.

    Example: DRIFTLINE_REDIS=redis://localhost driftline web --port 8080
    """
    from driftline.serving import serve_web

    asyncio.run(serve_web(configuration.load(), port))
