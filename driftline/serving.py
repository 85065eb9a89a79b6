"""Serving HTTP: a worker's own page of metrics, and the web face."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import FastAPI, Response

from driftline import access
from driftline import fleet as fleets
from driftline.commands import Door
from driftline.homes import Home
from driftline.monitors import load_folder
from driftline.settings import Settings, variable
from driftline.web import api_v2, management, silences, slack
from driftline.web.app import create_app
from driftline.web.errors import CannotListen
from driftline.web.server import listen, serve
from driftline.worker import Supervisor, metrics_page, settings_environment, stop_on_signals
from streams.stages.run import stages_for
from streams.topics import Topics
from streams.views import StageName

_logger = logging.getLogger(__name__)


async def serve_worker(settings: Settings, stages: Sequence[StageName]) -> None:
    """Run a worker's stages (all there are to run if none is named), with ``/metrics`` and ``/healthz``."""
    access.require(settings, "kafka", "redis")
    stages = stages or stages_for(load_folder(settings.monitors))
    fleets.load_alerting(settings.alerting)
    with metrics_listener(settings) as listener, Home() as home:
        fleets.prepare_topics(settings)
        stop = asyncio.Event()
        stop_on_signals(stop)
        supervisor = Supervisor(settings_environment(settings), str(home.folder("metrics")), stages)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, supervisor.reload)
        page = worker_page(supervisor)
        await until_one_ends(stop, supervisor.run(stop), serve(page, listener, stop, bound=_tell("metrics")))


async def serve_web(settings: Settings, port: int) -> None:
    """Serve the web face until a signal."""
    stop = asyncio.Event()
    stop_on_signals(stop)
    topics = Topics(settings.topic_prefix)
    door = None if settings.kafka is None else Door(access.brokers(settings), topics)
    app = create_app(
        redis_url=access.store(settings),
        public_url=settings.public_url,
        topic=topics.predictions.name,
        brokers=settings.kafka or "localhost:9092",
        routers=[
            api_v2.router(door),
            silences.router(door),
            management.router(door),
            slack.router(door, access.slack_secret(settings)),
        ],
    )
    await serve(app, listen(settings.host, port), stop, bound=_tell("web"))


def metrics_listener(settings: Settings) -> socket.socket:
    """Take the address of a worker's own page; beside another worker a free port, unless one was chosen.

    Raises
    ------
    CannotListen
        The chosen one is taken.
    """
    chosen = variable("metrics_port")
    try:
        return listen(
            settings.host, settings.metrics_port, remedy=f"choose another with {chosen}; 0 takes a free one"
        )
    except CannotListen:
        if "metrics_port" in settings.model_fields_set:
            raise
    _logger.warning(
        "port %d is taken, by another worker perhaps: this one's metrics take a free port; %s chooses one",
        settings.metrics_port, chosen,
    )  # fmt: skip
    return listen(settings.host, 0, remedy="set DRIFTLINE_HOST to an address of this machine")


def worker_page(supervisor: Supervisor) -> FastAPI:
    """Return a worker's own little app."""
    app = FastAPI(openapi_url=None)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(
            metrics_page(supervisor.metrics_dir), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    @app.get("/healthz")
    def healthz() -> Response:
        missing = sorted(set(supervisor.stages) - set(supervisor.running))
        if missing:
            return Response(f"not running: {', '.join(missing)}\n", status_code=503, media_type="text/plain")
        return Response("ok\n", media_type="text/plain")

    return app


async def until_one_ends(stop: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> None:
    """Run parts side by side; when one ends, whyever, stop the others."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        # The first failure is told when all have ended, not while others still close what they hold.
        await asyncio.wait(tasks)
        await asyncio.gather(*tasks)


def _tell(what: str) -> Callable[[int], None]:
    return lambda port: _logger.info("%s listens on port %d", what, port)
