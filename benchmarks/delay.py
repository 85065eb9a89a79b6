"""How long after the close of a pane its verdicts are on the topic: the whole pipeline, as processes.

The embedded broker and store, the three stages as `driftline up` runs them, and steady traffic of one model at
a time (18 numbers, 2 categories, every default detector, a reference file). A pane may be judged once the wall
clock has passed its end plus the allowed lateness; from there the time runs until a consumer of the verdicts
topic holds the *last* of the pane's verdicts. Panes that closed before the model's first verdict belong to the
start-up and are left out. Wanted: under two seconds.

    python benchmarks/delay.py [--panes 1s:20,10s:3] [--lateness 1s] [--per-second 200] [--json results.jsonl]
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import workload
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from alerts.duration import parse
from detectors.registry import DETECTORS
from driftline import fleet, reference_build
from driftline.embedded import EmbeddedBroker, EmbeddedStore
from driftline.monitors import load_monitor
from driftline.settings import Settings
from driftline.up import EMBEDDED
from driftline.web.times import epoch_ms
from driftline.worker import Supervisor, settings_environment
from streams import reference
from streams.topics import Topics
from streams.views import VerdictRow

TRAINING_ROWS = 10_000
BATCH_S = 0.02
#: A pane's verdicts come together: after so long none is missing.
SETTLED_MS = 2_000
#: A pipeline that says nothing for so long is broken.
PATIENCE_S = 60.0


@dataclass(slots=True)
class Case:
    """One model and its panes: ``first`` and ``last`` hold when a pane's verdicts were seen, epoch ms."""

    pane: str
    panes: int
    lateness: str
    first: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    delays_s: list[float] = field(default_factory=list)

    @property
    def model(self) -> str:
        """Name of its model."""
        return f"panes-of-{self.pane}"

    def settle(self, now_ms: int) -> bool:
        """Take the delays of the panes that nothing more comes of; return whether they are enough."""
        begun_ms = min(self.first.values(), default=now_ms)
        closes = {end_ms: end_ms + parse(self.lateness) for end_ms in sorted(self.last)}
        self.delays_s = [
            (self.last[end_ms] - close_ms) / 1000
            for end_ms, close_ms in closes.items()
            if close_ms > begun_ms and now_ms - self.last[end_ms] > SETTLED_MS
        ]
        return len(self.delays_s) >= self.panes

    @property
    def gaps(self) -> int:
        """Panes between the first and the last one judged of which nothing was said."""
        return (max(self.last) - min(self.last)) // parse(self.pane) + 1 - len(self.last)

    def see(self, row: VerdictRow, now_ms: int) -> None:
        """Note a verdict on a pane."""
        end_ms = epoch_ms(row.at)
        self.first.setdefault(end_ms, now_ms)
        self.last[end_ms] = now_ms


def declare(case: Case, folder: Path, source: random.Random) -> None:
    """Write a model's monitor and its reference."""
    pane_ms, path = parse(case.pane), folder / f"{case.model}.yaml"
    windows = {"pane": case.pane, "current": f"{30 * pane_ms}ms", "allowed_lateness": case.lateness}
    stored = folder / f"{case.model}.reference.json"
    declared = workload.declared(case.model) | {"windows": windows, "reference": {"file": stored.name}}
    path.write_text(json.dumps(declared), encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        training = Path(scratch) / "training.jsonl"
        rows = [workload.event(source, case.model, workload.START_MS + row) for row in range(TRAINING_ROWS)]
        training.write_bytes(b"\n".join(rows))
        stored.write_bytes(reference.dump(reference_build.build([training], load_monitor(path)[1])))


async def send(producer: AIOKafkaProducer, settings: Settings, case: Case, per_second: int) -> None:
    """Send events of a model evenly, over all partitions in turn, until enough of its panes are measured."""
    topic, source = Topics(settings.topic_prefix).predictions.name, random.Random(2)
    sent, began_s = 0, time.monotonic()
    while not case.settle(now_ms()):
        due = int((time.monotonic() - began_s) * per_second)
        for number in range(sent, due):
            value = workload.event(source, case.model, now_ms())
            await producer.send(topic, value, partition=number % settings.partitions)
        sent = due
        await asyncio.sleep(BATCH_S)


async def listen(consumer: AIOKafkaConsumer, cases: dict[str, Case]) -> None:
    """Note when verdicts on panes come."""
    async for record in consumer:
        seen_ms, row = now_ms(), VerdictRow.model_validate_json(record.value)
        if DETECTORS[row.detector].observes == "pane":
            cases[row.model].see(row, seen_ms)


async def measure(settings: Settings, metrics_dir: str, cases: list[Case], per_second: int) -> None:
    """Run the pipeline, and give it the traffic of one model after the other."""
    stop = asyncio.Event()
    topic = Topics(settings.topic_prefix).verdicts.name
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await consumer.start()
    await producer.start()
    pipeline = asyncio.create_task(Supervisor(settings_environment(settings), metrics_dir).run(stop))
    listener = asyncio.create_task(listen(consumer, {case.model: case for case in cases}))
    try:
        for case in cases:
            async with asyncio.timeout(PATIENCE_S + (case.panes + 3) * parse(case.pane) / 1000):
                await send(producer, settings, case, per_second)
    finally:
        stop.set()
        listener.cancel()
        await asyncio.gather(pipeline, listener, return_exceptions=True)
        await producer.stop()
        await consumer.stop()


def now_ms() -> int:
    """Return the wall clock, epoch ms."""
    return time.time_ns() // 1_000_000


def figures(case: Case, per_second: int) -> dict[str, object]:
    """Return what was measured of a case."""
    delays_s = sorted(case.delays_s)
    rank = min(round(0.95 * len(delays_s)), len(delays_s) - 1)
    return {
        "pane": case.pane,
        "lateness": case.lateness,
        "events_per_second": per_second,
        "panes": len(delays_s),
        "panes_without_a_verdict": case.gaps,
        "median_s": round(statistics.median(delays_s), 3),
        "p95_s": round(delays_s[rank], 3),
        "max_s": round(delays_s[-1], 3),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--panes", default="1s:20,10s:3", help="length of a pane, and how many to measure")
    parser.add_argument("--lateness", default="1s", help="allowed lateness")
    parser.add_argument("--per-second", type=int, default=200, help="events a second")
    parser.add_argument("--json", type=Path, help="append one JSON line per length to this file")
    chosen = parser.parse_args()
    wanted = (each.partition(":") for each in chosen.panes.split(","))
    cases = [Case(pane, int(panes), chosen.lateness) for pane, _, panes in wanted]
    shown = Table("panes of", "measured", "median s", "p95 s", "max s")
    with EmbeddedBroker() as broker, EmbeddedStore() as store, tempfile.TemporaryDirectory() as home:
        monitors, metrics = Path(home) / "monitors", Path(home) / "metrics"
        monitors.mkdir()
        metrics.mkdir()
        for case in cases:
            declare(case, monitors, random.Random(1))
        settings = Settings(
            kafka=broker.bootstrap,
            redis=store.url,
            monitors=monitors,
            alerting=None,
            log_level="ERROR",
            **EMBEDDED,
        )
        fleet.prepare_topics(settings)
        asyncio.run(measure(settings, str(metrics), cases, chosen.per_second))
    for case in cases:
        found = figures(case, chosen.per_second)
        line = json.dumps(found)
        print(line, flush=True)
        if chosen.json is not None:
            with chosen.json.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        shown.add_row(case.pane, *(str(found[name]) for name in ("panes", "median_s", "p95_s", "max_s")))
    Console().print(shown)


if __name__ == "__main__":
    main()
