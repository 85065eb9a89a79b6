"""Two models whose drift pages only where it costs performance: a score and a number, each with labelled data."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.random import Generator, default_rng

from driftline.monitors import load_monitor
from driftline.reference_build import build
from streams import reference

MODELS = ("loans", "prices")
#: Drift of `extra` costs nothing; `size` is what the models answer by.
FEATURES = ("size", "extra")
_COMMON = """\
features: {size: {type: number}, extra: {type: number}}
windows: {pane: 1s, current: 5s, allowed_lateness: 2s, min_samples: 300}
detectors:
  psi: {gate: performance, severity: critical}
  lasting_shift: false
  stale_stream: false
  traffic_silence: false
  traffic_surge: false
"""
MONITORS = {
    "loans": "model: loans\nreference: {file: loans.reference.json}\nprediction: {type: score}\n"
    "labels: {objectives: {accuracy: 0.75}}\n" + _COMMON,
    "prices": "model: prices\nreference: {file: prices.reference.json}\nprediction: {type: number}\n"
    "labels: {objectives: {mae: 1.3}}\n" + _COMMON,
}
ALERTING = """\
route:
  receiver: tickets
  group_by: [model, alertname, feature, severity]
  group_wait: 100ms
  group_interval: 1s
  routes: [{{matchers: ['severity="critical"'], receiver: pager}}]
receivers:
  - {{name: tickets, webhook_configs: [{{url: "{url}"}}]}}
  - {{name: pager, webhook_configs: [{{url: "{url}"}}]}}
"""


def rows(
    random: Generator, model: str, count: int, *, harder: bool = False, extra: float = 0.0
) -> dict[str, Any]:
    """Return columns of predictions with their labels; ``harder`` ones the models are less sure of.

    Of a loan's score the probability of its label is what it says: 0.84 is right on most, 0.8 accuracy is usual.
    The error of a price grows with its size.
    """
    if model == "loans":
        size = random.normal(0.0, 0.4 if harder else 3.0, count)
        answer = 1.0 / (1.0 + np.exp(-size))
        label: Any = (random.random(count) < answer).astype(int)
    else:
        size = random.normal(2.0 if harder else 0.0, 1.0, count)
        answer = 10.0 + 2.0 * size
        label = answer + random.normal(size=count) * (0.5 + 0.5 * np.clip(size + 1.0, 0.0, None))
    return {"size": size, "extra": random.normal(extra, 1.0, count), "prediction": answer, "label": label}


def place(home: Path, webhook_url: str) -> None:
    """Put monitors, their references, learnt as `driftline reference build` does, and ``alerting.yml`` in place."""
    folder = home / "monitors"
    for old in folder.iterdir():
        old.unlink()
    (home / "alerting.yml").write_text(ALERTING.format(url=webhook_url))
    for model, text in MONITORS.items():
        path, data = folder / f"{model}.yaml", home / f"{model}.parquet"
        path.write_text(text)
        pa.parquet.write_table(pa.table(rows(default_rng(3), model, 6_000)), data)
        built = build([data], load_monitor(path)[1])
        (folder / f"{model}.reference.json").write_bytes(reference.dump(built))
