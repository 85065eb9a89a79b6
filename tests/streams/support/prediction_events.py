"""Events, monitors and comparisons that the tests of the pure core share."""

import json
from typing import Any

import numpy as np

from streams.batch import Batch, hash_ids
from streams.layout import Layout
from streams.monitor import Monitor
from streams.profile import Profile

T0 = 1_780_000_000_000

#: What must be equal to the bit, whatever the order and the chunks.
EXACT = (
    "events", "errors", "invalid", "late", "ids", "unexpected", "count", "out_of_range", "minimum", "maximum",
    "bins", "sketch_keys", "sketch_counts", "registers", "category_counts", "unlisted",
    "matched",
)  # fmt: skip


def monitor(**fields: Any) -> Monitor:
    """Return a small monitor; fields replace its own."""
    own: dict[str, Any] = {
        "model": "churn",
        "features": {
            "age": {"type": "number", "min": 18, "max": 100},
            "plan": {"type": "category", "values": ["free", "pro"]},
            "city": {"type": "category"},
            "new": {"type": "boolean"},
        },
        "windows": {"pane": "10s", "current": "1m", "allowed_lateness": "10s", "min_samples": 100},
    }
    return Monitor.model_validate(own | fields)


def event(number: int = 0, ts: Any = T0, **fields: Any) -> bytes:
    """Return a prediction event as its producer sends it."""
    own: dict[str, Any] = {"id": f"id-{number}", "model": "churn", "ts": ts, "prediction": 0.5}
    return json.dumps(own | fields).encode()


def batch(layout: Layout, rows: list[dict[str, Any]]) -> Batch:
    """Return rows ({column: value or None}, beside "id" and "error") as a batch."""
    n = len(rows)
    return Batch(
        offsets=np.arange(n),
        ts_ms=np.full(n, T0),
        record_ms=np.full(n, T0),
        id_hashes=hash_ids([str(row.get("id", at)) for at, row in enumerate(rows)]),
        errors=np.array([bool(row.get("error")) for row in rows], dtype=np.bool_),
        numbers=np.asfortranarray(
            np.array(
                [[row.get(column.name) for column in layout.numbers] for row in rows], dtype=np.float64
            ).reshape(n, len(layout.numbers))
        ),
        texts=[[row.get(column.name) for row in rows] for column in layout.categories],
        versions=[""] * n,
    )


def folded(layout: Layout, *chunks: list[dict[str, Any]]) -> Profile:
    """Return a profile of the chunks, folded one after the other."""
    profile = Profile(layout)
    for rows in chunks:
        profile.fold(batch(layout, rows))
    return profile


def bits(profile: Profile, *, moments: bool = False) -> dict[str, Any]:
    """Return a profile's statistics as plain values that compare to the bit."""
    names = (*EXACT, "mean", "squares") if moments else EXACT
    return {name: _plain(getattr(profile, name)) for name in names}


def _plain(value: Any) -> Any:
    return value.tobytes() if isinstance(value, np.ndarray) else value
