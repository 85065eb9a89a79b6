"""What a replay came to, as figures and as the summary a person reads."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alerts.alert import AlertUpsert
from detectors.sentence import quantity
from driftline.replay.rehearsal import Rehearsed
from streams.folding import Folded
from streams.views import rfc3339

_WEEK_MS = 7 * 24 * 3600 * 1000
_EXAMPLES = 3
_SHOWN = 20
_MANY_LATE = 0.01
#: From so many on, years say it better.
_MANY_WEEKS = 105


@dataclass(slots=True)
class ReplayReport:
    """Figures of a replay.

    Parameters
    ----------
    rows
        Rows read, bad ones included.
    seconds
        How long it took (wall clock).
    first_ms, last_ms
        Least and greatest event time, epoch ms; None without rows.
    panes, late, unmonitored
        Panes closed and judged, late rows, and rows of models without a monitor, by model.
    invalid
        Bad rows by code, with some examples.
    alerts
        Times an alert began to fire, by (model, alert kind).
    firing
        Fingerprints of what still fires at the end, with when it began and what it says.
    notifications
        What the alert desk would have sent.
    notes
        What was odd about the files, but no error.
    interrupted
        Whether Ctrl-C ended it; what was written is true, but not all.
    """

    files: tuple[Path, ...] = ()
    rows: int = 0
    seconds: float = 0.0
    first_ms: int | None = None
    last_ms: int | None = None
    panes: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    unmonitored: Counter[str] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    verdicts: int = 0
    firing: dict[str, AlertUpsert] = field(default_factory=dict)
    notifications: list[Rehearsed] = field(default_factory=list)
    rehearsed: bool = False
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def rows_per_second(self) -> float:
        """Speed by the wall clock."""
        return self.rows / self.seconds if self.seconds else 0.0

    @property
    def weeks(self) -> float:
        """Event time covered, in weeks."""
        if self.first_ms is None or self.last_ms is None:
            return 0.0
        return (self.last_ms - self.first_ms) / _WEEK_MS

    def count(self, folded: Folded) -> None:
        """Add what became of some rows."""
        self.events.update(folded.events)
        self.late.update(folded.late)
        for bad in folded.bad:
            self.invalid[bad.code.value] += 1
            if len(self.examples) < _EXAMPLES and bad.reason not in self.examples:
                self.examples.append(bad.reason)

    def transition(self, upsert: AlertUpsert) -> bool:
        """Note an upsert; return whether it begins or ends an incident, and is no refresh.

        A change of severity belongs to the incident and is no transition.
        """
        known = upsert.fingerprint in self.firing
        if upsert.status == "resolved":
            self.firing.pop(upsert.fingerprint, None)
            return known
        self.firing[upsert.fingerprint] = upsert
        if not known:
            self.alerts[(upsert.labels["model"], upsert.labels["alertname"])] += 1
        return not known

    def lines(self) -> list[str]:
        """Return the summary, a line each."""
        lines = self.of_the_data()
        lines += self._alerts()
        if self.rehearsed:
            lines += self._notifications()
        return lines

    def of_the_data(self) -> list[str]:
        """Return how the summary begins: what was read, over which time, and what was wrong with it."""
        lines = ["Interrupted: what was written so far is true, but not all."] if self.interrupted else []
        lines.append(
            f"{quantity(self.rows, 'row')} in {self.seconds:,.1f} s ({self.rows_per_second:,.0f} rows/s), "
            f"{quantity(sum(self.panes.values()), 'pane')} judged, {quantity(self.verdicts, 'verdict')}"
        )
        if self.first_ms is not None and self.last_ms is not None:
            lines.append(f"event time {rfc3339(self.first_ms)} to {rfc3339(self.last_ms)} ({self._span()})")
        return lines + self._trouble()

    def _span(self) -> str:
        if self.weeks >= _MANY_WEEKS:
            return f"{self.weeks * 7 / 365.25:.1f} years"
        return f"{self.weeks:.1f} weeks" if self.weeks >= 1 else f"{self.weeks * 7 * 24:.1f} hours"

    def _trouble(self) -> list[str]:
        lines = []
        for model, late in sorted(self.late.items()):
            total = late + self.events[model]
            remedy = (
                "; sort the files by time, or raise allowed_lateness" if late > _MANY_LATE * total else ""
            )
            lines.append(f"late: {late:,} of {total:,} rows of {model}, not counted{remedy}")
        if self.invalid:
            codes = ", ".join(f"{count:,} {code}" for code, count in self.invalid.most_common())
            lines.append(f"invalid: {codes}; e.g. {'; '.join(self.examples)}")
        for model, rows in self.unmonitored.most_common(5):
            lines.append(f"passed over: {quantity(rows, 'row')} of {model!r}, which has no monitor")
        return lines + [f"note: {note}" for note in self.notes]

    def _alerts(self) -> list[str]:
        if not self.alerts:
            return ["alerts: none"]
        lines = [f"alerts: {sum(self.alerts.values()):,}, {len(self.firing):,} still firing at the end"]
        for (model, kind), times in sorted(self.alerts.items(), key=lambda item: (-item[1], item[0])):
            rate = f", {times / self.weeks:.1f} a week" if self.weeks >= 1 else ""
            lines.append(f"  {times:>6,} {kind} of {model}{rate}")
        return lines

    def _notifications(self) -> list[str]:
        lines = [f"notifications that would have been sent: {len(self.notifications):,}"]
        lines += _shown([f"  {rfc3339(one.at_ms)} {one.receiver}: {one.title}" for one in self.notifications])
        return lines


def _shown(lines: Sequence[str]) -> list[str]:
    if len(lines) <= _SHOWN:
        return list(lines)
    return [*lines[:_SHOWN], f"  … and {len(lines) - _SHOWN:,} more"]
