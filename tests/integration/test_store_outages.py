"""Redis killed, emptied, full and slow: the stream goes on, and the store is whole again soon after."""

import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_proxy import FaultProxy
from fleet_of_stages import Pipeline
from traffic import Traffic, recount, shown
from webhook import Webhook

from driftline.embedded import EmbeddedStore

MODELS = ("churn", "fraud")
#: One flush takes a second; a machine that has other things to do takes longer.
CURRENT_WITHIN_S = 60.0
#: Added each way; a stage waits 2 s for an answer.
SLOW_S, SLOWER_THAN_ANYBODY_WAITS_S = 0.3, 1.5


class ReturningStore(EmbeddedStore):
    """A Valkey that comes back, empty, on the port it had."""

    first_port = 0

    def command(self, port: int, home: Path) -> list[str]:
        self.first_port = self.first_port or port
        return super().command(self.first_port, home)

    def answers(self, port: int) -> bool:
        return super().answers(self.first_port)


@pytest.fixture
def own_store() -> Iterator[ReturningStore]:
    with ReturningStore() as server:
        yield server


async def test_the_stream_goes_on_without_the_store_and_the_store_is_whole_again_after(
    pipeline: Pipeline, own_store: ReturningStore, webhook: Webhook, proxy: FaultProxy
) -> None:
    proxy.target_port = own_store.first_port
    pipeline.environment["DRIFTLINE_REDIS"] = f"redis://127.0.0.1:{proxy.port}/0"
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        await pipeline.start()
        await traffic.panes_of(30)
        async with traffic.flowing(0.3):
            await pipeline.until(lambda: _series(pipeline, 100), "panes are in the store")
            before = {model: _keys(await pipeline.panes(model)) for model in MODELS}

            await pipeline.redis.flushall()
            await _whole_again(pipeline, before)

            await _while_full(pipeline, lambda: _closed_more(pipeline))
            await _whole_again(pipeline, before)

            await _while_frozen(own_store, lambda: _closed_more(pipeline))
            await _whole_again(pipeline, before)

            for delay_s in (SLOW_S, SLOWER_THAN_ANYBODY_WAITS_S):
                async with proxy.slow(delay_s):
                    await _closed_more(pipeline)
                await _whole_again(pipeline, before)

            own_store.stop()
            await _closed_more(pipeline)
            own_store.start()
            await _whole_again(pipeline, before)
        await _finish(pipeline, traffic)
    assert webhook.statuses("fraud") == []


async def _finish(pipeline: Pipeline, traffic: Traffic) -> None:
    await traffic.live()
    for model in MODELS:

        async def complete(model: str = model) -> bool:
            return shown(await pipeline.panes(model)) == recount(traffic.sent, model).panes

        await pipeline.until(complete, f"every pane of {model} is in the store")
    await pipeline.stop()


def _keys(rows: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(row["start"], row["version"], row["segment"]) for row in rows}


async def _series(pipeline: Pipeline, rows: int) -> bool:
    return all([len(await pipeline.panes(model)) >= rows for model in MODELS])


async def _closed_more(pipeline: Pipeline) -> None:
    """Wait until the record of panes, which needs no store, goes on."""
    before = len(await pipeline.records(pipeline.topics.panes.name))

    async def more() -> bool:
        return len(await pipeline.records(pipeline.topics.panes.name)) > before + 10

    await pipeline.until(more, "panes close without a store")


async def _whole_again(pipeline: Pipeline, before: dict[str, set[tuple[str, str, str]]]) -> None:
    """Current state is there at once, the series soon."""

    async def current() -> bool:
        summaries = await pipeline.hash("driftline:models")
        views = [await pipeline.redis.get(f"driftline:model:{model}") for model in MODELS]
        verdicts = [await pipeline.redis.hlen(f"driftline:model:{model}:verdicts") for model in MODELS]
        return set(MODELS) <= set(summaries) and all(views) and all(verdicts)

    async def series() -> bool:
        return all([before[model] <= _keys(await pipeline.panes(model)) for model in MODELS])

    await pipeline.until(current, "current state is in the store again", deadline_s=CURRENT_WITHIN_S)
    await pipeline.until(series, "the series are in the store again", deadline_s=CURRENT_WITHIN_S)


async def _while_full(pipeline: Pipeline, then: Callable[[], Awaitable[None]]) -> None:
    """Refuse every write that needs memory, for a while."""
    await pipeline.redis.config_set("maxmemory-policy", "noeviction")
    await pipeline.redis.config_set("maxmemory", "1")
    try:
        await then()
    finally:
        await pipeline.redis.config_set("maxmemory", "0")


async def _while_frozen(store: EmbeddedStore, then: Callable[[], Awaitable[None]]) -> None:
    """Let the store take connections and answer nothing."""
    assert store.pid is not None
    os.kill(store.pid, signal.SIGSTOP)
    try:
        await then()
    finally:
        os.kill(store.pid, signal.SIGCONT)
