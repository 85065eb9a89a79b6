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

from streams import backlog
from streams.stages import profile_rows
from streams.wire import encode

#: Panes between the last event and the watermark, and versions and segments a pane may have.
OPEN_PANES, GROUPS = 6, 10
#: Found by the clock: a crash may keep the news back until the next refresh, a minute later.
TOLD_AGAIN = ("StaleStream", backlog.KIND)


def violations(world: World) -> list[str]:
    """Return what is wrong, in words; empty if nothing is."""
    wanted = recount(world.sent, idle=world.live)
    rows, found = _pane_rows(world, wanted)
    return [
        *world.wrong,
        *found,
        *_panes(rows, wanted, world),
        *_late_and_invalid(rows, wanted, exactly=not world.live),
        *_dead_letters(world, wanted),
        *_alerts(world),
        *_memory(world),
        *_notifications(world),
    ]


def _pane_rows(world: World, wanted: Recount) -> tuple[dict[PaneKey, dict[str, Any]], list[str]]:
    """Return the closed panes told; one told again must be the same.

    Where partitions may be idle, late and bad events of one may be counted in a pane or miss it: a worker that
    stood still and the one that followed it need not agree on those (docs/reliability.md, what is not promised).
    """
    left_out = {"late", "invalid"} if world.live else set()
    rows: dict[PaneKey, dict[str, Any]] = {}
    found = []
    for _, _, entry in world.broker.records(world.fleet.topics.panes.name):
        told = json.loads(entry.value or b"")
        row = told["pane"]
        key = (told["model"], _epoch_ms(row["start"]), row["version"], row["segment"])
        first = rows.setdefault(key, row)
        if key in wanted.panes and wanted.panes[key].doubtful:
            continue
        if any(_rounded(first[name]) != _rounded(row[name]) for name in row.keys() - left_out):
            found.append(f"{key} was told as {rows[key]} and then as {row}")
    return rows, found


def _rounded(value: Any) -> Any:
    """Return a row with its moments as far as they are promised to agree; what is exact has few digits."""
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return value


def _panes(rows: Mapping[PaneKey, dict[str, Any]], wanted: Recount, world: World) -> Iterator[str]:
    last_ms = world.end_ms // PANE_MS * PANE_MS
    for key, tally in sorted(wanted.panes.items()):
        if key[1] >= last_ms:
            continue
        row = rows.get(key)
        if row is None:
            if tally.events:
                yield f"{key} with {tally.events} events is not there"
            continue
        if tally.doubtful:
            if not tally.events <= row["events"] <= tally.events + tally.doubtful:
                yield f"{key} has {row['events']} events; {tally.events} wanted, and up to {tally.doubtful} more"
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


def _late_and_invalid(
    rows: Mapping[PaneKey, dict[str, Any]], wanted: Recount, *, exactly: bool
) -> Iterator[str]:
    """Of a partition that was idle, bad events may fall in panes that closed without it: then fewer are seen."""
    late: Counter[tuple[str, str]] = Counter()
    invalid: Counter[str] = Counter()
    for (model, _, version, segment), row in rows.items():
        if not segment:
            late[(model, version)] += row["late"]
            invalid[model] += row["invalid"]
    for key in late.keys() | wanted.late.keys():
        # Each of two workers, one of them left behind, may have its own pane for it.
        at_most = wanted.late[key] if exactly else 2 * (wanted.late[key] + wanted.doubtful[key])
        if late[key] != wanted.late[key] and (exactly or late[key] > at_most):
            yield f"{key} has {late[key]} late events; {at_most} wanted"
    for model in invalid.keys() | wanted.invalid.keys():
        if invalid[model] != wanted.invalid[model] and (exactly or invalid[model] > wanted.invalid[model]):
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


def _alerts(world: World) -> Iterator[str]:
    """The desk must come to hold for firing what the judges do."""
    held = {
        name: f"{record.upsert.status} as of {record.version}"
        for worker in world.desks
        if worker.desk is not None
        for name, record in worker.desk.alerts.items()
    }
    told = {name for desk in world.desks if desk.desk is not None for name in desk.desk.firing}
    firing = {
        upsert.fingerprint: upsert.labels
        for worker in world.judges
        for judge in worker.judges.models.values()
        for upsert in judge.book.current()
    }
    firing |= {
        upsert.fingerprint: upsert.labels
        for worker in world.judges
        if worker.judges.backlog is not None
        for upsert in backlog.current(worker.judges.backlog)
    }
    for name in sorted(told - firing.keys()):
        yield f"the desk holds {name} as {held[name]}; it is over"
    for name in sorted(firing.keys() - told):
        if firing[name]["alertname"] in TOLD_AGAIN:
            continue
        yield f"{firing[name]} fires; the desk holds {held.get(name)}"


def _notifications(world: World) -> Iterator[str]:
    """What fires at the desk was told, what is over was told too, and nothing twice without saying so."""
    seen: set[str] = set()
    told: dict[str, str] = {}
    for one in world.broker.received:
        if one.idempotency_key in seen and not one.possible_repeat:
            yield f"{one.title!r} was sent twice, and is not marked as a possible repeat"
        seen.add(one.idempotency_key)
        told |= {alert.fingerprint: alert.status for alert in one.alerts}
    firing = {name for desk in world.desks if desk.desk is not None for name in desk.desk.firing}
    believed = {name for name, status in told.items() if status == "firing"}
    for name in sorted(firing - believed):
        yield f"{name} fires, and nobody was told"
    for name in sorted(believed - firing):
        yield f"{name} is over, and nobody was told"


def _memory(world: World) -> Iterator[str]:
    """At rest a worker holds what is open, and the rows of that."""
    models = len(world.producer.models)
    for worker in world.profilers:
        for partition, state in worker.profiler.partitions.items():
            rows = worker.rows[partition].keys() - {profile_rows.CHECKPOINT}
            kept = state.open.keys() | state.passed
            if rows != set(map(encode, kept)):
                yield f"{worker.name} has {len(rows)} rows for {len(kept)} profiles of {partition}"
            if len(state.open) > OPEN_PANES * GROUPS * models:
                yield f"{worker.name} holds {len(state.open)} open profiles of {partition}"
        if any(worker._receipts.values()) or any(worker._letters.values()):
            yield f"{worker.name} holds receipts or letters of what it has written"
    for worker in world.judges:
        for partition, waiting in worker.judges._waiting.items():
            if waiting and all(worker.judges._is_closed(*pane) for pane in waiting[0].panes.items()):
                yield f"{worker.name} holds {len(waiting)} chunks of {partition}, the first of closed panes"
        for model, judge in worker.judges.models.items():
            if len(judge.inbox) > OPEN_PANES * GROUPS * world.fleet.source_partitions:
                yield f"{worker.name} holds {len(judge.inbox)} open profiles of {model}"


def _epoch_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
