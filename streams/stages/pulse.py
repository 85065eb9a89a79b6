"""A stage's pulse: lag and progress for metrics and pages, and the end of a stage that stands still."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Literal

from redis.exceptions import RedisError

from streams.connections import connect
from streams.metrics import Metrics
from streams.stages.fleet import Fleet
from streams.views import PREFIX, WorkerRow

EVERY_S = 2.0
STALLED_S = 120.0

_logger = logging.getLogger(__name__)


class StageStalledError(RuntimeError):
    """A stage that has work and does none; the supervisor's restart is the remedy."""


class Pulse:
    """Says every few seconds that a stage lives; raises when it has lag and makes no progress.

    Parameters
    ----------
    stage
        Whose pulse it is.
    """

    def __init__(self, stage: Literal["profile", "judge", "desk"], fleet: Fleet, metrics: Metrics) -> None:
        self._stage = stage
        self._fleet = fleet
        self._metrics = metrics
        self._redis = connect(fleet.redis_url)
        self._lags: Mapping[int, int | None] = {}
        self._seen_ms = 0
        self._progress_s = time.monotonic()
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

    async def run(self) -> None:
        """Tell Redis, and watch that there is progress.

        Raises
        ------
        StageStalledError
            When the stage has had lag and made no progress for two minutes.
        """
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                if self._seen_ms:
                    await self._tell()
                if time.monotonic() - self._progress_s > STALLED_S and _total(self._lags) != 0:
                    raise StageStalledError(
                        f"stage {self._stage} has lag {_total(self._lags)} and made no progress for "
                        f"{STALLED_S:.0f} s; it ends so that its supervisor starts it again"
                    )
        finally:
            await self._redis.aclose()

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
