"""What judging a fleet costs: 1,000 models of 50 features, each with a pane of 10 s every 10 s, every default detector.

40 numbers and 10 categories a model, whose profiles come from 4 source partitions, encoded as they lie in Kafka.
They go through stage 2 itself, `Judges`: decoded, merged, judged, outputs and rows encoded and put up for pages;
only nothing is sent. Every model has a week of panes behind it, and is shown in full as often as one of 1,000 is.
Silence is judged every 5 s. One length of the current window is measured, so that a trailing reference moves on
once. Wanted: less than one core, 10 CPU seconds for the 10 s of 1,000 models.

    python benchmarks/judging.py [--models 20] [--reference file,trailing] [--json results.jsonl]

CPU seconds, so that a busy machine matters less; models do not share anything, so that a few tell of many.
Each part is timed without the parts within it, which itself costs about a hundredth.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from judging_load import PANE_MS, Fleetload
from judging_parts import Parts, watched
from rich.console import Console
from rich.table import Table

from streams.collector import collect_seldom

FLEET = 1_000
PANES = 30


def measure(kind: str, models: int, panes: int) -> dict[str, object]:
    """Judge some panes of some models, and return what a pane of `FLEET` models costs, in CPU seconds."""
    collect_seldom()
    load = Fleetload(kind, models, FLEET)
    load.begin()
    parts = Parts()
    with watched(parts):
        for _ in range(panes):
            load.close_pane(parts)
    scale = FLEET / models / panes
    return {
        "reference": kind,
        "models": models,
        "panes": load.panes,
        "verdicts": load.verdicts,
        "firing": load.firing,
        "cpu_s": round(parts.total_s * scale, 3),
        "of_a_core": round(parts.total_s * scale * 1000 / PANE_MS, 3),
        "bytes_out": round(load.bytes_out * scale),
        "row_bytes": round(load.row_bytes * scale),
        "parts": {name: round(spent_s * scale, 3) for name, spent_s in parts.by_size()},
    }


def table(found: list[dict[str, object]]) -> Table:
    """Return the parts, largest first, side by side."""
    shown = Table("CPU s per 10 s of 1,000 models", *(f"reference: {one['reference']}" for one in found))
    for column in shown.columns[1:]:
        column.justify = "right"
    for name, *cells in _lines(found):
        shown.add_row(name, *cells)
    return shown


def _lines(found: list[dict[str, object]]) -> Iterator[tuple[str, ...]]:
    spent: list[dict[str, float]] = [one["parts"] for one in found]  # type: ignore[misc]
    for name in sorted({name for one in spent for name in one}, key=lambda name: -spent[0].get(name, 0.0)):
        yield name, *(f"{one.get(name, 0.0):.2f}" for one in spent)
    yield "all", *(f"{one['cpu_s']:.2f}" for one in found)
    yield "share of one core", *(f"{one['of_a_core']:.0%}" for one in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", type=int, default=20, help="so many are judged, and the cost scaled")
    parser.add_argument("--panes", type=int, default=PANES)
    parser.add_argument("--reference", default="file,trailing", help="some of: file,trailing")
    parser.add_argument("--json", type=Path, help="append one JSON line per reference to this file")
    chosen = parser.parse_args()
    found = []
    for kind in chosen.reference.split(","):
        found.append(measure(kind, chosen.models, chosen.panes))
        print(json.dumps(found[-1]), flush=True)
        if chosen.json is not None:
            with chosen.json.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found[-1]) + "\n")
    Console().print(table(found))


if __name__ == "__main__":
    main()
