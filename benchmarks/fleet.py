"""What a fleet of workers does on a real broker: how it scales, what a hot model costs, how fast it recovers.

Stage 1 runs as it is deployed, `driftline worker --stage profile`, one process a worker. Throughput counts events
as they are counted by the workers' own metrics; recovery ends when the last event's offset is committed.

- *workers*: the same events on 4 partitions, read by 1, 2 and 4 workers: events a second, and a CPU second.
  More workers than cores share them, so efficiency is told per CPU second.
- *hot*: 4 partitions and 2 workers, once with the events spread evenly, once with all of one model on one
  partition, as a producer that sends the model as key does it.
- *recovery*: a worker with the state of 200 models of 50 features on 8 partitions is killed with `kill -9` and
  started again at once, as a supervisor does: seconds until it has counted what came meanwhile, and the
  CPU seconds it has spent by then, which other work on the machine does not change. Apache Kafka gives a static
  member its partitions back at once, and others after the session timeout.

    python benchmarks/fleet.py [--only workers,hot,recovery] [--repeat 3] [--json results.jsonl]

The broker is the one at DRIFTLINE_KAFKA, else the embedded one. `tests/support/run_kafka.py` runs Apache Kafka.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
import uuid
from asyncio.subprocess import Process
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from fleet_load import Load
from rich.console import Console

from driftline.embedded import EmbeddedBroker, EmbeddedStore
from driftline.lifeline import die_with_parent
from driftline.topics import ensure_topics
from driftline.worker import metrics_page
from streams.topics import Topics

SESSION_TIMEOUT_S = 6
POLL_S = 0.1
DEADLINE_S = 300.0
BATCH_BYTES = 256 * 1024
THROUGHPUT = Load(models=4, features=20, per_second=20_000)
THROUGHPUT_SECONDS = 40
#: Recent, for Apache Kafka soon deletes events that are older than their topic keeps them.
RECENTLY_MS = (time.time_ns() // 1_000_000 - 3_600_000) // 60_000 * 60_000
RECOVERY = Load(models=200, features=50, per_second=400, start_ms=RECENTLY_MS)
RECOVERY_SECONDS = 60
Event = tuple[int, int, bytes]  # partition, epoch ms, value


@dataclass
class Fleet:
    """Workers of stage 1, their topics and their monitor files, under a prefix of their own."""

    bootstrap: str
    redis: str
    home: Path
    load: Load
    partitions: int
    topics: Topics = field(default_factory=lambda: Topics(f"bench-{uuid.uuid4().hex[:8]}"))
    workers: list[Process] = field(default_factory=list)
    produced: int = 0

    def prepare(self) -> None:
        """Create the topics, and write the monitor files (JSON is YAML)."""
        ensure_topics(self.bootstrap, self.topics, partitions=self.partitions)
        folder = self.home / "monitors"
        folder.mkdir()
        for name, (monitor, _) in self.load.watched().items():
            declared = monitor.model_dump(mode="json", include={"model", "features"}, exclude_unset=True)
            (folder / f"{name}.yaml").write_text(json.dumps(declared))

    async def produce(self, events: Iterable[Event]) -> None:
        """Put events on their partitions, in batches."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, max_batch_size=BATCH_BYTES)
        await producer.start()
        batches = {partition: producer.create_batch() for partition in range(self.partitions)}
        for partition, ts_ms, value in events:
            self.produced += 1
            while batches[partition].append(key=None, value=value, timestamp=ts_ms + 5) is None:
                await self._send(producer, partition, batches.pop(partition))
                batches[partition] = producer.create_batch()
        for partition, batch in batches.items():
            await self._send(producer, partition, batch)
        await producer.stop()

    async def _send(self, producer: AIOKafkaProducer, partition: int, batch: object) -> None:
        batch.close()  # type: ignore[attr-defined]
        await producer.send_batch(batch, self.topics.predictions.name, partition=partition)

    async def start(self, *, static: bool = False) -> None:
        """Start one more worker."""
        name = f"worker-{len(self.workers)}"
        with (self.home / f"{name}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "driftline", "worker", "--stage", "profile",
                env=self._environment("worker" if static else name, static=static), stdout=log, stderr=log,
                start_new_session=True, preexec_fn=die_with_parent(os.getpid()),
            )  # fmt: skip
        self.workers.append(process)

    def _environment(self, worker: str, *, static: bool) -> dict[str, str]:
        metrics = self.home / f"metrics-{len(self.workers)}"
        metrics.mkdir()
        return os.environ | {
            "DRIFTLINE_SUPERVISED": "1",
            "DRIFTLINE_KAFKA": self.bootstrap,
            "DRIFTLINE_REDIS": self.redis,
            "DRIFTLINE_MONITORS": str(self.home / "monitors"),
            "DRIFTLINE_TOPIC_PREFIX": self.topics.prefix,
            "DRIFTLINE_SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
            "DRIFTLINE_STATIC_MEMBERSHIP": str(static).lower(),
            "DRIFTLINE_WORKER": worker,
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        }

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End every worker that runs."""
        for process in self.workers:
            if process.returncode is None:
                process.send_signal(number)
                await process.wait()

    def cpu_s(self) -> float:
        """Return the CPU seconds of the workers that run."""
        ticks = 0
        for process in self.workers:
            if process.returncode is None:
                fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def counted(self) -> int:
        """Return how many events the workers have counted."""
        total = 0.0
        for folder in self.home.glob("metrics-*"):
            for line in metrics_page(str(folder)).decode().splitlines():
                if line.startswith(("driftline_events_total{", "driftline_late_events_total{")):
                    total += float(line.rpartition(" ")[2])
        return int(total)

    async def until_counted(self, share: float) -> int:
        """Wait until so much of what was produced is counted; return how many events that is."""
        async with asyncio.timeout(DEADLINE_S):
            while (done := self.counted()) < self.produced * share:
                await asyncio.sleep(POLL_S)
        return done

    async def until_committed(self) -> None:
        """Wait until everything that was produced is committed."""
        onlooker = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=f"{self.topics.prefix}-profile",
            enable_auto_commit=False,
        )
        await onlooker.start()
        try:
            tps = [TopicPartition(self.topics.predictions.name, one) for one in range(self.partitions)]
            async with asyncio.timeout(DEADLINE_S):
                while sum([await onlooker.committed(tp) or 0 for tp in tps]) < self.produced:
                    await asyncio.sleep(POLL_S)
        finally:
            await onlooker.stop()


def evenly(load: Load, seconds: int, partitions: int, first_s: int = 0) -> list[Event]:
    """Return the events of some seconds, spread over all partitions whatever their model."""
    skipped = first_s * load.per_second
    return [
        (number // load.models % partitions, ts_ms, value)
        for number, (ts_ms, _, value) in enumerate(load.events(first_s + seconds))
        if number >= skipped
    ]


def on_one_key(load: Load, seconds: int) -> list[Event]:
    """Return the events, of which nine in ten are of one model and so on one partition."""
    return [
        (0 if number % 10 else 1 + number // 10 % 3, ts_ms, value)
        for number, (ts_ms, _, value) in enumerate(load.events(seconds))
    ]


async def throughput(fleet: Fleet, events: Sequence[Event], workers: int) -> dict[str, float]:
    """Have workers read events that lie ready; measured from a tenth of them on, till few are left."""
    fleet.prepare()
    await fleet.produce(events)
    for _ in range(workers):
        await fleet.start()
    before = await fleet.until_counted(0.1)
    began_s, spent_s = time.monotonic(), fleet.cpu_s()
    done = await fleet.until_counted(0.95) - before
    wall_s, cpu_s = time.monotonic() - began_s, fleet.cpu_s() - spent_s
    await fleet.end()
    return {"workers": workers, "per_second": round(done / wall_s), "per_cpu_second": round(done / cpu_s)}


async def recovery(fleet: Fleet, *, static: bool) -> dict[str, float | bool]:
    """Kill a worker that holds much state, and start it again at once."""
    fleet.prepare()
    await fleet.produce(evenly(fleet.load, RECOVERY_SECONDS, fleet.partitions))
    await fleet.start(static=static)
    await fleet.until_committed()
    await fleet.end(signal.SIGKILL)
    killed_s = time.monotonic()
    await fleet.start(static=static)
    await fleet.produce(evenly(fleet.load, 1, fleet.partitions, first_s=RECOVERY_SECONDS))
    await fleet.until_committed()
    took_s, cpu_s = time.monotonic() - killed_s, fleet.cpu_s()
    await fleet.end()
    return {
        "static_membership": static,
        "session_timeout_s": SESSION_TIMEOUT_S,
        "recovery_s": round(took_s, 1),
        "cpu_s": round(cpu_s, 1),
    }


async def run(experiment: str, bootstrap: str, redis: str) -> list[dict[str, object]]:
    """Run one experiment, each case with topics of its own."""
    found: list[dict[str, object]] = []

    def fleet(load: Load, partitions: int) -> Fleet:
        return Fleet(
            bootstrap, redis, Path(folders.enter_context(tempfile.TemporaryDirectory())), load, partitions
        )

    with ExitStack() as folders:
        if experiment == "workers":
            events = evenly(THROUGHPUT, THROUGHPUT_SECONDS, 4)
            for workers in (1, 2, 4):
                found.append({**await throughput(fleet(THROUGHPUT, 4), events, workers)})
        elif experiment == "hot":
            for name, events in (
                ("even", evenly(THROUGHPUT, THROUGHPUT_SECONDS, 4)),
                ("hot", on_one_key(THROUGHPUT, THROUGHPUT_SECONDS)),
            ):
                found.append({"keys": name, **await throughput(fleet(THROUGHPUT, 4), events, 2)})
        else:
            for static in (True, False):
                found.append({**await recovery(fleet(RECOVERY, 8), static=static)})
    return [{"experiment": experiment, **one} for one in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="workers,hot,recovery")
    parser.add_argument("--repeat", type=int, default=1, help="how often each experiment is run")
    parser.add_argument("--json", type=Path, help="append one JSON line per case to this file")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedStore()).url
        bootstrap = os.environ.get("DRIFTLINE_KAFKA") or stack.enter_context(EmbeddedBroker()).bootstrap
        Console(stderr=True).print(f"broker {bootstrap}; {os.cpu_count()} cores")
        for experiment in chosen.only.split(",") * chosen.repeat:
            for figures in asyncio.run(run(experiment, bootstrap, redis)):
                print(json.dumps(figures), flush=True)
                if chosen.json is not None:
                    with chosen.json.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
