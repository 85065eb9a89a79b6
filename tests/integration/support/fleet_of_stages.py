"""The stages as processes of their own, as a supervisor runs them, and what can be seen of them."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import redis.asyncio
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from brokers import Broker
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from traffic import PARTITIONS, now_ms

from driftline.lifeline import die_with_parent
from driftline.topics import ensure_topics
from driftline.worker import metrics_page
from monitors import files
from streams.topics import Topics

STAGES = ("profile", "judge", "desk")
DEADLINE_S = 120.0
_DEADLY, _STEPPED = (Path(__file__).with_name(name) for name in ("deadly.py", "stepped.py"))


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
        for name, content in files(webhook_url).items():
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_bytes(content)
        #: Settings of the stages that are started from now on, beside those of every pipeline.
        self.environment: dict[str, str] = {}
        self._processes: dict[str, Process] = {}
        self._started_ms: dict[str, int] = {}
        self._command = ["-m", "driftline"]

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

        ``fuse`` is the step at which the stage kills or stops itself, as `deadly.py` takes it.
        """
        command = [str(_DEADLY), fuse] if fuse else self._command
        for name in names or STAGES:
            stage = name.partition("/")[0]
            self._started_ms[name] = now_ms()
            with (self.home / f"{name.replace('/', '-')}.log").open("ab") as log:
                self._processes[name] = await asyncio.create_subprocess_exec(
                    sys.executable, *command, "worker", "--stage", stage,
                    env=self._environment(name), stdout=log, stderr=log,
                    start_new_session=True, preexec_fn=die_with_parent(os.getpid()),
                )  # fmt: skip

    def step_by(self, clock: Path) -> None:
        """Have the stages that are started from now on take the time from a file (`stepped.py`)."""
        self._command = [str(_STEPPED), str(clock)]

    async def start_worker(self) -> None:
        """Start ``driftline worker``: all stages under their supervisor, which starts again what ends."""
        environment = self._environment("worker") | {"DRIFTLINE_METRICS_PORT": "0"}
        del environment["DRIFTLINE_SUPERVISED"]
        with (self.home / "worker.log").open("ab") as log:
            self._processes["worker"] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "driftline", "worker",
                env=environment, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=die_with_parent(os.getpid()),
            )  # fmt: skip

    def restarts(self) -> list[str]:
        """Return what the supervisor said of stages that ended by themselves."""
        lines = (self.home / "worker.log").read_text(errors="replace").splitlines()
        return [line for line in lines if "it starts again in" in line]

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

    def is_stopped(self, *names: str) -> bool:
        """Whether stages have been sent SIGSTOP, and have not gone on since."""
        states = [Path(f"/proc/{self._processes[name].pid}/stat").read_text() for name in names]
        return all(state.rpartition(")")[2].split()[0] == "T" for state in states)

    def peak_bytes(self, name: str) -> int:
        """Return the most memory a stage's process has held so far (its resident set)."""
        status = Path(f"/proc/{self._processes[name].pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

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
                "PROMETHEUS_MULTIPROC_DIR": str(self._metrics_dir(name)),
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

    async def until_grown(self, count: Callable[[], Awaitable[int]], wanted: int, says: str) -> None:
        """Wait until a count has come to what is wanted, for as long as it grows now and then."""
        held = 0
        while held < wanted:

            async def grown(before: int = held) -> int:
                found = await count()
                return found if found > before else 0

            held = await self.until(grown, f"{says} ({held} of {wanted} are there)", every_s=0.5)

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
        """Return how many partitions workers have said they have and have caught up with, since they started."""
        rows = await self.hash("driftline:workers")
        found = []
        for name in workers:
            row = rows.get(f"{name}/{name.partition('/')[0]}")
            is_known = row is not None and row["caught_up"] and row["at_ms"] > self._started_ms[name]
            found.append(row["partitions"] if row is not None and is_known else -1)
        return found

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

    def metric(self, name: str, worker: str = "*", **labels: str) -> float:
        """Return the sum of a metric's samples with these labels, over all stages of one worker or of all."""
        total = 0.0
        for folder in self.home.glob(f"metrics-{worker}"):
            for line in metrics_page(str(folder)).decode().splitlines():
                if line.startswith((f"{name} ", f"{name}{{")) and all(
                    f'{label}="{value}"' in line for label, value in labels.items()
                ):
                    total += float(line.rpartition(" ")[2])
        return total

    def _metrics_dir(self, name: str) -> Path:
        """Return the folder of a worker's metrics: ``judge/2`` and ``profile/2`` are one worker's."""
        folder = self.home / f"metrics-{name.partition('/')[2] or '1'}"
        folder.mkdir(exist_ok=True)
        return folder
