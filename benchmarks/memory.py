"""How much memory one model takes in stages 1 and 2 together, over a day of event time, and whether it grows.

One model of 50 columns (44 numbers, 4 categories, prediction, latency), one version, no segments, events in
8 source partitions; panes and windows as they are by default. Profiles cross from stage 1 to stage 2 as they
do over Kafka, encoded, and are decoded again. Time is virtual, so a day takes minutes. Wanted: at most 20 MB
a model, and flat once the longest window is full.

    python benchmarks/memory.py [--hours 24] [--per-second 2] [--trace] [--json results.jsonl]

The figure is the growth of the process's resident memory since before the model; with `--trace`, what Python
and numpy have allocated since then (slower, without fragmentation).
"""

import argparse
import gc
import json
import os
import tracemalloc
from pathlib import Path

import numpy as np

from streams.batch import Batch
from streams.judge import ModelJudge
from streams.layout import Layout, compile_layout
from streams.monitor import Monitor
from streams.profiler import Profiler
from streams.wire import PartKey, decode_part

MODEL = "churn"
NUMBERS = tuple(f"feature_{position:02d}" for position in range(44))
CATEGORIES = tuple(f"category_{position:02d}" for position in range(4))
VALUES = ("basic", "free", "pro", "team")
PARTITIONS = 8
START_MS = 1_795_000_000_000
STEP_S = 10
REPORT_EVERY_S = 2 * 3600


def monitor() -> Monitor:
    """Return the monitor of the benchmarked model."""
    features: dict[str, object] = {name: {"type": "number"} for name in NUMBERS}
    features |= {name: {"type": "category", "values": VALUES} for name in CATEGORIES}
    return Monitor.model_validate(
        {"model": MODEL, "team": "growth", "features": features, "objectives": {"latency_p99_ms": 500}}
    )


def batch(source: np.random.Generator, layout: Layout, offset: int, start_ms: int, rows: int) -> Batch:
    """Return some seconds of one partition's events."""
    ts_ms = start_ms + np.sort(source.integers(0, STEP_S * 1000, rows))
    numbers = source.normal(100.0, 25.0, (rows, len(layout.numbers)))
    numbers[:, -2] = source.random(rows)
    return Batch(
        offsets=np.arange(offset, offset + rows),
        ts_ms=ts_ms,
        record_ms=ts_ms + 5,
        id_hashes=source.integers(0, 1 << 63, rows).astype(np.uint64),
        errors=np.zeros(rows, np.bool_),
        numbers=np.asfortranarray(np.abs(numbers)),
        texts=[source.choice(VALUES, rows).tolist() for _ in layout.categories],
        versions=["1.4.2"] * rows,
    )


class Pipeline:
    """Stage 1 and stage 2 of one model in one process."""

    def __init__(self) -> None:
        watched, self.layout = monitor(), compile_layout(monitor())
        self.profiler = Profiler({MODEL: (watched, self.layout)})
        self.judge = ModelJudge(watched, self.layout)
        self._source = np.random.default_rng(1)
        self._offset = 0

    def step(self, start_ms: int, rows: int) -> None:
        """Take ten seconds of every partition: fold, flush, hand over, judge."""
        end_ms = start_ms + STEP_S * 1000
        for partition in range(PARTITIONS):
            self.profiler.fold_batch(
                partition, MODEL, batch(self._source, self.layout, self._offset, start_ms, rows)
            )
            flush = self.profiler.flush(partition, end_ms, caught_up=True)
            for key, parts in flush.profiles:
                for index, part in enumerate(parts):
                    self.judge.inbox.put(PartKey(key, index), decode_part(part))
            for beat_key, beat in flush.heartbeats:
                self.judge.inbox.heard(beat_key.partition, beat)
        self._offset += rows
        judged = self.judge.close()
        if judged.layout is not None:
            self.profiler.relayout(judged.layout[1], judged.layout[0])


def used_bytes(trace: bool) -> int:
    """Return the memory in use: resident, or allocated."""
    gc.collect()
    if trace:
        return tracemalloc.get_traced_memory()[0]
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--per-second", type=float, default=2.0, help="events a second and partition")
    parser.add_argument("--trace", action="store_true", help="measure allocations instead of resident memory")
    parser.add_argument("--json", type=Path, help="append one JSON line per figure to this file")
    chosen = parser.parse_args()
    if chosen.trace:
        tracemalloc.start()
    before = used_bytes(chosen.trace)
    pipeline, rows = Pipeline(), max(1, round(chosen.per_second * STEP_S))
    for at_s in range(0, round(chosen.hours * 3600), STEP_S):
        pipeline.step(START_MS + at_s * 1000, rows)
        if (at_s + STEP_S) % REPORT_EVERY_S == 0:
            megabytes = (used_bytes(chosen.trace) - before) / 1e6
            figure = {
                "hour": (at_s + STEP_S) // 3600,
                "megabytes": round(megabytes, 1),
                "traced": chosen.trace,
            }
            print(json.dumps(figure), flush=True)
            if chosen.json is not None:
                with chosen.json.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(figure) + "\n")


if __name__ == "__main__":
    main()
