"""Everything on one machine: ``driftline up``."""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.console import Console

from driftline import access
from driftline import demo as demonstration
from driftline import fleet as fleets
from driftline.commands import Door
from driftline.embedded import EmbeddedBroker, EmbeddedStore
from driftline.errors import DriftlineError
from driftline.homes import Home
from driftline.journal import Journal, owned
from driftline.monitors import load_folder
from driftline.serving import until_one_ends
from driftline.settings import Settings
from driftline.web import api_v2, management, silences, slack
from driftline.web.app import create_app
from driftline.web.server import listen, serve
from driftline.worker import Supervisor, metrics_page, settings_environment, stop_on_signals
from streams.stages.run import stages_for
from streams.topics import Topics

EMBEDDED = {"partitions": 2, "session_timeout_s": 6.0}


class DataNeedsEmbeddedError(DriftlineError):
    """``--data`` beside a broker of one's own."""


async def up(settings: Settings, *, demo: bool, port: int, data: Path | None) -> None:
    """Run broker and store (where none are set), a worker, and the web face, until a signal.

    Raises
    ------
    DataNeedsEmbeddedError
        For ``data`` with a broker that keeps what it has anyway.
    CannotListen
        The port is taken.
    JournalError
        For ``data`` that cannot be used, or that another process uses.
    """
    if data is not None and settings.kafka is not None:
        raise DataNeedsEmbeddedError(
            "--data is for the embedded broker; DRIFTLINE_KAFKA names one that keeps its own"
        )
    stop = asyncio.Event()
    stop_on_signals(stop)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, port))
        port = listener.getsockname()[1]
        if data is not None:
            stack.enter_context(owned(data))
        home = stack.enter_context(Home())
        settings = _with_demo(settings, home) if demo else _with_monitors(settings, home, console)
        stages = stages_for(load_folder(settings.monitors))
        fleets.load_alerting(settings.alerting)
        settings = _with_servers(settings, stack, console, data)
        if "public_url" not in settings.model_fields_set:
            settings = settings.model_copy(update={"public_url": f"http://localhost:{port}"})
        topics = Topics(settings.topic_prefix)
        fleets.prepare_topics(settings)
        folder = str(home.folder("metrics"))
        supervisor = Supervisor(settings_environment(settings), folder, stages)
        door = Door(access.brokers(settings), topics)
        app = create_app(
            redis_url=access.store(settings),
            public_url=settings.public_url,
            metrics=lambda: metrics_page(folder),
            topic=topics.predictions.name,
            brokers=str(access.brokers(settings)),
            routers=[
                api_v2.router(door),
                silences.router(door),
                management.router(door),
                slack.router(door, access.slack_secret(settings)),
            ],
        )
        journal = None
        if data is not None:
            journal = Journal(data, access.brokers(settings), topics, settings.partitions)
            console.print(f"data:   {data} ({await journal.restore():,} records restored)")
        parts = [
            supervisor.run(stop),
            serve(app, listener, stop, bound=lambda actual: _tell_web(console, actual)),
        ]
        if demo:
            produce = demonstration.produce(
                access.brokers(settings), topics.predictions.name, stop, console.print
            )
            parts.append(produce)
        if journal is not None:
            parts = [_journaled(journal, stop, parts)]
        await until_one_ends(stop, *parts)
    console.print("driftline: stopped")


async def _journaled(
    journal: Journal, stop: asyncio.Event, parts: Sequence[Coroutine[Any, Any, None]]
) -> None:
    """Run the parts, and the journal beside them until the last of them has ended."""
    ended = asyncio.Event()
    writing = asyncio.create_task(journal.run(ended))
    writing.add_done_callback(lambda _: stop.set())
    try:
        await until_one_ends(stop, *parts)
    finally:
        ended.set()
        await writing


def _with_demo(settings: Settings, home: Home) -> Settings:
    """Return settings that watch the demo's model, and tell its alerts soon."""
    folder = home.folder("monitors")
    demonstration.prepare(folder, time.time_ns() // 1_000_000)
    alerting = settings.alerting or demonstration.ALERTING
    return settings.model_copy(update={"monitors": folder, "alerting": alerting})


def _with_monitors(settings: Settings, home: Home, console: Console) -> Settings:
    """Return settings whose monitors folder exists: an empty one stands in for the default."""
    if settings.monitors.is_dir() or "monitors" in settings.model_fields_set:
        return settings
    console.print(
        "no folder monitors/ yet: events of any model show as unmonitored until it has monitors/<model>.yaml"
    )
    return settings.model_copy(update={"monitors": home.folder("monitors")})


def _with_servers(
    settings: Settings, stack: contextlib.ExitStack, console: Console, data: Path | None
) -> Settings:
    """Return settings with an embedded broker and store where none are set; they stop with the stack."""
    changes: dict[str, object] = {}
    if settings.kafka is None:
        changes["kafka"] = stack.enter_context(EmbeddedBroker()).bootstrap
        changes |= {name: value for name, value in EMBEDDED.items() if name not in settings.model_fields_set}
        keeps = "its state is kept in --data" if data else "ephemeral: what it holds goes when it stops"
        console.print(f"broker: {changes['kafka']} (embedded, {keeps})")
    if settings.redis is None:
        url = stack.enter_context(EmbeddedStore()).url
        changes["redis"] = SecretStr(url)
        console.print(f"store:  {url} (embedded)")
    return settings.model_copy(update=changes)


def _tell_web(console: Console, port: int) -> None:
    console.print(f"web:    http://localhost:{port}  (Ctrl-C stops everything)")
