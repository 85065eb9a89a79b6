"""Everything on one machine: ``driftline up``."""

import asyncio
import contextlib
import logging
import tempfile
import time
from pathlib import Path

from fastapi import FastAPI
from rich.console import Console

from driftline import demo as demonstration
from driftline import fleet as fleets
from driftline.embedded import EmbeddedBroker, EmbeddedStore
from driftline.monitors import load_folder
from driftline.serving import until_one_ends
from driftline.settings import Settings
from driftline.web.app import create_app
from driftline.web.server import serve
from driftline.worker import Supervisor, metrics_folder, metrics_page, settings_environment, stop_on_signals
from streams.topics import Topics

EMBEDDED = {"partitions": 2, "session_timeout_s": 6.0}

_logger = logging.getLogger(__name__)


async def up(settings: Settings, *, demo: bool, port: int, data: Path | None) -> None:
    """Run broker and store (where none are set), a worker, and the web face, until a signal."""
    stop = asyncio.Event()
    stop_on_signals(stop)
    console = Console(stderr=True, highlight=False)
    with contextlib.ExitStack() as stack:
        settings = _with_monitors(settings, stack, demo)
        load_folder(settings.monitors)
        fleets.load_alerting(settings.alerting)
        settings = _with_servers(settings, stack, console)
        settings = (
            settings.model_copy(update={"public_url": f"http://localhost:{port}"}) if port else settings
        )
        fleets.prepare_topics(settings)
        folder = stack.enter_context(metrics_folder())
        supervisor = Supervisor(settings_environment(settings), folder)
        app = create_app(
            redis_url=fleets.redis_url(settings),
            public_url=settings.public_url,
            metrics=lambda: metrics_page(folder),
            topic=Topics(settings.topic_prefix).predictions.name,
            brokers=fleets.brokers(settings),
        )
        await _run(settings, supervisor, app, console, stop=stop, demo=demo, port=port)
    console.print("driftline: stopped")


def _with_monitors(settings: Settings, stack: contextlib.ExitStack, demo: bool) -> Settings:
    """Return settings whose monitors folder exists: the demo's, the one given, or an empty one."""
    if not demo and (settings.monitors.is_dir() or "monitors" in settings.model_fields_set):
        return settings
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="driftline-monitors-")))
    if demo:
        demonstration.prepare(folder, time.time_ns() // 1_000_000)
    return settings.model_copy(update={"monitors": folder})


def _with_servers(settings: Settings, stack: contextlib.ExitStack, console: Console) -> Settings:
    """Return settings with an embedded broker and store where none are set; they stop with the stack."""
    changes: dict[str, object] = {}
    if settings.kafka is None:
        changes["kafka"] = stack.enter_context(EmbeddedBroker()).bootstrap
        changes |= {name: value for name, value in EMBEDDED.items() if name not in settings.model_fields_set}
        console.print(f"broker: {changes['kafka']} (embedded, in memory: what it holds goes when it stops)")
    if settings.redis is None:
        changes["redis"] = stack.enter_context(EmbeddedStore()).url
        console.print(f"store:  {changes['redis']} (embedded)")
    return settings.model_copy(update=changes)


async def _run(
    settings: Settings,
    supervisor: Supervisor,
    app: FastAPI,
    console: Console,
    *,
    stop: asyncio.Event,
    demo: bool,
    port: int,
) -> None:
    topic = Topics(settings.topic_prefix).predictions.name

    def bound(actual: int) -> None:
        console.print(f"web:    http://localhost:{actual}  (Ctrl-C stops everything)")
        if not _has_monitors(settings):
            console.print(
                "no monitors yet: write monitors/<model>.yaml; events of any model show as unmonitored"
            )

    parts = [supervisor.run(stop), serve(app, settings.host, port, stop, bound=bound)]
    if demo:
        parts.append(demonstration.produce(fleets.brokers(settings), topic, stop, console.print))
    await until_one_ends(stop, *parts)


def _has_monitors(settings: Settings) -> bool:
    """Return whether there is a monitor file."""
    return any(settings.monitors.glob("*.y*ml"))
