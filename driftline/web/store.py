"""Reads the projection in Redis: short timeouts, one round trip a question, never a write."""

import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import msgspec
from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError

from alerts.silence import Silence
from driftline.web.errors import StoreUnavailable
from streams import desk_views
from streams.connections import StoreAddress, connect, remedy
from streams.desk_views import DeskAlertRow, DeskGroupRow, DeskStatus
from streams.receipt_views import RECEIPTS, ReceiptRow
from streams.views import PREFIX, AlertRow, ModelSummary, ModelView, VerdictRow, WorkerRow

MODELS = "driftline:models"
WORKERS = "driftline:workers"
FLEET_ALERTS = "driftline:alerts"

log = logging.getLogger(__name__)
Row = TypeVar("Row", bound=BaseModel)


class PaneLatency(msgspec.Struct, frozen=True):
    """The latency figures of a `PaneLine`, in ms."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class PaneLine(msgspec.Struct, frozen=True):
    """What charts need of a `PaneRow`: its features are skipped unread, which is many times faster."""

    start: str
    end: str
    version: str
    segment: str = ""
    events: int = 0
    invalid: int = 0
    late: int = 0
    errors: int = 0
    latency_ms: PaneLatency | None = None


@dataclass(frozen=True, slots=True)
class Tail:
    """Which panes to read: those that end at `since_ms` or later; where that is None, the newest `rows`."""

    since_ms: int | None
    rows: int


class Store:
    """The web front's only source.

    Parameters
    ----------
    url
        Where it is, and how one is let in; text alone is a URL.
    timeout_s
        Longest wait for a connection, and for each answer.
    """

    def __init__(self, url: StoreAddress | str, *, timeout_s: float = 2.0) -> None:
        self.address = StoreAddress(url) if isinstance(url, str) else url
        self._redis = connect(self.address, timeout_s=timeout_s)

    async def close(self) -> None:
        """Give the connections back."""
        await self._redis.aclose()

    async def summaries(self) -> list[ModelSummary]:
        """Return every model's summary, in no order."""
        return _rows(ModelSummary, MODELS, await self._hash(MODELS))

    async def model(self, name: str) -> tuple[ModelSummary, ModelView | None] | None:
        """Return a model's summary and, unless it expired, its current windows; None if unknown."""
        async with self._asking(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(MODELS, name)
            pipe.get(f"driftline:model:{name}")
            raw_summary, raw_view = await pipe.execute()
        view = _rows(ModelView, f"driftline:model:{name}", {b"": raw_view} if raw_view else {})
        summary = _rows(ModelSummary, MODELS, {name.encode(): raw_summary} if raw_summary else {})
        if view:
            return (summary[0] if summary else view[0].summary), view[0]
        return (summary[0], None) if summary else None

    async def knows(self, name: str) -> bool:
        """Return whether a model of that name was seen."""
        async with self._asking():
            return bool(await self._redis.hexists(MODELS, name))

    async def verdicts(self, name: str) -> list[VerdictRow]:
        """Return the latest verdict of each detector, column, version and segment."""
        key = f"driftline:model:{name}:verdicts"
        return _rows(VerdictRow, key, await self._hash(key))

    async def alerts(self, names: Sequence[str]) -> dict[str, list[AlertRow]]:
        """Return the alerts of models, firing and lately resolved."""
        keys = [f"driftline:model:{name}:alerts" for name in names]
        async with self._asking(), self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hgetall(key)
            answers = await pipe.execute()
        return {
            name: _rows(AlertRow, key, answer) for name, key, answer in zip(names, keys, answers, strict=True)
        }

    async def fleet_alerts(self) -> list[AlertRow]:
        """Return the alerts of no model, Driftline's on itself: firing and lately resolved."""
        return _rows(AlertRow, FLEET_ALERTS, await self._hash(FLEET_ALERTS))

    async def desk_alerts(self) -> list[DeskAlertRow]:
        """Return the alerts the desk holds, in no order."""
        key = f"{PREFIX}:{desk_views.ALERTS}"
        return _rows(DeskAlertRow, key, await self._hash(key))

    async def receipt(self, fingerprint: str) -> ReceiptRow | None:
        """Return an alert's way through the desk; None if the desk does not know it (any more)."""
        key = f"{PREFIX}:{RECEIPTS}"
        async with self._asking():
            row = cast("bytes | None", await self._redis.hget(key, fingerprint))
        found = _rows(ReceiptRow, key, {fingerprint.encode(): row} if row else {})
        return found[0] if found else None

    async def desk_alert(self, fingerprint: str) -> DeskAlertRow | None:
        """Return an alert as the desk holds it; None if it holds none of that fingerprint (any more)."""
        key = f"{PREFIX}:{desk_views.ALERTS}"
        async with self._asking():
            row = cast("bytes | None", await self._redis.hget(key, fingerprint))
        found = _rows(DeskAlertRow, key, {fingerprint.encode(): row} if row else {})
        return found[0] if found else None

    async def receipts(self) -> list[ReceiptRow]:
        """Return the way of every alert the desk knows, in no order."""
        key = f"{PREFIX}:{RECEIPTS}"
        return _rows(ReceiptRow, key, await self._hash(key))

    async def desk_groups(self) -> dict[str, DeskGroupRow]:
        """Return the desk's groups by id."""
        key = f"{PREFIX}:{desk_views.GROUPS}"
        held = await self._hash(key)
        return {name.decode(): row for name in held for row in _rows(DeskGroupRow, key, {name: held[name]})}

    async def desk_status(self) -> DeskStatus | None:
        """Return what the desk's owner says of itself; None if none has reported."""
        key = f"{PREFIX}:{desk_views.STATUS}"
        async with self._asking():
            row = cast("bytes | None", await self._redis.get(key))
        found = _rows(DeskStatus, key, {b"": row} if row else {})
        return found[0] if found else None

    async def silences(self) -> dict[str, Silence]:
        """Return the desk's silences by id, those lately over too."""
        key = f"{PREFIX}:{desk_views.SILENCES}"
        return {silence.id: silence for silence in _rows(Silence, key, await self._hash(key))}

    async def workers(self) -> list[WorkerRow]:
        """Return the last heartbeat of each worker."""
        return _rows(WorkerRow, WORKERS, await self._hash(WORKERS))

    async def panes(self, name: str, from_ms: int | None, to_ms: int | None) -> list[bytes]:
        """Return closed panes as stored, oldest first: those that end in ``(from_ms, to_ms]``."""
        low = "-inf" if from_ms is None else f"({from_ms}"
        async with self._asking():
            high = "+inf" if to_ms is None else str(to_ms)
            rows = await self._redis.zrange(_panes_key(name), low, high, byscore=True)
        return cast("list[bytes]", rows)

    async def newest_pane_ms(self, name: str) -> int | None:
        """Return the end of the newest closed pane."""
        async with self._asking():
            newest = await self._redis.zrange(_panes_key(name), -1, -1, withscores=True)
        return int(newest[0][1]) if newest else None

    async def tails(self, tails: Mapping[str, Tail]) -> dict[str, list[bytes]]:
        """Return the newest panes of several models, as stored."""
        async with self._asking(), self._redis.pipeline(transaction=False) as pipe:
            for name, tail in tails.items():
                if tail.since_ms is None:
                    pipe.zrange(_panes_key(name), -tail.rows, -1)
                else:
                    pipe.zrange(_panes_key(name), tail.since_ms, "+inf", byscore=True)
            answers = await pipe.execute()
        return dict(zip(tails, answers, strict=True))

    async def _hash(self, key: str) -> dict[bytes, bytes]:
        async with self._asking():
            return cast("dict[bytes, bytes]", await self._redis.hgetall(key))

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise StoreUnavailable(
                f"The store at {self.address} does not answer ({type(error).__name__}). {remedy(error)}"
            ) from error


def pane_lines(rows: Iterable[bytes]) -> list[PaneLine]:
    """Return the part of panes that charts need; rows of a newer, unknown shape are logged and left out."""
    lines = []
    for row in rows:
        try:
            lines.append(_PANE.decode(row))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("a pane in the store cannot be read: %s", error)
    return lines


def _panes_key(name: str) -> str:
    return f"driftline:model:{name}:panes"


def _rows(shape: type[Row], key: str, raw: Mapping[bytes, bytes]) -> list[Row]:
    """One row that cannot be read must not take the others' page away."""
    rows = []
    for field, value in raw.items():
        try:
            rows.append(shape.model_validate_json(value))
        except ValidationError as error:
            log.warning("%s %r in the store cannot be read: %s", key, field, error)
    return rows


_PANE = msgspec.json.Decoder(PaneLine)
