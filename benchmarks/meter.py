"""Counts events and the time they took; the same ruler for every consumer. Needs the standard library only."""

import json
import os
import resource
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """What a consumer is to read: given to its process as JSON.

    It ends with the last of ``events``, or ``seconds`` after its warm-up if it is slow. What it commits and
    writes goes under ``prefix``, which no other run has: so each reads from the beginning.
    """

    bootstrap: str
    topic: str
    partitions: int
    events: int
    seconds: float
    prefix: str
    redis: str = ""

    def to_json(self) -> str:
        """Return the job as text."""
        return json.dumps(vars(self))


class Meter:
    """Measures from the end of a warm-up (a tenth of the events, at most two seconds) to the end.

    CPU seconds are those of the whole process, threads and system calls included.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._taken = 0
        self._began_s: float | None = None
        self._mark: tuple[int, float, float] | None = None

    def take(self, events: int, *, ahead: int = 0) -> None:
        """Count events that are done with; at the end, print the result and end the process.

        ``ahead`` more have been worked on but are not done with: at the end of the warm-up they belong to it.
        """
        now_s = time.monotonic()
        self._taken += events
        if self._began_s is None:
            self._began_s = now_s
        if self._mark is None:
            if self._taken >= self._job.events // 10 or now_s - self._began_s >= 2.0:
                self._mark = (self._taken + ahead, now_s, cpu_s())
        elif self._taken >= self._job.events or now_s - self._mark[1] >= self._job.seconds:
            self._end(*self._mark)

    @property
    def complete(self) -> bool:
        """Whether all events are taken."""
        return self._taken >= self._job.events

    def _end(self, events: int, wall_s: float, spent_s: float) -> None:
        result = {
            "events": self._taken - events,
            "wall_s": round(time.monotonic() - wall_s, 3),
            "cpu_s": round(cpu_s() - spent_s, 3),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        print(json.dumps(result), flush=True)
        # Clients are slow to close, and nobody waits for them here.
        os._exit(0)


def cpu_s() -> float:
    """Return the CPU seconds this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def job_from_arguments() -> tuple[str, Job]:
    """Return which consumer to be, and its job."""
    return sys.argv[1], Job(**json.loads(sys.argv[2]))
