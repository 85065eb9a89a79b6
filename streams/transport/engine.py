"""A stage's Faust app: its settings, and running it inside our own event loop."""

import asyncio
from contextlib import suppress
from typing import Any

import faust

from streams.transport import SCHEME
from streams.transport.driver import PartitionListener

STOP_TIMEOUT_S = 15.0


class StageApp(faust.App):  # type: ignore[misc]  # faust is untyped here
    """A Faust app that keeps nothing on disk: its tables live in memory, and in their changelogs."""

    def _create_directories(self) -> None:
        pass


def make_app(
    name: str,
    *,
    brokers: str,
    session_timeout_s: float = 30.0,
    commit_interval_s: float = 1.0,
    fetch_bytes: int = 4 * 1024 * 1024,
    instance: str | None = None,
    **settings: Any,
) -> StageApp:
    """Return an app whose chunk topics come in chunks and whose failures are not papered over.

    Parameters
    ----------
    name
        Consumer group.
    brokers
        ``host:port``, several separated by commas.
    session_timeout_s
        How long a worker may be silent before its partitions go to others; 6 on the embedded broker,
        which waits half of it before a group's first join.
    fetch_bytes
        What one fetch brings of a partition at most, as it is on the wire; 4 to 8 MiB.
    instance
        Static member name, unique among the group's workers: a restart within the session timeout then
        moves no partition.
    settings
        Any other Faust setting; overrides what is set here.
    """
    urls = ";".join(f"{SCHEME}://{broker.strip()}" for broker in brokers.split(","))
    defaults: dict[str, Any] = {
        "broker": urls,
        "broker_session_timeout": session_timeout_s,
        "broker_heartbeat_interval": session_timeout_s / 10,
        "broker_request_timeout": max(90.0, session_timeout_s),
        "broker_commit_interval": commit_interval_s,
        "consumer_max_fetch_size": fetch_bytes,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": instance,
        "producer_acks": -1,
        "producer_threaded": False,
        "agent_supervisor": "mode.supervisors.CrashingSupervisor",
        "stream_wait_empty": False,
        "stream_recovery_delay": 0.0,
        "store": "memory://",
        "table_standby_replicas": 0,
        "topic_disable_leader": True,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
    }
    return StageApp(name, **defaults | settings)


def listen(app: Any, listener: PartitionListener) -> None:
    """Have ``listener`` told which partitions the app owns; call before the app runs."""
    app.transport.listeners.append(listener)


async def commit_now(app: Any) -> None:
    """Commit at once what has been acknowledged, instead of at the next interval."""
    await app.consumer.commit_now()


async def run(app: Any, stop: asyncio.Event) -> None:
    """Run an app until ``stop`` is set, then flush, commit and leave the group.

    Raises
    ------
    Exception
        What the app crashed with: the first exception that left an agent, a timer, a listener or the
        client. The process is meant to end with it.
    """
    starting = asyncio.create_task(app.start())
    watching = {
        asyncio.create_task(stop.wait()),
        asyncio.create_task(app._crashed.wait()),
    }
    try:
        await asyncio.wait({starting, *watching}, return_when=asyncio.FIRST_COMPLETED)
        if not (starting.done() and starting.exception()):
            await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in watching:
            task.cancel()
        await _shut_down(app, starting)
    if app.crash_reason is not None:
        raise app.crash_reason
    if starting.done() and not starting.cancelled():
        starting.result()


async def _shut_down(app: Any, starting: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(STOP_TIMEOUT_S):
        if not starting.done():
            starting.cancel()
            with suppress(asyncio.CancelledError):
                await starting
        elif not app.crashed and not app.rebalancing and (owned := app.consumer.assignment()):
            await app.consumer.let_go(owned)
        await app.stop()
