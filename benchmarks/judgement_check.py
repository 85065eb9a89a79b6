"""The simulation of false alarms held against raw events through the whole pipeline.

Four weeks of one event a second, written as files: a reference is built of the first two, the others replayed.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from judgement_alarms import told
from judgement_replicas import MODEL, WINDOW_PANES
from judgement_streams import PANE_MS, PANES_A_DAY, SCENARIOS, SHAPES, Floats, Scenario, Spec, specs
from scipy import special

from driftline.monitors import load_file, load_monitor
from driftline.reference_build import build
from driftline.replay import replay
from streams import reference

START_MS = 1_795_000_000_000 // PANE_MS * PANE_MS


def rows(seed: int, *, days: int, per_week: float = 1.0) -> Iterator[dict[str, object]]:
    """Yield the alerts of a healthy model's replay: ``days`` of reference, as many replayed."""
    for place, scenario in enumerate(one for one in SCENARIOS if one.per_second == 1):
        with TemporaryDirectory(prefix="driftline-judgement-") as folder:
            yield _row(scenario, np.random.default_rng([seed, place]), Path(folder), days, per_week)


def _row(
    scenario: Scenario, rng: np.random.Generator, folder: Path, days: int, per_week: float
) -> dict[str, object]:
    training, live = write(folder, scenario, rng, days)
    path = folder / f"{MODEL}.yaml"
    features = {one.name: {"type": one.kind} for one in specs() if one.name != "prediction"}
    windows = {"pane": f"{PANE_MS}ms", "current": f"{WINDOW_PANES * PANE_MS}ms"}
    declared = {
        "model": MODEL,
        "features": features,
        "windows": windows,
        "reference": {"file": "reference.json"},
        "false_alarms": {"per_week": per_week},
    }
    path.write_text(json.dumps(declared), encoding="utf-8")
    (folder / "reference.json").write_bytes(reference.dump(build([training], load_monitor(path)[1])))
    report = replay([live], {MODEL: load_file(path)})
    kinds = Counter({kind: count for (_, kind), count in report.alerts.items()})
    return told(scenario.name, per_week, days / 7, kinds.total()) | {
        "part": "check",
        "rows": report.rows,
        "panes": sum(report.panes.values()),
        "by_kind": dict(kinds),
    }


def write(folder: Path, scenario: Scenario, rng: np.random.Generator, days: int) -> tuple[Path, Path]:
    """Write a healthy life of twice ``days``, events at random times, and return its two halves."""
    panes = 2 * days * PANES_A_DAY
    span_ms = panes * PANE_MS
    ts_ms = np.sort(rng.integers(0, span_ms, rng.poisson(scenario.per_second * span_ms // 1000)))
    columns: dict[str, object] = {"ts": pa.array(START_MS + ts_ms, pa.timestamp("ms", "UTC"))}
    for spec in specs():
        latent = scenario.levels(rng, panes)[ts_ms // PANE_MS] + rng.normal(size=len(ts_ms))
        columns[spec.name] = _values(spec, latent, rng.random(len(ts_ms)) < spec.missing)
    table, half = pa.table(columns), int(np.searchsorted(ts_ms, span_ms // 2))
    paths = folder / "training.parquet", folder / "live.parquet"
    for path, part in zip(paths, (table.slice(0, half), table.slice(half)), strict=True):
        pq.write_table(part, path)
    return paths


def _values(spec: Spec, latent: Floats, is_missing: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> pa.Array:
    if spec.kind == "number":
        values = special.ndtr(latent) if spec.name == "prediction" else SHAPES[spec.shape](latent)
        return pa.array(values, mask=is_missing)
    return pa.array(np.array(spec.labels)[np.searchsorted(spec.cuts, latent)], mask=is_missing)
