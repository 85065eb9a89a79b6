"""Tables of predictions for tests: a small model, its rows, and the same rows as events on the wire."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.stages.fleet import Watched
from streams.views import rfc3339

START_MS = 1_795_424_400_000


def monitor(model: str = "churn", **changes: Any) -> Monitor:
    """A number, a category and a boolean; panes of 10 s."""
    declared: dict[str, Any] = {
        "model": model,
        "features": {
            "age": {"type": "number", "min": 0},
            "plan": {"type": "category"},
            "member": {"type": "boolean"},
        },
        "windows": {"pane": "10s", "current": "1m", "allowed_lateness": "10s", "min_samples": 200},
        "objectives": {"latency_p99_ms": 500},
    }
    return Monitor.model_validate(declared | changes)


def watched(*monitors: Monitor) -> dict[str, Watched]:
    return {one.model: Watched(one, compile_layout(one)) for one in monitors or (monitor(),)}


def columns(rows: int, *, per_second: int = 10, seed: int = 1, start_ms: int = START_MS) -> dict[str, Any]:
    """Columns of a table of ``rows`` rows, evenly spaced."""
    random = np.random.default_rng(seed)
    return {
        "id": [f"id-{row}" for row in range(rows)],
        "ts": start_ms + np.arange(rows, dtype=np.int64) * 1000 // per_second,
        "prediction": np.round(random.random(rows), 4),
        "latency_ms": np.round(random.gamma(2.0, 5.0, rows), 3),
        "version": ["1.4.2"] * rows,
        "age": np.round(random.normal(40.0, 8.0, rows).clip(1), 2),
        "plan": random.choice(["free", "pro", "team"], rows).tolist(),
        "member": (random.random(rows) < 0.5).tolist(),
    }


def parquet(path: Path, table: Mapping[str, Any]) -> Path:
    pa.parquet.write_table(pa.table(dict(table)), path)
    return path


def csv(path: Path, table: Mapping[str, Any]) -> Path:
    pa.csv.write_csv(pa.table(dict(table)), path)
    return path


def events(table: Mapping[str, Any], model: str = "churn") -> list[bytes]:
    """The same rows as producers would send them."""
    lists = {name: np.asarray(values).tolist() for name, values in table.items()}
    found = []
    for row in range(len(lists["ts"])):
        one = {name: values[row] for name, values in lists.items()}
        features = {name: _json(one.pop(name)) for name in ("age", "plan", "member") if name in one}
        event = {name: _json(value) for name, value in one.items()}
        event |= {"model": model, "ts": rfc3339(one["ts"]), "features": features}
        found.append(json.dumps(event).encode())
    return found


def json_lines(path: Path, lines: Sequence[bytes]) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
