"""The stages as processes of their own, as a supervisor runs them, and what can be seen of them."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import redis.asyncio
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from brokers import Broker
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from traffic import PARTITIONS

from driftline.lifeline import die_with_parent
from driftline.topics import ensure_topics
from driftline.worker import metrics_page
from monitors import files
from streams.topics import Topics

STAGES = ("profile", "judge", "desk")
DEADLINE_S = 120.0
_DEADLY = Path(__file__).with_name("deadly.py")


class Pipeline:
    """Topics, files and stages under one prefix."""

    def __init__(self, broker: Broker, prefix: str, redis_url: str, webhook_url: str, home: Path) -> None:
        self.broker = broker
        self.topics = Topics(prefix)
        self.redis_url = redis_url
        self.redis = redis.asyncio.Redis.from_url(
            redis_url, socket_timeout=5, decode_responses=True, retry=Retry(ConstantBackoff(0.1), 5)
        )
        self.home = home
        self.metrics_dir = home / "metrics"
        self.metrics_dir.mkdir()
        for name, content in files(webhook_url).items():
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_bytes(content)
        #: Settings of the stages that are started from now on, beside those of every pipeline.
        self.environment: dict[str, str] = {}
        self._processes: dict[str, Process] = {}

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(
            ensure_topics, self.broker.bootstrap, self.topics, partitions=PARTITIONS, replication=1
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        running = [name for name, process in self._processes.items() if process.returncode is None]
        await asyncio.gather(*(self._end(name, signal.SIGKILL) for name in running))
        await self.redis.aclose()

    # Stages.

    async def start(self, *names: str, fuse: str = "") -> None:
        """Start stages; ``profile/2`` is a second worker of a stage.

        ``fuse`` is a step at which the stage kills itself and how often it comes to it before: ``fold@3``
        (`deadly.py`).
        """
        command = [str(_DEADLY), *fuse.split("@")] if fuse else ["-m", "driftline"]
        for name in names or STAGES:
            stage = name.partition("/")[0]
            with (self.home / f"{name.replace('/', '-')}.log").open("ab") as log:
                self._processes[name] = await asyncio.create_subprocess_exec(
                    sys.executable, *command, "worker", "--stage", stage,
                    env=self._environment(name), stdout=log, stderr=log,
                    start_new_session=True, preexec_fn=die_with_parent(os.getpid()),
                )  # fmt: skip

    async def stop(self, *names: str) -> None:
        """Stop stages as a supervisor does; they must end well."""
        ended = await asyncio.gather(*(self._end(name, signal.SIGTERM) for name in names or STAGES))
        assert not any(ended), self.log()

    async def kill(self, *names: str) -> None:
        """``kill -9``."""
        await asyncio.gather(*(self._end(name, signal.SIGKILL) for name in names))

    async def killed_itself(self, *names: str) -> None:
        """Wait until stages have died of their fuse."""
        for name in names:
            status = await self._ended(name)
            assert status == -signal.SIGKILL, f"{name} ended with {status}\n{self.log()}"

    async def crashed(self, name: str) -> str:
        """Wait until a stage has ended by itself with an error, and return its log."""
        status = await self._ended(name)
        assert status == 1, f"{name} ended with {status}\n{self.log()}"
        return (self.home / f"{name.replace('/', '-')}.log").read_text(errors="replace")

    async def _ended(self, name: str) -> int:
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._processes[name].wait()
        except TimeoutError:
            raise AssertionError(f"{name} did not end by itself\n{self.log()}") from None

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a stage's process."""
        self._processes[name].send_signal(number)

    async def _end(self, name: str, number: signal.Signals) -> int:
        process = self._processes[name]
        assert process.returncode is None, f"{name} has ended by itself\n{self.log()}"
        process.send_signal(number)
        return await process.wait()

    def _environment(self, name: str) -> dict[str, str]:
        return (
            os.environ
            | {
                "DRIFTLINE_SUPERVISED": "1",
                "DRIFTLINE_KAFKA": self.broker.bootstrap,
                "DRIFTLINE_REDIS": self.redis_url,
                "DRIFTLINE_MONITORS": str(self.home / "monitors"),
                "DRIFTLINE_ALERTING": str(self.home / "alerting.yml"),
                "DRIFTLINE_TOPIC_PREFIX": self.topics.prefix,
                "DRIFTLINE_SESSION_TIMEOUT_S": "6",
                "DRIFTLINE_PARTITIONS": str(PARTITIONS),
                "DRIFTLINE_PUBLIC_URL": "https://drift.example.org",
                "DRIFTLINE_WORKER": name,
                "PROMETHEUS_MULTIPROC_DIR": str(self.metrics_dir),
            }
            | self.environment
        )

    def log(self) -> str:
        """Return the last lines of every stage's log."""
        parts = []
        for path in sorted(self.home.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()[-25:]
            parts.append("\n".join([f"--- {path.name}", *lines]))
        return "\n".join(parts)

    async def until(
        self, condition: Callable[[], Any], says: str, *, deadline_s: float = DEADLINE_S, every_s: float = 0.1
    ) -> Any:
        """Wait until a condition (which may be a coroutine function) is true, and return what it gave."""
        try:
            async with asyncio.timeout(deadline_s):
                while True:
                    found = condition()
                    found = await found if asyncio.iscoroutine(found) else found
                    if found:
                        return found
                    ended = {
                        n: p.returncode
                        for n, p in self._processes.items()
                        if p.returncode not in (None, -9, 0)
                    }
                    assert not ended, f"ended while waiting: {ended}\n{self.log()}"
                    await asyncio.sleep(every_s)
        except TimeoutError:
            shown = [await self.redis.hgetall(f"driftline:{key}") for key in ("workers", "models")]
            raise AssertionError(f"not within {deadline_s:g} s: {says}\n{shown}\n{self.log()}") from None

    # What can be seen.

    async def panes(self, model: str) -> list[dict[str, Any]]:
        """Return the series of a model in Redis."""
        rows: Any = await self.redis.zrange(f"driftline:model:{model}:panes", 0, -1)
        return [json.loads(row) for row in rows]

    async def hash(self, key: str) -> dict[str, dict[str, Any]]:
        """Return a hash of JSON values."""
        held: Any = await self.redis.hgetall(key)
        return {field: json.loads(value) for field, value in held.items()}

    async def partitions_of(self, *workers: str) -> list[int]:
        """Return how many partitions workers say they have, and have caught up with."""
        rows = await self.hash("driftline:workers")
        stages = {name: f"{name}/{name.partition('/')[0]}" for name in workers}
        return [
            rows[stages[name]]["partitions"]
            if stages[name] in rows and rows[stages[name]]["caught_up"]
            else -1
            for name in workers
        ]

    async def records(self, topic: str) -> list[ConsumerRecord]:
        """Return everything on a topic."""
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=self.broker.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            partitions = consumer.assignment()
            ends = await consumer.end_offsets(partitions)
            found: list[ConsumerRecord] = []
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += batch
            return found
        finally:
            await consumer.stop()

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples with these labels, over all stages."""
        total = 0.0
        for line in metrics_page(str(self.metrics_dir)).decode().splitlines():
            if line.startswith((f"{name} ", f"{name}{{")) and all(
                f'{label}="{value}"' in line for label, value in labels.items()
            ):
                total += float(line.rpartition(" ")[2])
        return total
