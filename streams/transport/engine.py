"""A stage's Faust app: its settings, and running it inside our own event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import faust

from streams.connections import Brokers, faust_options
from streams.transport import SCHEME
from streams.transport.driver import PartitionListener

FLUSH_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0


class StageApp(faust.App):  # type: ignore[misc]  # faust is untyped here
    """A Faust app that keeps nothing on disk: its tables live in memory, and in their changelogs.

    What a stage writes, it writes in rounds. Faust stops its producer before its tasks, so an app that
    is to stop ends its rounds first.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._round = asyncio.Lock()
        self._rounds_ended = False

    def every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Go a round every ``seconds`` for as long as the app runs."""

        async def rounds() -> None:
            while not self._letting_go:
                await asyncio.sleep(seconds)
                await self.go_round(work)

        self.task(rounds)

    async def go_round(self, work: Callable[[], Awaitable[None]]) -> None:
        """Await ``work`` that writes, one at a time; nothing is begun in an app that is to stop."""
        async with self._round:
            if not self._letting_go:
                await work()

    async def end_rounds(self) -> None:
        """Let the round under way end, and begin none any more."""
        self._rounds_ended = True
        async with self._round:
            pass

    @property
    def _letting_go(self) -> bool:
        return self._rounds_ended or self.should_stop

    def _create_directories(self) -> None:
        pass


def make_app(
    name: str,
    *,
    brokers: Brokers | str,
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
        Where, and how one is let in.
    session_timeout_s
        How long a worker may be silent before its partitions go to others; 6 on the embedded broker,
        which waits half of it before a group's first join.
    commit_interval_s
        How often acknowledged chunks are committed.
    fetch_bytes
        What one fetch brings of a partition at most, as it is on the wire; 4 to 8 MiB.
    instance
        Static member name, unique among the group's workers: a restart within the session timeout then
        moves no partition.
    settings
        Any other Faust setting; overrides what is set here.
    """
    defaults: dict[str, Any] = {
        **faust_options(brokers, SCHEME),
        "broker_session_timeout": session_timeout_s,
        "broker_heartbeat_interval": session_timeout_s / 10,
        "broker_request_timeout": max(90.0, session_timeout_s),
        "broker_commit_interval": commit_interval_s,
        "consumer_max_fetch_size": fetch_bytes,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": instance,
        "producer_acks": -1,
        "producer_max_request_size": 16 * 1024 * 1024,
        "producer_threaded": False,
        "agent_supervisor": "mode.supervisors.CrashingSupervisor",
        "stream_wait_empty": False,
        "stream_recovery_delay": 0.0,
        "store": "memory://",
        "TableManager": "streams.transport.recovery:Tables",
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
    watching = {asyncio.create_task(stop.wait()), asyncio.create_task(app._crashed.wait())}
    try:
        await asyncio.wait({starting, *watching}, return_when=asyncio.FIRST_COMPLETED)
        if _succeeded(starting):
            await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in watching:
            task.cancel()
        reason = _failure(app, starting)
        try:
            await _shut_down(app, starting)
        except Exception:
            if reason is None:
                raise
            app.log.exception("stopping after a crash failed as well")
    if reason := reason or _failure(app, starting):
        raise reason


def _succeeded(task: "asyncio.Task[None]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _failure(app: Any, starting: "asyncio.Task[None]") -> BaseException | None:
    reason: BaseException | None = app.crash_reason
    if reason is None and starting.done() and not starting.cancelled():
        reason = starting.exception()
    return reason


async def _shut_down(app: Any, starting: "asyncio.Task[None]") -> None:
    try:
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting}, timeout=STOP_TIMEOUT_S)
        elif _succeeded(starting) and not app.crashed:
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await app.end_rounds()
                if not app.rebalancing:
                    await app.consumer.let_go(app.consumer.assignment())
    except TimeoutError:
        app.log.warning("no commit within %g s: what came since the last one comes again", FLUSH_TIMEOUT_S)
    finally:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await app.stop()
        if app._consumer is not None:
            app._consumer.close_unstarted_thread()
