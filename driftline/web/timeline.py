"""Closed panes as the model page charts them: one version and segment, in few enough columns to see."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from driftline.web.store import PaneLatency, PaneLine
from driftline.web.times import epoch_ms


@dataclass(frozen=True, slots=True)
class Slot:
    """One column of a chart: panes that follow each other, taken together.

    ``events`` includes ``errors``; ``invalid`` and ``late`` come on top. ``p50_ms`` is the mean of the
    panes by their events, ``p95_ms`` and ``p99_ms`` are the worst pane's: quantiles do not add up.
    """

    start_ms: int
    end_ms: int
    events: int = 0
    invalid: int = 0
    late: int = 0
    errors: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None

    @property
    def received(self) -> int:
        """Every event that came, whatever became of it."""
        return self.events + self.invalid + self.late

    def per_second(self, events: int) -> float:
        """Return a count of this slot as a rate."""
        return events * 1000.0 / max(self.end_ms - self.start_ms, 1)

    def share(self, events: int) -> float | None:
        """Return a count of this slot as a share of all that came; None where nothing came."""
        return events / self.received if self.received else None


def totals(lines: Iterable[PaneLine], version: str = "", segment: str = "") -> list[PaneLine]:
    """Return one line per pane, oldest first: of a version and segment.

    Version "" asks for all of them, added up; a line's own version "" is of events that carry none. Such a
    line without a good event counts with every version: what was wrong with its events hid theirs.
    """
    panes: dict[str, list[PaneLine]] = {}
    for line in lines:
        hides_version = not line.version and not line.events
        if line.segment == segment and (version in ("", line.version) or hides_version):
            panes.setdefault(line.end, []).append(line)
    return [_one(panes[end]) for end in sorted(panes, key=epoch_ms)]


def timeline(lines: Sequence[PaneLine], columns: int) -> list[Slot]:
    """Return at most `columns` slots of equal length over the panes, gaps left empty.

    Parameters
    ----------
    lines
        One per pane, oldest first, as `totals` returns them.
    columns
        Most slots to return, 1 or more.
    """
    if not lines:
        return []
    first_ms, last_ms = epoch_ms(lines[0].start), epoch_ms(lines[-1].end)
    pane_ms = max(min(epoch_ms(line.end) - epoch_ms(line.start) for line in lines), 1)
    panes = -(-(last_ms - first_ms) // pane_ms)
    slot_ms = pane_ms * -(-panes // columns)
    slots: dict[int, list[PaneLine]] = {}
    for line in lines:
        slots.setdefault((epoch_ms(line.start) - first_ms) // slot_ms, []).append(line)
    return [
        _slot(first_ms + i * slot_ms, min(first_ms + (i + 1) * slot_ms, last_ms), slots.get(i, []))
        for i in range(-(-(last_ms - first_ms) // slot_ms))
    ]


def _one(lines: list[PaneLine]) -> PaneLine:
    if len(lines) == 1:
        return lines[0]
    return PaneLine(
        start=lines[0].start,
        end=lines[0].end,
        version="",
        segment=lines[0].segment,
        events=sum(line.events for line in lines),
        invalid=sum(line.invalid for line in lines),
        late=sum(line.late for line in lines),
        errors=sum(line.errors for line in lines),
        latency_ms=PaneLatency(_mean_p50(lines), _worst(lines, "p95"), _worst(lines, "p99")),
    )


def _slot(start_ms: int, end_ms: int, lines: list[PaneLine]) -> Slot:
    return Slot(
        start_ms,
        end_ms,
        events=sum(line.events for line in lines),
        invalid=sum(line.invalid for line in lines),
        late=sum(line.late for line in lines),
        errors=sum(line.errors for line in lines),
        p50_ms=_mean_p50(lines),
        p95_ms=_worst(lines, "p95"),
        p99_ms=_worst(lines, "p99"),
    )


def _mean_p50(lines: list[PaneLine]) -> float | None:
    parts = [(line.latency_ms.p50, line.events) for line in lines if line.latency_ms]
    known = [(p50, events) for p50, events in parts if p50 is not None and events]
    total = sum(events for _, events in known)
    return sum(p50 * events for p50, events in known) / total if total else None


def _worst(lines: list[PaneLine], quantile: str) -> float | None:
    values = [getattr(line.latency_ms, quantile) for line in lines if line.latency_ms]
    return max((value for value in values if value is not None), default=None)
