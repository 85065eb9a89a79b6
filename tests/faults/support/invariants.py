"""What must hold when a world has come to rest, whatever happened in it."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from inputs import PANE_MS
from recount import FEATURES, PaneKey, Recount, recount
from world import World


def violations(world: World) -> list[str]:
    """Return what is wrong, in words; empty if nothing is."""
    wanted = recount(world.sent)
    rows, found = _pane_rows(world)
    return [
        *world.wrong,
        *found,
        *_panes(rows, wanted, world),
        *_late_and_invalid(rows, wanted),
        *_dead_letters(world, wanted),
    ]


def _pane_rows(world: World) -> tuple[dict[PaneKey, dict[str, Any]], list[str]]:
    """Return the closed panes told; one told again must be the same."""
    rows: dict[PaneKey, dict[str, Any]] = {}
    found = []
    for _, _, entry in world.broker.records(world.fleet.topics.panes.name):
        told = json.loads(entry.value or b"")
        row = told["pane"]
        key = (told["model"], _epoch_ms(row["start"]), row["version"], row["segment"])
        if rows.setdefault(key, row) != row:
            found.append(f"{key} was told as {rows[key]} and then as {row}")
    return rows, found


def _panes(rows: Mapping[PaneKey, dict[str, Any]], wanted: Recount, world: World) -> Iterator[str]:
    last_ms = world.end_ms // PANE_MS * PANE_MS
    for key, tally in sorted(wanted.panes.items()):
        if key[1] >= last_ms:
            continue
        row = rows.get(key)
        if row is None:
            yield f"{key} with {tally.events} events is not there"
            continue
        if (row["events"], row["errors"]) != (tally.events, tally.errors):
            yield f"{key} has {row['events']} events, {row['errors']} errors; {tally.events}, {tally.errors} wanted"
            continue
        for name in (*FEATURES[key[0]], "prediction", "latency_ms"):
            yield from _column(key, name, row, tally.column(name))
    for key in sorted(rows.keys() - wanted.panes.keys()):
        if rows[key]["events"]:
            yield f"{key} has {rows[key]['events']} events; there are none"


def _column(key: PaneKey, name: str, row: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    if key[0] == "nobody" and name != "latency_ms":
        return
    shown = row["latency_ms"] if name == "latency_ms" else {**row["features"], **row["prediction"]}[name]
    for figure, value in wanted.items():
        have = shown[figure]
        exact = isinstance(value, int) or value is None or have is None or figure in ("minimum", "maximum")
        if have != value if exact else not math.isclose(have, value, rel_tol=1e-9, abs_tol=1e-9):
            yield f"{key} {name}: {figure} is {have}, {value} wanted"


def _late_and_invalid(rows: Mapping[PaneKey, dict[str, Any]], wanted: Recount) -> Iterator[str]:
    late: Counter[tuple[str, str]] = Counter()
    invalid: Counter[str] = Counter()
    for (model, _, version, segment), row in rows.items():
        if not segment:
            late[(model, version)] += row["late"]
            invalid[model] += row["invalid"]
    for key in late.keys() | wanted.late.keys():
        if late[key] != wanted.late[key]:
            yield f"{key} has {late[key]} late events; {wanted.late[key]} wanted"
    for model in invalid.keys() | wanted.invalid.keys():
        if invalid[model] != wanted.invalid[model]:
            yield f"{model} has {invalid[model]} invalid events; {wanted.invalid[model]} wanted"


def _dead_letters(world: World, wanted: Recount) -> Iterator[str]:
    told: defaultdict[tuple[int, int], int] = defaultdict(int)
    for _, _, entry in world.broker.records(world.fleet.topics.dead_letter.name):
        headers = dict(entry.headers)
        told[(int(headers["driftline-partition"]), int(headers["driftline-offset"]))] += 1
    for place in sorted(wanted.bad - told.keys()):
        yield f"the bad record at {place} has no dead letter"
    for place in sorted(told.keys() - wanted.bad):
        yield f"the good record at {place} has a dead letter"


def _epoch_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
