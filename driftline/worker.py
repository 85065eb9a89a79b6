"""A worker: one process per stage, so that a rebalance or crash of one never stops the others."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from pydantic import SecretStr

from driftline import fleet as fleets
from driftline.lifeline import die_with_parent
from driftline.metrics_files import count_in_files
from driftline.monitors import load_folder
from driftline.settings import Settings, variable
from driftline.watchdog import end_when_blocked
from streams.metrics import Metrics
from streams.stages.desk_stage import DeskStage
from streams.stages.run import make_stage, run_stage, stages_for
from streams.views import StageName

METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
SUPERVISED = "DRIFTLINE_SUPERVISED"
STOP_TIMEOUT_S = 25.0
#: Seconds before a stage that ended is started again: doubled each time, reset after a minute of health.
FIRST_PAUSE_S, LONGEST_PAUSE_S, HEALTHY_S = 1.0, 30.0, 60.0

_logger = logging.getLogger(__name__)


async def run_supervised(stage: StageName, settings: Settings) -> None:
    """Run one stage in this process until a signal; a crash is raised."""
    stop = asyncio.Event()
    stop_on_signals(stop)
    fleet = fleets.make_fleet(settings, load_folder(settings.monitors))
    load = partial(fleets.reload_alerting, settings.alerting)
    config = fleets.load_alerting(settings.alerting)
    instance = f"{settings.worker}-{stage}" if settings.static_membership else None
    count_in_files(stage)
    shell = make_stage(stage, fleet, Metrics(CollectorRegistry()), config, instance=instance, load=load)
    if isinstance(shell, DeskStage):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, shell.reload)
    _logger.info("stage %s of worker %s runs on %s", stage, fleet.worker, fleet.brokers)
    async with end_when_blocked(settings.stalled_s):
        await run_stage(shell, stop)


def metrics_page(folder: str) -> bytes:
    """Return the metrics of all stages of this worker, in Prometheus' text format."""
    registry = CollectorRegistry()
    _Stages(registry, path=folder)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


class _Stages(MultiProcessCollector):
    """Reads the stages' files, without those that a stage which starts has only just opened."""

    def collect(self) -> Any:
        files = [str(file) for file in Path(self._path).glob("*.db") if _is_begun(file)]
        return self.merge(files)  # type: ignore[no-untyped-call]


def _is_begun(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # its stage has just ended
        return False


@dataclass(slots=True)
class Supervisor:
    """Keeps the stages' processes running.

    Parameters
    ----------
    environment
        What the stages get; their settings are in it.
    metrics_dir
        Where they write their metrics.
    """

    environment: Mapping[str, str]
    metrics_dir: str
    stages: Sequence[StageName] = stages_for({})
    _processes: dict[StageName, "asyncio.subprocess.Process"] = field(default_factory=dict)

    @property
    def running(self) -> dict[StageName, int]:
        """Stages whose process lives, with its id."""
        return {
            stage: process.pid for stage, process in self._processes.items() if process.returncode is None
        }

    def reload(self) -> None:
        """Have the desk read the alerting file again."""
        if (pid := self.running.get("desk")) is not None:
            os.kill(pid, signal.SIGHUP)

    async def run(self, stop: asyncio.Event) -> None:
        """Run the stages until ``stop``; start again what ends before."""
        keepers = [asyncio.create_task(self._keep(stage, stop)) for stage in self.stages]
        try:
            await asyncio.wait(keepers, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            stop.set()
            await asyncio.gather(*keepers)

    async def _keep(self, stage: StageName, stop: asyncio.Event) -> None:
        pause_s = FIRST_PAUSE_S
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            started_s = time.monotonic()
            process = self._processes[stage] = await self._start(stage)
            ended = asyncio.create_task(process.wait())
            await asyncio.wait([ended, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await _end(stage, process)
            status = await ended
            mark_process_dead(stage, self.metrics_dir)  # type: ignore[no-untyped-call]
            if stop.is_set():
                return
            if time.monotonic() - started_s > HEALTHY_S:
                pause_s = FIRST_PAUSE_S
            _logger.error("stage %s ended with status %s; it starts again in %g s", stage, status, pause_s)
            await asyncio.wait([stopping], timeout=pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _start(self, stage: StageName) -> "asyncio.subprocess.Process":
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "driftline", "worker", "--stage", stage,
            env={**self.environment, METRICS_DIR: self.metrics_dir, SUPERVISED: "1"},
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the parent, which stops us in order
            preexec_fn=die_with_parent(os.getpid()),
        )  # fmt: skip


async def _end(stage: StageName, process: "asyncio.subprocess.Process") -> None:
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        _logger.error("stage %s did not stop within %g s and is killed", stage, STOP_TIMEOUT_S)
        process.kill()


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` on Ctrl-C and SIGTERM; the second one ends the process at once."""
    loop = asyncio.get_running_loop()

    def ask() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask)


def settings_environment(settings: Settings) -> dict[str, str]:
    """Return this process's environment with the settings in force written into it.

    Secrets that stand in files stay there: only the files' paths are handed on.
    """
    environment = dict(os.environ)
    for name, value in settings.model_dump().items():
        if value is not None:
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            environment[variable(name)] = text
    return environment
