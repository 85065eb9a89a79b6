"""What every pane must show, counted in plain Python that shares no code with Driftline."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from inputs import FUTURE_MS, LATENESS_MS, LISTED, PANE_MS, PLAUSIBLE, SEGMENTS, Sent

FEATURES = {"churn": ("age", "plan"), "fraud": ("amount",), "nobody": ()}
MONITORED = ("churn", "fraud")
#: model, pane start, version, segment
PaneKey = tuple[str, int, str, str]


@dataclass
class Tally:
    """What one pane of one version and segment holds; beside that, ``doubtful`` events may be in it or late."""

    events: int = 0
    errors: int = 0
    doubtful: int = 0
    values: defaultdict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def column(self, name: str) -> dict[str, Any]:
        """Return the figures of one column."""
        values = self.values[name]
        # A failed prediction is an error, no missing value.
        expected = self.events - (self.errors if name in ("prediction", "latency_ms") else 0)
        found = {"count": len(values), "missing": max(expected - len(values), 0)}
        if name in LISTED:
            return found | {"out_of_range": sum(value not in LISTED[name] for value in values)}
        low, high = PLAUSIBLE.get(name, (-math.inf, math.inf))
        mean = fmean(values) if values else None
        return found | {
            "out_of_range": sum(not low <= value <= high for value in values),
            "minimum": min(values, default=None),
            "maximum": max(values, default=None),
            "mean": mean,
            "standard_deviation": mean if mean is None else math.sqrt(fmean((v - mean) ** 2 for v in values)),
        }


@dataclass
class Recount:
    """Panes by key; late and doubtful events by model and version; invalid ones by model; places of all bad records."""

    panes: defaultdict[PaneKey, Tally] = field(default_factory=lambda: defaultdict(Tally))
    late: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    doubtful: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    invalid: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    bad: set[tuple[int, int]] = field(default_factory=set)


def recount(sent: Iterable[Sent], *, idle: bool) -> Recount:
    """Count as the rules say: each event against the watermark of its model and partition before it.

    Parameters
    ----------
    idle
        Partitions may have been seen to be quiet: event time went on, or panes closed without them, up to where
        the broker's time had come less the lateness. What came of panes before that may be late for it, or not.
    """
    result = Recount()
    watermarks: dict[tuple[str, int], int] = {}
    for one in sorted(sent, key=lambda each: (each.partition, each.offset)):
        if one.event is None:
            result.bad.add((one.partition, one.offset))
            if one.model in MONITORED:
                result.invalid[one.model] += 1
            continue
        _count(result, watermarks, one, one.event, idle=idle)
    return result


def _count(
    result: Recount,
    watermarks: dict[tuple[str, int], int],
    one: Sent,
    event: Mapping[str, Any],
    *,
    idle: bool,
) -> None:
    where = one.model, one.partition
    ts_ms, version = event["ts"], event["version"]
    assert ts_ms <= one.record_ms + FUTURE_MS
    start_ms = ts_ms // PANE_MS * PANE_MS
    if where in watermarks and start_ms + PANE_MS <= watermarks[where]:
        result.late[(one.model, version)] += 1
        return
    reached_ms = min(ts_ms, one.record_ms) - LATENESS_MS[one.model]
    watermarks[where] = max(watermarks.get(where, reached_ms), reached_ms)
    named = [f"{name}={event['segments'][name]}" for name in SEGMENTS[one.model] if "segments" in event]
    is_doubtful = idle and start_ms + PANE_MS <= one.record_ms - LATENESS_MS[one.model]
    result.doubtful[(one.model, version)] += is_doubtful
    for segment in ["", *named]:
        tally = result.panes[(one.model, start_ms, version, segment)]
        tally.doubtful += is_doubtful
        if is_doubtful:
            continue
        tally.events += 1
        tally.errors += "error" in event
        for name, value in event.get("features", {}).items():
            if value is not None:
                tally.values[name].append(value)
        for name in ("prediction", "latency_ms"):
            if event.get(name) is not None:
                tally.values[name].append(event[name])
