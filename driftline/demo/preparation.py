"""The demo's monitor and its reference, made from rows the model would have been trained on."""

import hashlib
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
import yaml

from driftline.demo.traffic import Traffic
from streams import reference
from streams.decode import Decoder, ModelCodec
from streams.layout import compile_layout
from streams.monitor import DAY_MS, Monitor
from streams.profile import Profile

TRAINING_ROWS = 20_000
TRAINING_DAYS = 30
SEED = 20_260_101


def prepare(folder: Path, now_ms: int, seed: int = SEED) -> None:
    """Write ``credit.yaml`` and ``credit.reference.json`` into a folder.

    Parameters
    ----------
    now_ms
        Epoch milliseconds; the reference covers the 30 days before.
    """
    text = resources.files(__package__).joinpath("credit.yaml").read_text(encoding="utf-8")
    monitor = Monitor.model_validate(yaml.safe_load(text))
    found = training_reference(monitor, now_ms, seed)
    path = monitor.reference_path(folder)
    assert path is not None
    path.write_bytes(reference.dump(found))
    (folder / "credit.yaml").write_text(text, encoding="utf-8")


def training_reference(monitor: Monitor, now_ms: int, seed: int) -> reference.ReferenceFile:
    """Return the reference of quiet traffic."""
    values = [value for _, value in Traffic(seed).events(TRAINING_ROWS, 0.0, now_ms)]
    offsets = np.arange(len(values), dtype=np.int64)
    codec = ModelCodec(monitor, compile_layout(monitor))
    decoded = Decoder({monitor.model: codec}).decode(values, offsets, np.full(len(values), now_ms))
    batch = decoded.models[monitor.model].batch
    warm_up = Profile(codec.layout)
    warm_up.fold(batch)
    edges = {
        column.name: reference.number_edges(batch.numbers[:, position])
        for position, column in enumerate(codec.layout.numbers)
        if reference.needs_edges(column)
    }
    categories = {
        column.name: reference.listed_categories(reference.category_counts(warm_up, position))
        for position, column in enumerate(codec.layout.categories)
        if not column.closed
    }
    layout = compile_layout(monitor, edges=edges, values=categories)
    profile = Profile(layout)
    profile.fold(batch)
    return reference.ReferenceFile(
        format=reference.FORMAT,
        model=monitor.model,
        source=f"generated for the demo, seed {seed}",
        source_sha256=hashlib.sha256(msgspec.json.encode(values)).hexdigest(),
        rows=len(values),
        start_ms=now_ms - TRAINING_DAYS * DAY_MS,
        end_ms=now_ms,
        layout=layout,
        profile=reference.pack(profile),
    )
