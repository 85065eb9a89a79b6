"""How cost grows with the number of models, of features, and of source partitions: stages 1 and 2 in one process.

Events of a fleet are folded every half second of event time; then what has closed is flushed, and every
three seconds all of it, as stage 1 does. The upserts go to the judges as they would over Kafka, encoded.
Nothing is sent, so what is measured is the work of the stages alone:

- stage 1's CPU seconds per million events, and per flush of a profile;
- what it sends to `profiles`: bytes a second of event time;
- stage 2's CPU milliseconds per closed pane, reading and judging;
- resident memory per model, both stages.

    python benchmarks/scale.py [--only models,features,partitions] [--json results.jsonl]

What workers on a real broker add, and how fast they recover: `benchmarks/fleet.py`.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from fleet_load import START_MS, Load
from rich.console import Console
from rich.table import Table

from streams.judge import ModelJudge
from streams.profiler import Profiler
from streams.wire import PartKey, decode_part

FLUSHES_A_SECOND = 2
FLUSHES_A_CHECKPOINT = 6
#: Event time of one run; enough for two panes to close behind the allowed lateness.
SECONDS = 70
EXPERIMENTS = {
    "models": [Load(models, 20, 10_000) for models in (1, 10, 100, 1_000)],
    "features": [Load(1, features, 1_000) for features in (5, 20, 50, 100, 500)],
    "partitions": [Load(100, 20, 10_000)] * 3,
}
PARTITIONS = {"models": (8,), "features": (8,), "partitions": (1, 8, 32)}


@dataclass(frozen=True)
class Cost:
    """What one fleet of this size costs; CPU and wall are the same here, one thread."""

    experiment: str
    models: int
    features: int
    per_second: int
    partitions: int
    stage1_s_per_million: float
    flush_ms_per_profile: float
    profile_bytes: int
    sent_bytes_per_second: int
    judge_ms_per_pane: float
    memory_kb_per_model: int


class Stages:
    """Stages 1 and 2 of one fleet, with nothing between them."""

    def __init__(self, load: Load, partitions: int) -> None:
        watched = load.watched()
        self.profiler = Profiler(watched)
        self.judges = {name: ModelJudge(*pair) for name, pair in watched.items()}
        self.partitions = partitions
        self.fold_s = self.flush_s = self.judge_s = 0.0
        self.flushed = self.sent_bytes = self.panes = 0
        self._offsets = [0] * partitions
        self._flushes = 0

    def fold(self, events: list[tuple[int, str, bytes]]) -> None:
        """Count events, the partitions in turn as a producer without keys fills them."""
        for partition in range(self.partitions):
            mine = events[partition :: self.partitions]
            if not mine:
                continue
            first = self._offsets[partition]
            offsets = np.arange(first, first + len(mine))
            record_ms = np.array([ts_ms for ts_ms, _, _ in mine]) + 5
            values = [value for _, _, value in mine]
            began_s = time.process_time()
            self.profiler.fold_records(partition, values, offsets, record_ms)
            self.fold_s += time.process_time() - began_s
            self._offsets[partition] += len(mine)

    def flush(self, now_ms: int) -> None:
        """Send what has closed, or at a checkpoint all that changed, and have it judged."""
        self._flushes += 1
        is_checkpoint = self._flushes % FLUSHES_A_CHECKPOINT == 0
        send = self.profiler.flush if is_checkpoint else self.profiler.flush_closed
        for partition in self.profiler.partitions:
            began_s = time.process_time()
            flush = send(partition, now_ms, caught_up=False)
            self.flush_s += time.process_time() - began_s
            self.flushed += len(flush.profiles)
            self.sent_bytes += sum(len(part) for _, parts in flush.profiles for part in parts)
            began_s = time.process_time()
            for key, parts in flush.profiles:
                for index, part in enumerate(parts):
                    self.judges[key.model].inbox.put(PartKey(key, index), decode_part(part))
            for beat_key, beat in flush.heartbeats:
                self.judges[beat_key.model].inbox.heard(beat_key.partition, beat)
            self.judge_s += time.process_time() - began_s
        began_s = time.process_time()
        for judge in self.judges.values():
            self.panes += len(judge.close().panes)
        self.judge_s += time.process_time() - began_s


def resident_bytes() -> int:
    """Return the memory this process holds."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(experiment: str, load: Load, partitions: int) -> Cost:
    """Run one fleet, and return what it cost."""
    before = resident_bytes()
    stages = Stages(load, partitions)
    step: list[tuple[int, str, bytes]] = []
    end_ms, events = START_MS + 1000 // FLUSHES_A_SECOND, 0
    for event in load.events(SECONDS):
        if event[0] >= end_ms:
            stages.fold(step)
            stages.flush(end_ms)
            events, step = events + len(step), []
            end_ms += 1000 // FLUSHES_A_SECOND
        step.append(event)
    return Cost(
        experiment, load.models, load.features, load.per_second, partitions,
        stage1_s_per_million=round((stages.fold_s + stages.flush_s) / events * 1e6, 2),
        flush_ms_per_profile=round(stages.flush_s / stages.flushed * 1e3, 3),
        profile_bytes=stages.sent_bytes // stages.flushed,
        sent_bytes_per_second=stages.sent_bytes // SECONDS,
        judge_ms_per_pane=round(stages.judge_s / max(stages.panes, 1) * 1e3, 2),
        memory_kb_per_model=(resident_bytes() - before) // load.models // 1000,
    )  # fmt: skip


def in_process_of_its_own(experiment: str, position: int, partitions: int) -> Cost:
    """Measure where no other fleet has left anything in memory."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", experiment, str(position), str(partitions)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Cost(**json.loads(done.stdout))


def table(costs: list[Cost]) -> Table:
    """Return the costs side by side."""
    shown = Table(
        "models", "features", "events/s", "partitions", "stage 1, s/million events", "flush, ms/profile",
        "bytes/profile", "to profiles, MB/s", "stage 2, ms/pane", "memory, kB/model",
    )  # fmt: skip
    for column in shown.columns:
        column.justify = "right"
    for one in costs:
        shown.add_row(
            f"{one.models:,}", f"{one.features:,}", f"{one.per_second:,}", str(one.partitions),
            f"{one.stage1_s_per_million:.2f}", f"{one.flush_ms_per_profile:.3f}", f"{one.profile_bytes:,}",
            f"{one.sent_bytes_per_second / 1e6:.2f}", f"{one.judge_ms_per_pane:.2f}",
            f"{one.memory_kb_per_model:,}",
        )  # fmt: skip
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default=",".join(EXPERIMENTS), help="some of: " + ",".join(EXPERIMENTS))
    parser.add_argument("--json", type=Path, help="append one JSON line per fleet to this file")
    parser.add_argument(
        "--one", nargs=3, metavar=("EXPERIMENT", "POSITION", "PARTITIONS"), help=argparse.SUPPRESS
    )
    chosen = parser.parse_args()
    if chosen.one:
        experiment, position, partitions = chosen.one
        print(
            json.dumps(asdict(measure(experiment, EXPERIMENTS[experiment][int(position)], int(partitions))))
        )
        return
    console = Console()
    for experiment in chosen.only.split(","):
        costs = []
        for position in range(len(EXPERIMENTS[experiment])):
            partitions = PARTITIONS[experiment][position % len(PARTITIONS[experiment])]
            costs.append(in_process_of_its_own(experiment, position, partitions))
            line = json.dumps(asdict(costs[-1]))
            print(line, flush=True)
            if chosen.json is not None:
                with chosen.json.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
        console.print(table(costs))


if __name__ == "__main__":
    main()
