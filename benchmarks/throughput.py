"""How many events a second one consumer process takes from one broker on one machine: Driftline and others.

The same JSON events (18 numbers, 2 categories, some 560 bytes) lie on the embedded broker; the consumers
read them one after the other, each in a process of its own, and never at the same time as they are written.

- *librdkafka*, *aiokafka*: raw fetching, nothing decoded. The ceiling of the C and of the Python client.
- *faust*: a stock Faust agent with `stream.take(5000, within=0.1)` over raw bytes, doing nothing.
- *quix*, *bytewax*: Quix Streams and Bytewax decode the JSON (with orjson), and do nothing else.
- *chunks*: Driftline's chunk transport inside Faust, doing nothing.
- *stage*: the whole of Driftline's stage 1: decode, validate, every statistic, flush, checkpoint, acknowledge.
- *fold*: the same without Kafka, its pure core.

Ratios are of events per CPU second of the consumer's process; events per second of wall time depend on the
machine's neighbours, and broker and consumer share its cores.

    python benchmarks/throughput.py [--events 1000000] [--only stage,faust] [--json results.jsonl]
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import workload
from meter import Job
from peers import NOT_INSTALLED, PEERS
from rich.console import Console
from rich.table import Table

from driftline.embedded import EmbeddedBroker, EmbeddedStore
from driftline.topics import ensure_topics
from streams.topics import Topics

HERE = Path(__file__).parent
TITLES = {
    "librdkafka": "librdkafka, raw",
    "aiokafka": "aiokafka getmany, raw",
    "faust": "stock Faust, take(5000), no work",
    "quix": "Quix Streams, JSON decode",
    "bytewax": "Bytewax + orjson decode",
    "chunks": "Driftline chunk transport, no work",
    "stage": "Driftline stage 1, everything",
    "fold": "Driftline fold, without Kafka",
}
#: A consumer that hangs is given this long beyond what its job may take.
GRACE_S = 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """One consumer's result; ``note`` says why there is none."""

    name: str
    events: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mb: int = 0
    note: str = ""

    @property
    def per_second(self) -> float:
        """Events per second of wall time."""
        return self.events / self.wall_s if self.wall_s else 0.0

    @property
    def per_cpu_second(self) -> float:
        """Events per CPU second of the consumer's process."""
        return self.events / self.cpu_s if self.cpu_s else 0.0


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=15.0, help="a slow consumer is stopped after these")
    parser.add_argument(
        "--repeat", type=int, default=1, help="runs of each; the one of least CPU time counts"
    )
    parser.add_argument("--only", default=",".join(TITLES), help="some of: " + ",".join(TITLES))
    parser.add_argument("--json", type=Path, help="append one JSON line per consumer to this file")
    parser.add_argument(
        "--peer-python", default=_peer_python(), help="interpreter with benchmarks/requirements.txt installed"
    )
    chosen = parser.parse_args()
    if unknown := set(chosen.only.split(",")) - TITLES.keys():
        parser.error(f"--only {','.join(sorted(unknown))}: there are {', '.join(TITLES)}")
    return chosen


def _peer_python() -> str:
    own = HERE.parent / ".venv-bench" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def measure(name: str, job: Job, peer_python: str) -> Row:
    """Run one consumer in its process."""
    if name == "stage":
        ensure_topics(job.bootstrap, Topics(job.prefix), partitions=job.partitions)
    python, script = (peer_python, "peers.py") if name in PEERS else (sys.executable, "consumers.py")
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    try:
        done = subprocess.run(
            [python, str(HERE / script), name, job.to_json()],
            capture_output=True, text=True, timeout=2 * job.seconds + GRACE_S, env=environment, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Row(name, note="no result in time")
    if done.returncode == NOT_INSTALLED:
        return Row(name, note="not installed")
    if done.returncode:
        return Row(name, note=f"failed: {done.stderr.strip().splitlines()[-1:]}")
    return Row(name, **json.loads(done.stdout.strip().splitlines()[-1]))


def table(rows: dict[str, Row]) -> Table:
    """Return the results side by side."""
    shown = Table(
        "consumer", "events/s", "events per CPU s", "x stock Faust", "x Bytewax decode", "peak memory, MB"
    )
    for column in shown.columns[1:]:
        column.justify = "right"
    for name, row in rows.items():
        if row.note:
            shown.add_row(TITLES[name], row.note)
            continue
        shown.add_row(
            TITLES[name], f"{row.per_second:,.0f}", f"{row.per_cpu_second:,.0f}",
            _ratio(row, rows.get("faust")), _ratio(row, rows.get("bytewax")), f"{row.peak_mb:,}",
        )  # fmt: skip
    return shown


def _ratio(row: Row, other: Row | None) -> str:
    if other is None or not other.per_cpu_second:
        return "-"
    return f"{row.per_cpu_second / other.per_cpu_second:.1f}"


def record(row: Row, chosen: argparse.Namespace) -> str:
    """Return a result as a JSON line."""
    rates = {"per_second": round(row.per_second), "per_cpu_second": round(row.per_cpu_second)}
    return json.dumps(asdict(row) | rates | {"produced": chosen.events, "partitions": chosen.partitions})


def main() -> None:
    chosen, console = arguments(), Console()
    rows: dict[str, Row] = {}
    with EmbeddedBroker() as broker, EmbeddedStore() as store:
        topics = Topics("bench")
        ensure_topics(broker.bootstrap, topics, partitions=chosen.partitions)
        console.print(f"writing {chosen.events:,} events to {chosen.partitions} partition(s) ...")
        size_bytes = asyncio.run(
            workload.produce(broker.bootstrap, topics.predictions.name, chosen.partitions, chosen.events)
        )
        console.print(f"{size_bytes / chosen.events:.0f} bytes each; {os.cpu_count()} cores")
        jobs = [
            Job(
                broker.bootstrap,
                topics.predictions.name,
                chosen.partitions,
                chosen.events,
                chosen.seconds,
                f"bench-{run}",
                store.url,
            )
            for run in range(1, chosen.repeat + 1)
        ]
        for name in chosen.only.split(","):
            found = [measure(name, job, chosen.peer_python) for job in jobs]
            rows[name] = max(found, key=lambda row: row.per_cpu_second)
            line = record(rows[name], chosen)
            print(line, flush=True)
            if chosen.json is not None:
                with chosen.json.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
    console.print(table(rows))


if __name__ == "__main__":
    main()
