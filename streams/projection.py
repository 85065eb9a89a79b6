"""The projection to Redis: latest values, coalesced by key, written whenever Redis takes them.

What waits is bounded: one value per key and field, and per series the newest rows. So Redis may be
gone, slow or full for any time: the stream goes on, and the current state is whole again with the first
write that succeeds.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from redis.exceptions import RedisError

from streams.connections import StoreAddress, connect, remedy
from streams.metrics import Metrics
from streams.views import PANES_KEPT, PREFIX, TTL_S, pane_place

_logger = logging.getLogger(__name__)

EVERY_S = 0.2
#: A write under way when the stage stops has so long; each answer in it has two seconds.
LAST_WRITE_S = 5.0
SERIES_WAITING = PANES_KEPT
#: Adds rows of a series, each in the place of the one that spoke of the same pane, and keeps the newest.
#: In one step in the store: of two writers of one pane, one row stays.
_FILL = """
for i = 2, #ARGV, 3 do
  local score, place, row = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  for _, held in ipairs(redis.call('ZRANGE', KEYS[1], score, score, 'BYSCORE')) do
    if held ~= row and string.sub(held, 1, #place) == place then redis.call('ZREM', KEYS[1], held) end
  end
  redis.call('ZADD', KEYS[1], score, row)
end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -ARGV[1] - 1)
"""


class Projection:
    """Writes hashes, strings and series, each writer with a mark of its own to notice an empty store by.

    Parameters
    ----------
    writer
        Name of this writer, unique in the fleet.
    refill
        Awaited when Redis has lost what was written (flushed, or restarted empty): puts everything current
        again. It is given False when it was only put `in_doubt`.
    """

    def __init__(
        self,
        redis_url: StoreAddress | str,
        writer: str,
        metrics: Metrics,
        refill: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._redis = connect(redis_url)
        self._mark = f"{PREFIX}:mark:{writer}"
        self._metrics = metrics
        self._refill = refill
        self._hashes: dict[tuple[str, str], str | None] = {}
        self._strings: dict[str, str] = {}
        self._series: dict[str, deque[tuple[int, str]]] = {}
        self._reachable = True
        self._known = self._lost = self._doubtful = False

    def set(self, key: str, value: str) -> None:
        """Put a string; it expires with the model's other keys."""
        self._strings[key] = value

    def in_doubt(self) -> None:
        """Have everything put again with the next write: who wrote here before may have crashed."""
        self._doubtful = True

    def put(self, key: str, field: str, value: str | None) -> None:
        """Put a field of a hash; None removes it."""
        self._hashes[(key, field)] = value

    def append(self, key: str, score: int, value: str) -> None:
        """Put a row of a series, scored by time; the newest `PANES_KEPT` stay."""
        self._series.setdefault(key, deque(maxlen=SERIES_WAITING)).append((score, value))

    @property
    def waiting(self) -> int:
        """Values not written yet."""
        return len(self._hashes) + len(self._strings) + sum(map(len, self._series.values()))

    async def has(self, key: str) -> bool:
        """Return whether Redis holds a key; raises what Redis does."""
        return bool(await self._redis.exists(self._key(key)))

    async def fields(self, key: str) -> dict[str, str]:
        """Return a hash as Redis holds it; raises what Redis does."""
        held: Any = await self._redis.hgetall(self._key(key))
        return {field.decode(): value.decode() for field, value in held.items()}

    async def names(self, key: str) -> list[str]:
        """Return the fields of a hash as Redis holds it, without their values; raises what Redis does."""
        held: Any = await self._redis.hkeys(self._key(key))
        return [field.decode() for field in held]

    async def fill(self, key: str, rows: Mapping[str, int]) -> None:
        """Write rows of a series, by score, at once; raises what Redis does."""
        pipe: Any = self._redis.pipeline(transaction=False)
        self._fill(pipe, key, rows)
        pipe.expire(self._key(key), TTL_S)
        await pipe.execute()
        self._metrics.projection_writes.inc(len(rows))

    async def run(self) -> None:
        """Write what waits, every now and then, for as long as the stage runs; a write under way may end."""
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                await self._write_to_the_end()
        finally:
            await self.close()

    async def _write_to_the_end(self) -> None:
        """Write; where the stage stops meanwhile, stop after it.

        A client that is cancelled as it closes a connection loses hold of it, or goes on as if it were not.
        """
        writing = asyncio.create_task(self.write())
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing], timeout=LAST_WRITE_S)
            writing.cancel()
            raise

    async def close(self) -> None:
        """Give the connections back."""
        await self._redis.aclose()

    async def write(self) -> None:
        """Write what waits; what Redis does not take goes on waiting."""
        try:
            await self._notice_emptiness()
            if self.waiting:
                await self._write_all()
            if not self._reachable:
                _logger.info("Redis answers again; the projection is written")
            self._reachable = True
        except (RedisError, OSError) as error:
            self._metrics.projection_failures.inc()
            if self._reachable:
                _logger.warning(
                    "Redis does not take the projection (%s); it is kept and tried again. %s",
                    error,
                    remedy(error),
                )
            self._reachable = False
        self._metrics.projection_pending.set(self.waiting)

    async def _notice_emptiness(self) -> None:
        if await self._redis.set(self._mark, "1", nx=True, ex=TTL_S):
            self._lost = self._known
        self._known = True
        if self._lost or self._doubtful:
            await self._refill(self._lost)
            self._lost = self._doubtful = False

    async def _write_all(self) -> None:
        hashes, strings, series = self._hashes, self._strings, self._series
        self._hashes, self._strings, self._series = {}, {}, {}
        try:
            await self._pipeline(hashes, strings, series)
        except (RedisError, OSError):
            self._hashes = hashes | self._hashes
            self._strings = strings | self._strings
            for key, rows in series.items():
                rows.extend(self._series.get(key, ()))
                self._series[key] = rows
            raise
        self._metrics.projection_writes.inc(len(hashes) + len(strings) + sum(map(len, series.values())))

    async def _pipeline(
        self,
        hashes: dict[tuple[str, str], str | None],
        strings: dict[str, str],
        series: dict[str, deque[tuple[int, str]]],
    ) -> None:
        pipe: Any = self._redis.pipeline(transaction=False)
        touched: set[str] = set()
        for (key, field), value in hashes.items():
            if value is None:
                pipe.hdel(self._key(key), field)
            else:
                pipe.hset(self._key(key), field, value)
            touched.add(key)
        for key, value in strings.items():
            pipe.set(self._key(key), value, ex=TTL_S)
        for key, rows in series.items():
            self._fill(pipe, key, {value: score for score, value in rows})
            touched.add(key)
        for key in touched - {"models", "workers"}:
            pipe.expire(self._key(key), TTL_S)
        await pipe.execute()

    def _fill(self, pipe: Any, key: str, rows: Mapping[str, int]) -> None:
        # A pane told again after a crash has the same counts; its means may differ in their last digits.
        told = [part for row, score in rows.items() for part in (score, pane_place(row), row)]
        pipe.eval(_FILL, 1, self._key(key), PANES_KEPT, *told)

    def _key(self, key: str) -> str:
        return f"{PREFIX}:{key}"
