"""A stage's pulse: lag and progress for metrics and pages, and the end of a stage that stands still."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from redis.exceptions import RedisError

from streams.connections import connect
from streams.metrics import Metrics
from streams.stages.fleet import Fleet
from streams.views import PREFIX, StageName, WorkerRow

EVERY_S = 2.0

_logger = logging.getLogger(__name__)


class StageStalledError(RuntimeError):
    """A stage that has work and does none; the supervisor's restart is the remedy."""


class Pulse:
    """Says every few seconds that a stage lives; raises when it stands still.

    Parameters
    ----------
    stage
        Whose pulse it is.
    """

    def __init__(self, stage: StageName, fleet: Fleet, metrics: Metrics) -> None:
        self._stage = stage
        self._fleet = fleet
        self._metrics = metrics
        self._redis = connect(fleet.redis_url)
        self._lags: Mapping[int, int | None] = {}
        self._seen_ms = 0
        self._progress_s = time.monotonic()
        self._busy_since_s: float | None = None
        self._reachable = True

    def beat(self, now_ms: int, lags: Mapping[int, int | None]) -> None:
        """Take note of a flush, and of each owned partition's lag (None: not known yet)."""
        total, before = _total(lags), _total(self._lags)
        if total == 0 or total != before or lags.keys() != self._lags.keys():
            self._progress_s = time.monotonic()
            self._metrics.last_progress.labels(stage=self._stage).set(now_ms / 1000)
        for partition in self._lags.keys() - lags.keys():
            self._metrics.lag.labels(stage=self._stage, partition=str(partition)).set(0)
        for partition, lag in lags.items():
            self._metrics.lag.labels(stage=self._stage, partition=str(partition)).set(lag or 0)
        self._lags, self._seen_ms = dict(lags), now_ms

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Know that the stage writes, for the length of a block, which must come to an end."""
        self._busy_since_s = time.monotonic()
        try:
            yield
        finally:
            self._busy_since_s = None

    async def run(self) -> None:
        """Tell Redis, and watch that there is progress.

        Raises
        ------
        StageStalledError
            When the stage has had lag and made no progress, or has been at one write, for ``stalled_s``.
        """
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                if self._seen_ms:
                    await self._tell()
                self._watch(time.monotonic())
        finally:
            await self._redis.aclose()

    def _watch(self, now_s: float) -> None:
        limit_s, lag = self._fleet.stalled_s, _total(self._lags)
        what = ""
        if now_s - self._progress_s > limit_s and lag != 0:
            what = f"has lag {'unknown' if lag is None else lag} and made no progress for {limit_s:g} s"
        if self._busy_since_s is not None and now_s - self._busy_since_s > limit_s:
            what = f"has been at one write for {limit_s:g} s: the broker confirms nothing"
        if what:
            raise StageStalledError(
                f"stage {self._stage} {what}; it ends so that its supervisor starts it again "
                "(DRIFTLINE_STALLED_S)"
            )

    async def _tell(self) -> None:
        row = WorkerRow(
            worker=self._fleet.worker,
            stage=self._stage,
            at_ms=self._seen_ms,
            partitions=len(self._lags),
            lag=_total(self._lags) or 0,
            caught_up=all(lag == 0 for lag in self._lags.values()),
        )
        try:
            key = f"{PREFIX}:workers"
            await self._redis.hset(key, f"{self._fleet.worker}/{self._stage}", row.model_dump_json())
            self._reachable = True
        except (RedisError, OSError) as error:
            self._metrics.projection_failures.inc()
            if self._reachable:
                _logger.warning(
                    "Redis does not answer (%s); the stage goes on without it", type(error).__name__
                )
            self._reachable = False


def _total(lags: Mapping[int, int | None]) -> int | None:
    known = [lag for lag in lags.values() if lag is not None]
    return sum(known) if len(known) == len(lags) else None
