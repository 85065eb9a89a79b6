"""How many rows a second `driftline replay` takes from Parquet: read, count, judge with every default detector.

18 numbers and 2 categories a row, as in `throughput.py`. The cost of a pane is judging it, that of a row is
counting it; so the same rows are replayed at several densities of event time, and it is said which part of the CPU
time each takes. Wanted: 10,000,000 rows in 60 CPU seconds, 167,000 rows per CPU second, where panes are well filled.

    python benchmarks/replay.py [--rows 1000000] [--per-second 100,1000,10000] [--json results.jsonl]
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import workload
from judging_parts import Parts, timing
from meter import cpu_s
from rich.console import Console
from rich.table import Table

from driftline.replay import replay
from streams.judge import ModelJudge
from streams.profiler import Profiler
from streams.stages.fleet import Watched

#: What is timed; reading is all the rest.
TIMED = (
    (Profiler, "fold_decoded", "count"), (Profiler, "take_closed", "count"),
    (ModelJudge, "close", "judge"), (ModelJudge, "tick", "judge"),
)  # fmt: skip


def write(path: Path, rows: int, per_second: int) -> None:
    """Write a file of predictions, ``per_second`` of them in event time."""
    source = np.random.default_rng(1)
    columns = {
        "ts": pa.array(workload.START_MS + np.arange(rows) * 1000 // per_second, pa.timestamp("ms", "UTC")),
        "prediction": source.random(rows),
        "latency_ms": source.gamma(2.0, 8.0, rows),
    }
    columns |= {name: source.normal(0.0, 10.0, rows) for name in workload.NUMBERS}
    columns |= {name: source.choice(values, rows) for name, values in workload.CATEGORIES.items()}
    pq.write_table(pa.table(columns), path)


def measure(path: Path, per_second: int) -> dict[str, float]:
    """Replay a file and return the figures."""
    began_s, parts = cpu_s(), Parts()
    with timing(parts, TIMED), parts.part("read"):
        report = replay([path], {workload.MODEL: Watched(workload.monitor(), workload.layout())})
    spent_s = cpu_s() - began_s
    return {
        "rows": report.rows,
        "per_second_of_event_time": per_second,
        "panes": sum(report.panes.values()),
        "rows_per_second": round(report.rows_per_second),
        "rows_per_cpu_second": round(report.rows / spent_s),
        "cpu_s_per_10_million": round(spent_s / report.rows * 1e7, 1),
    } | {
        f"share_{name}": round(parts.spent_s[name] / parts.total_s, 3) for name in ("read", "count", "judge")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--per-second", default="100,1000,10000", help="densities of event time")
    parser.add_argument("--json", type=Path, help="append one JSON line per density to this file")
    chosen = parser.parse_args()
    shown = Table(
        "events/s of event time", "panes", "rows/s", "rows per CPU s", "CPU s for 10 million",
        "read", "count", "judge",
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as folder:
        for per_second in map(int, chosen.per_second.split(",")):
            path = Path(folder) / f"{per_second}.parquet"
            write(path, chosen.rows, per_second)
            figures = measure(path, per_second)
            print(json.dumps(figures), flush=True)
            if chosen.json is not None:
                with chosen.json.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(figures) + "\n")
            shown.add_row(
                f"{per_second:,}", f"{figures['panes']:,}",
                f"{figures['rows_per_second']:,}", f"{figures['rows_per_cpu_second']:,}",
                f"{figures['cpu_s_per_10_million']:,}",
                *(f"{figures[f'share_{name}']:.0%}" for name in ("read", "count", "judge")),
            )  # fmt: skip
    Console().print(shown)


if __name__ == "__main__":
    main()
