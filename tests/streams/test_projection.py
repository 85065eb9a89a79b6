"""The projection's series: one row a pane, whoever tells it and how often, and the newest of them."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

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
