"""The model page's choice: which window, verdicts and alerts, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from driftline.web.distributions import score_length
from streams.views import AlertRow, ColumnView, ModelView, VerdictRow, WindowView

#: Chart spans on offer, in ms, by the word in the URL.
SPANS = {"30m": 1_800_000, "2h": 7_200_000, "6h": 21_600_000}
Row = TypeVar("Row", bound=AlertRow)
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class Tile:
    """A column with the verdicts on it, the worst first."""

    column: ColumnView
    verdicts: list[VerdictRow]

    @property
    def firing(self) -> bool:
        """Whether any detector fires on the column."""
        return any(verdict.firing for verdict in self.verdicts)

    @property
    def missing_rate(self) -> float | None:
        """Missing values as a share of rows."""
        rows = self.column.count + self.column.missing
        return self.column.missing / rows if rows else None


def window_of(view: ModelView, version: str, segment: str) -> WindowView | None:
    """Return the window of a version and segment; where that is not there, the busiest.

    Version "" asks for none in particular: a window's own version "" is of events that carry none.
    """
    busiest = sorted(view.windows, key=lambda window: -window.events)
    inside = [window for window in busiest if window.segment == segment]
    named = [window for window in inside if window.version == version and version]
    whole = [window for window in busiest if not window.segment]
    return next(iter([*named, *inside, *whole, *busiest]), None)


def badness(verdict: VerdictRow) -> float:
    """Return how near a verdict is to firing, or how far beyond; comparable between detectors.

    Firing ones are above 2, judged ones in [0, 1], those without enough data below 0.
    """
    if verdict.status == "insufficient":
        return -1.0
    return score_length(verdict.score, verdict.threshold) + (2.0 if verdict.firing else 0.0)


def worst_first(verdicts: Sequence[VerdictRow], version: str, segment: str) -> list[VerdictRow]:
    """Return the verdicts on a version and segment ("" and "" is all of them), the worst first."""
    chosen = [
        verdict
        for verdict in verdicts
        if version in ("", verdict.version) and segment in ("", verdict.segment)
    ]
    return sorted(
        chosen, key=lambda each: (-badness(each), each.feature, each.detector, each.version, each.segment)
    )


def tiles(columns: Sequence[ColumnView], verdicts: Sequence[VerdictRow]) -> list[Tile]:
    """Return columns with their verdicts, in the window's order save that firing ones come first.

    Only firing moves a tile: ordering by score would make tiles jump at each refresh.
    """
    all_tiles = [
        Tile(column, [verdict for verdict in verdicts if verdict.feature == column.name])
        for column in columns
    ]
    return sorted(all_tiles, key=lambda tile: not tile.firing)


def alerts_in_order(alerts: Sequence[Row], status: str) -> list[Row]:
    """Return alerts of a status: the most severe, then the newest first."""
    newest = sorted(
        (alert for alert in alerts if alert.status == status), key=lambda a: a.startsAt, reverse=True
    )
    if status == "resolved":
        return sorted(newest, key=lambda a: a.endsAt or "", reverse=True)
    return sorted(newest, key=severity_rank)


def severity_rank(alert: AlertRow) -> int:
    """Return 0 for the most severe."""
    severity = alert.labels.get("severity", "")
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
