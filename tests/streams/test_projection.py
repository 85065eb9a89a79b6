"""The projection's series: one row a pane, whoever tells it and how often, and the newest of them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from streams import projection as projections
from streams import views
from streams.metrics import Metrics
from streams.projection import Projection
from streams.views import PaneRow


@pytest.fixture
async def projection(store: str) -> AsyncIterator[Projection]:
    async def refill(lost: bool) -> None:
        """Nothing is current here."""

    made = Projection(store, "test", Metrics(CollectorRegistry()), refill)
    yield made
    await made._redis.aclose()


def row(*, second: int = 1, version: str = "1", segment: str = "", events: int = 3, late: int = 0) -> str:
    start, end = f"2026-01-01T00:00:{second - 1:02}.000Z", f"2026-01-01T00:00:{second:02}.000Z"
    return PaneRow(
        start=start, end=end, version=version, segment=segment, events=events, invalid=0, late=late
    ).model_dump_json()


async def held(store: str, key: str) -> list[str]:
    async with Redis.from_url(store) as redis:
        return [one.decode() for one in await redis.zrange(f"driftline:{key}", 0, -1)]


async def test_a_pane_told_again_in_other_words_takes_the_place_of_the_first(
    projection: Projection, store: str, prefix: str
) -> None:
    others = [
        row(version="2"),
        row(version="1", segment="a=b"),
        row(version='1","events":3'),
        row(version="11"),
    ]
    for told in [*others, row(late=0), row(late=1), row(late=1)]:
        projection.append(prefix, 1_000, told)
        await projection.write()
    assert sorted(await held(store, prefix)) == sorted([*others, row(late=1)])


async def test_a_pane_told_twice_in_one_write_stands_once(
    projection: Projection, store: str, prefix: str
) -> None:
    for told in (row(late=0), row(late=1)):
        projection.append(prefix, 1_000, told)
    await projection.write()
    assert await held(store, prefix) == [row(late=1)]


async def test_the_newest_rows_stay(projection: Projection, store: str, prefix: str) -> None:
    await projection.fill(prefix, {f'{{"start":{n},"events":1}}': n for n in range(views.PANES_KEPT + 10)})
    found = await held(store, prefix)
    assert len(found) == views.PANES_KEPT
    assert found[0] == '{"start":10,"events":1}'


async def test_what_is_being_written_when_the_stage_stops_is_written(store: str, prefix: str) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def refill(lost: bool) -> None:
        began.set()
        await go_on.wait()

    projection = Projection(store, "test", Metrics(CollectorRegistry()), refill)
    projection.in_doubt()
    projection.set(prefix, "told")
    running = asyncio.create_task(projection.run())
    await began.wait()
    running.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with Redis.from_url(store) as redis:
        assert await redis.get(f"driftline:{prefix}") == b"told"


async def test_a_write_that_does_not_end_does_not_keep_the_stage_from_stopping(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projections, "LAST_WRITE_S", 0.05)
    began = asyncio.Event()

    async def refill(lost: bool) -> None:
        began.set()
        await asyncio.Event().wait()

    projection = Projection(store, "test", Metrics(CollectorRegistry()), refill)
    projection.in_doubt()
    running = asyncio.create_task(projection.run())
    await began.wait()
    running.cancel()
    async with asyncio.timeout(30):
        with pytest.raises(asyncio.CancelledError):
            await running
