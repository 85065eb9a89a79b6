"""Traffic of the test's making, and a recount of it in plain Python that shares no code with Driftline."""

import asyncio
import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import pytest
from aiokafka import AIOKafkaProducer
from numpy.random import default_rng

from monitors import LATENESS_MS, PANE_MS, amounts_of

PARTITIONS = 2
FEATURES = {"churn": ("age", "plan", "visits"), "fraud": ("amount",)}
PLAUSIBLE = {"age": (18, 100)}
LISTED = {"plan": ("free", "pro")}


@dataclass(frozen=True)
class Sent:
    partition: int
    offset: int
    record_ms: int
    event: dict[str, Any]


class Traffic:
    """Sends events pane by pane, to every partition, and remembers what the broker made of them.

    Event time begins four and a half minutes ago and goes on by one pane a call, so that it never overtakes the clock.
    """

    def __init__(self, bootstrap: str, topic: str, *, per_pane: int = 20) -> None:
        self.sent: list[Sent] = []
        self.panes = 0
        self.slow = False
        self.drifted = False
        #: What churn's features contribute, at most, in this order; None: events carry no attributions.
        self.contributions: tuple[float, ...] | None = None
        self.start_ms = (now_ms() - 270_000) // PANE_MS * PANE_MS
        self._topic = topic
        self._per_pane = per_pane
        self._random = default_rng(11)
        self._ids = 0
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, max_request_size=4 << 20)

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def pane(self) -> None:
        """Send one pane of every model to every partition, a few stragglers and late events among it."""
        at_ms = self.start_ms + self.panes * PANE_MS
        self.panes += 1
        events = []
        for partition in range(PARTITIONS):
            for model in FEATURES:
                for step in range(self._per_pane):
                    events.append((partition, self._event(model, at_ms + step * PANE_MS // self._per_pane)))
                events.append((partition, self._event(model, at_ms - 1_500)))
                if self.panes % 7 == 0:
                    events.append((partition, self._event(model, at_ms - 20_000)))
        await self.send(events)

    async def panes_of(self, count: int) -> None:
        """Send some panes as fast as they go."""
        for _ in range(count):
            await self.pane()

    @asynccontextmanager
    async def flowing(self, every_s: float = 0.4) -> AsyncIterator[None]:
        """Send a pane every now and then, for the length of a block.

        The longer it lasts the slower, so that on a slow machine, too, event time does not overtake the clock, and
        the store keeps every pane.
        """
        enough = asyncio.Event()

        async def flow() -> None:
            while not enough.is_set():
                await self.pane()
                await asyncio.sleep(every_s * max(1.0, self.panes / 100))

        task = asyncio.create_task(flow())
        try:
            yield
        finally:
            enough.set()
            await task

    async def live(self) -> int:
        """Send an event of every model to every partition as of now; return its time."""
        at_ms = now_ms()
        await self.send((p, self._event(model, at_ms)) for p in range(PARTITIONS) for model in FEATURES)
        return at_ms

    async def unmonitored(self) -> None:
        """Send half a minute of a model without a monitor: half of it fails; then let its panes end."""
        events = [
            {
                "id": f"nobody-{i}",
                "model": "nobody",
                "ts": self.start_ms + 100 * i,
                "prediction": 1.0,
                "latency_ms": 20,
            }
            | ({"error": "no", "prediction": None} if i % 2 else {})
            for i in range(300)
        ]
        last = {"id": "nobody-last", "model": "nobody", "ts": now_ms(), "prediction": 1.0, "unheard": "of"}
        for partition in range(PARTITIONS):
            await self.send((partition, event) for event in [*events[partition::2], last])

    async def send(self, events: Iterable[tuple[int, dict[str, Any]]]) -> None:
        """Send events to partitions, in order, and remember where they went."""
        record_ms = now_ms()
        under_way = [
            (event, await self.raw(partition, json.dumps(event).encode(), record_ms))
            for partition, event in events
        ]
        for event, future in under_way:
            found = await future
            self.sent.append(Sent(found.partition, found.offset, record_ms, event))

    async def raw(self, partition: int, value: bytes | None, record_ms: int | None = None) -> Any:
        """Send a value as it is; returns the future of its place."""
        return await self._producer.send(
            self._topic, value, key=b"k", partition=partition, timestamp_ms=record_ms or now_ms()
        )

    def _event(self, model: str, ts_ms: int) -> dict[str, Any]:
        self._ids += 1
        random = self._random
        event: dict[str, Any] = {
            "id": f"{model}-{self._ids}", "model": model, "ts": ts_ms, "version": ("1", "2")[self._ids % 3 == 0],
            "prediction": round(float(random.random()), 4),
            "latency_ms": 500.0 if self.slow and model == "fraud" else round(float(random.gamma(2.0, 5.0)), 2),
            "features": self._features(model),
        }  # fmt: skip
        if self._ids % 50 == 0:
            event |= {"error": "timeout", "prediction": None}
        if model == "churn" and self.contributions is not None:
            event["attributions"] = {
                name: float(random.uniform(-most, most))
                for name, most in zip(FEATURES[model], self.contributions, strict=True)
            }
        if model == "churn" and self._ids % 2:
            event["segments"] = {"country": ("DE", "FR")[self._ids % 4 == 1]}
        return event

    def _features(self, model: str) -> dict[str, Any]:
        random = self._random
        if model == "fraud":
            return {"amount": amounts_of(random, 1)[0]}
        features: dict[str, Any] = {
            "age": int(random.integers(10, 90)) * (4 if self.drifted else 1),
            "plan": str(random.choice(["free", "pro", "team"])),
            "visits": int(random.poisson(4)),
        }
        if self._ids % 9 == 0:
            del features["visits"]
        return features


@dataclass
class Tally:
    """What one pane of one version and segment must show."""

    events: int = 0
    errors: int = 0
    values: defaultdict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def shown(self, features: tuple[str, ...]) -> dict[str, Any]:
        return {
            "events": self.events,
            "errors": self.errors,
            "features": {name: self._column(name) for name in features},
        }

    def _column(self, name: str) -> dict[str, Any]:
        values = self.values[name]
        low, high = PLAUSIBLE.get(name, (-math.inf, math.inf))
        if name in LISTED:
            outside = sum(value not in LISTED[name] for value in values)
            least = most = mean = deviation = None
        else:
            outside = sum(not low <= value <= high for value in values)
            least, most = min(values, default=None), max(values, default=None)
            mean, deviation = _moments(values)
        return {
            "count": len(values),
            "missing": self.events - len(values),
            "out_of_range": outside,
            "minimum": least,
            "maximum": most,
            "mean": mean,
            "standard_deviation": deviation,
        }


def _moments(values: list[float]) -> tuple[Any, Any]:
    """Return mean and population standard deviation, to be compared to a relative 1e-9."""
    if not values:
        return None, None
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    return pytest.approx(mean, rel=1e-9, abs=1e-12), pytest.approx(deviation, rel=1e-9, abs=1e-9)


@dataclass
class Recount:
    """Panes by (start, version, segment), all of which close once nothing comes any more; late events."""

    panes: dict[tuple[int, str, str], dict[str, Any]]
    late: int


def recount(sent: Iterable[Sent], model: str) -> Recount:
    """Count a model's events as the rules say: lateness per partition, in order of arrival."""
    watermarks: dict[int, int] = {}
    tallies: defaultdict[tuple[int, str, str], Tally] = defaultdict(Tally)
    late = 0
    mine = [one for one in sent if one.event["model"] == model]
    for one in sorted(mine, key=lambda each: (each.partition, each.offset)):
        event = one.event
        start_ms = event["ts"] // PANE_MS * PANE_MS
        before = watermarks.get(one.partition, -math.inf)
        if start_ms + PANE_MS <= before:
            late += 1
            continue
        watermarks[one.partition] = int(max(before, min(event["ts"], one.record_ms) - LATENESS_MS))
        segments = [f"country={value}" for value in event.get("segments", {}).values()]
        for segment in ["", *segments]:
            tally = tallies[(start_ms, event["version"], segment)]
            tally.events += 1
            tally.errors += "error" in event
            for name, value in event["features"].items():
                tally.values[name].append(value)
    return Recount({key: tally.shown(FEATURES[model]) for key, tally in tallies.items()}, late)


def shown(rows: Iterable[dict[str, Any]]) -> dict[tuple[int, str, str], dict[str, Any]]:
    """Return pane rows in the recount's shape; a pane that stands twice is an error."""
    columns = ("count", "missing", "out_of_range", "minimum", "maximum", "mean", "standard_deviation")
    rows = list(rows)
    keys = Counter((row["start"], row["version"], row["segment"]) for row in rows)
    twice = [row for row in rows if keys[row["start"], row["version"], row["segment"]] > 1]
    assert not twice, f"a pane stands twice: {twice}"
    return {
        (epoch_ms(row["start"]), row["version"], row["segment"]): {
            "events": row["events"],
            "errors": row["errors"],
            "features": {
                name: {column: one[column] for column in columns} for name, one in row["features"].items()
            },
        }
        for row in rows
        if row["events"]
    }


def epoch_ms(text: str) -> int:
    from datetime import datetime

    return round(datetime.fromisoformat(text).timestamp() * 1000)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
