"""A fleet to judge, for `judging.py`: monitors, a reference, a week behind, and panes as stage 1 sends them."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from judging_parts import Parts
from prometheus_client import CollectorRegistry

from detectors.window import Window
from driftline.reference_build import build
from streams.batch import Batch, hash_ids
from streams.history import DAY_MS, Pane
from streams.judge import JudgeState
from streams.layout import Layout
from streams.metrics import Metrics
from streams.monitor import Monitor
from streams.profile import Profile
from streams.reference import ReferenceFile
from streams.stages import turns
from streams.stages.board import Board
from streams.stages.fleet import Fleet, Watched
from streams.stages.judge_stage import TICK_S
from streams.stages.judges import Judges, Writing
from streams.window import window_of
from streams.wire import Heartbeat, HeartbeatKey, Part, PartKey, ProfileKey, encode, split

TURN_MS = turns.MS_PER_MODEL
START_MS = 1_795_000_000_000 // DAY_MS * DAY_MS
PANE_MS = 10_000
TICK_MS = int(TICK_S * 1000)
WINDOW_PANES = 30
PARTITIONS = 4
#: Events of one model.
PER_SECOND = 20
NUMBERS = tuple(f"number_{position:02d}" for position in range(40))
CATEGORIES = {
    f"category_{position}": tuple(f"value_{code}" for code in range(3 + 2 * position))
    for position in range(10)
}
VERSION = "1.4.2"
REFERENCE_ROWS = 50_000
REFERENCE_DAYS = 14
#: Panes of different events; they come in turn.
DRAWN = 8


class Fleetload:
    """Judges of some models, and the profiles that come in for them.

    Parameters
    ----------
    kind
        What the models are held against: ``file`` or ``trailing``.
    fleet
        Models of the fleet these are some of: how often each is shown in full depends on it.
    """

    def __init__(self, kind: str, models: int, fleet: int) -> None:
        self._rng = np.random.default_rng(1)
        self.names = [f"model-{number:04d}" for number in range(models)]
        turns.MS_PER_MODEL = TURN_MS * fleet // models
        stored = _reference(self._rng)
        self._watched = {name: _watched(name, kind, stored) for name in self.names}
        self.judges = Judges(Fleet("", "", self._watched, source_partitions=PARTITIONS))
        self._board = Board(_Unsent(), Metrics(CollectorRegistry()))  # type: ignore[arg-type]
        self._rows: dict[bytes, bytes] = {}
        self._drawn = [self._draw_pane(stored.layout) for _ in range(DRAWN)]
        self._next_ms = START_MS
        self.panes = self.verdicts = self.firing = self.bytes_out = self.row_bytes = 0

    def begin(self) -> None:
        """Give every model its first pane, with a week behind it."""
        self._take(self._heartbeats(START_MS), START_MS)
        for name in self.names:
            layout = self._watched[name].layout
            behind = [
                Pane(start_ms, end_ms, _draw(layout, self._rng, rows)) for start_ms, end_ms, rows in _week()
            ]
            state = JudgeState(START_MS, {}, [], [], [], [], [layout])
            self.judges.models[name].restore(state, {(VERSION, ""): behind})
        self.close_pane(Parts())
        self.panes = self.verdicts = self.firing = self.bytes_out = self.row_bytes = 0

    def close_pane(self, parts: Parts) -> None:
        """Take the next pane of every model, have it judged, and do with it all that is done but sending."""
        start_ms, self._next_ms = self._next_ms, self._next_ms + PANE_MS
        records = self._records(start_ms) | self._heartbeats(self._next_ms)
        with parts.part("rest"):
            self._take(records, self._next_ms)
            for writing in self.judges.close(lambda _: self._rows, self._next_ms):
                self._carry_out(writing)
            for now_ms in range(self._next_ms, self._next_ms + PANE_MS, TICK_MS):
                for writing in self.judges.tick(lambda _: self._rows, now_ms):
                    self._carry_out(writing)

    def _carry_out(self, writing: Writing) -> None:
        for step in writing.steps:
            self.bytes_out += sum(len(record.value or b"") for record in step.records)
            self._keep(step.rows)
        if writing.judge is not None:
            self._board.show(writing.judge, writing.judged, self._next_ms, monitored=True)
            self.panes += len(writing.judged.panes)
            self.verdicts += len(writing.judged.verdicts)
            self.firing += sum(one.status == "firing" for _, _, one in writing.judged.verdicts)

    def _take(self, records: Mapping[bytes, bytes], now_ms: int) -> None:
        self.judges.take(0, list(records), list(records.values()), _NoReceipt(), now_ms)

    def _keep(self, rows: Mapping[bytes, bytes | None]) -> None:
        for key, value in rows.items():
            if value is None:
                self._rows.pop(key, None)
            else:
                self.row_bytes += len(value)
                self._rows[key] = value

    def _records(self, start_ms: int) -> dict[bytes, bytes]:
        records = {}
        for number, name in enumerate(self.names):
            layout = self._watched[name].layout.hash
            drawn = self._drawn[(number + start_ms // PANE_MS) % DRAWN]
            for partition, whole in enumerate(drawn):
                key = ProfileKey(partition, name, VERSION, "", start_ms)
                for index, part in enumerate(whole):
                    records[encode(PartKey(key, index))] = encode(
                        msgspec.structs.replace(part, layout=layout)
                    )
        return records

    def _heartbeats(self, until_ms: int) -> dict[bytes, bytes]:
        beat = encode(Heartbeat(until_ms, False, until_ms - 1, until_ms, until_ms))
        idle = encode(Heartbeat(until_ms, True, until_ms - 1, until_ms, until_ms))
        places = [(partition, name) for partition in range(PARTITIONS) for name in self.names]
        whole = {encode(HeartbeatKey(partition, "")): idle for partition in range(PARTITIONS)}
        return {encode(HeartbeatKey(*place)): beat for place in places} | whole

    def _draw_pane(self, layout: Layout) -> list[list[Part]]:
        rows = PER_SECOND * PANE_MS // 1000 // PARTITIONS
        return [split(_draw(layout, self._rng, rows)) for _ in range(PARTITIONS)]


class _NoReceipt:
    def ack(self) -> None:
        """Acknowledge nothing: there is no broker."""


class _Unsent:
    """Takes what would go to Redis."""

    def put(self, key: str, field: str, value: str | None) -> None:
        """Take a field."""

    def set(self, key: str, value: str) -> None:
        """Take a value."""

    def append(self, key: str, at_ms: int, value: str) -> None:
        """Take an entry of a series."""


def _week() -> list[tuple[int, int, int]]:
    """Return start, end and events of panes as a week leaves them: by day, hour, five minutes, and as they came."""
    spans = []
    for length_ms, until_ms in ((DAY_MS, 7 * DAY_MS), (3_600_000, DAY_MS), (300_000, 3_600_000)):
        oldest_ms = START_MS - until_ms
        newest_ms = START_MS - max(length_ms, WINDOW_PANES * PANE_MS)
        rows = min(PER_SECOND * length_ms // 1000, 20_000)
        spans += [(at_ms, at_ms + length_ms, rows) for at_ms in range(oldest_ms, newest_ms, length_ms)]
    newest = range(START_MS - WINDOW_PANES * PANE_MS, START_MS, PANE_MS)
    return spans + [(at_ms, at_ms + PANE_MS, PER_SECOND * PANE_MS // 1000) for at_ms in newest]


def _monitor(name: str, kind: str) -> Monitor:
    features: dict[str, object] = {feature: {"type": "number", "min": -50, "max": 500} for feature in NUMBERS}
    features |= {feature: {"type": "category"} for feature in CATEGORIES}
    declared: dict[str, object] = {"model": name, "features": features, "objectives": {"latency_p99_ms": 500}}
    if kind == "file":
        declared["reference"] = {"file": "reference.json"}
    return Monitor.model_validate(declared)


def _watched(name: str, kind: str, stored: ReferenceFile) -> Watched:
    layout = msgspec.structs.replace(stored.layout, model=name)
    return Watched(_monitor(name, kind), layout, _usual(layout, stored) if kind == "file" else None)


def _usual(layout: Layout, stored: ReferenceFile) -> Window:
    profile = stored.read()
    profile.layout = layout
    return window_of(profile, version="", segment="", start_ms=0, end_ms=0, spans=stored.read_spans())


def _reference(rng: np.random.Generator) -> ReferenceFile:
    """Return a reference built of two weeks, as `driftline reference build` does."""
    rows = REFERENCE_ROWS
    ts_ms = START_MS - REFERENCE_DAYS * DAY_MS + np.arange(rows) * (REFERENCE_DAYS * DAY_MS // rows)
    numbers, texts = _values(rng, rows)
    columns: dict[str, Any] = {"ts": pa.array(ts_ms, pa.timestamp("ms", "UTC"))}
    columns |= dict(zip((*NUMBERS, "prediction", "latency_ms"), numbers.T, strict=True))
    columns |= dict(zip(CATEGORIES, texts, strict=True))
    with TemporaryDirectory(prefix="driftline-bench-") as folder:
        path = Path(folder) / "reference.parquet"
        pq.write_table(pa.table(columns), path)
        return build([path], _monitor("model", "trailing"))


def _values(rng: np.random.Generator, rows: int) -> tuple[np.ndarray[Any, np.dtype[np.float64]], list[Any]]:
    """Return numbers, shape ``(rows, columns)``, and texts by column."""
    half = len(NUMBERS) // 2
    numbers = np.concatenate(
        (
            rng.normal(0.0, 10.0, (rows, half)),
            rng.lognormal(1.0, 0.5, (rows, len(NUMBERS) - half)),
            rng.random((rows, 1)),
            rng.gamma(2.0, 8.0, (rows, 1)),
        ),
        axis=1,
    )
    numbers[:, ::4][rng.random(numbers[:, ::4].shape) < 0.01] = np.nan
    texts = []
    for values in CATEGORIES.values():
        weights = 1 / np.arange(1, len(values) + 1)
        texts.append(rng.choice(values, rows, p=weights / weights.sum()).tolist())
    return numbers, texts


def _draw(layout: Layout, rng: np.random.Generator, rows: int) -> Profile:
    """Return a profile of so many events."""
    numbers, texts = _values(rng, rows)
    profile = Profile(layout, fence=1)
    profile.fold(
        Batch(
            offsets=np.arange(rows),
            ts_ms=np.zeros(rows, np.int64),
            record_ms=np.zeros(rows, np.int64),
            id_hashes=hash_ids([str(one) for one in rng.integers(0, 2**62, rows)]),
            errors=np.zeros(rows, np.bool_),
            numbers=numbers,
            texts=texts,
            versions=[VERSION] * rows,
            segments=[],
        )
    )
    return profile
