"""What one budget of false alarms would have meant, in figures. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from driftline.replay.matching import Detection, Episode, Incident, detect, false_alarms
from streams.views import rfc3339

#: An alert that resolves within this, in event time, was over before anybody could look.
BRIEF_MS = 5 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Trial:
    """The alerts under one budget, held against the incidents.

    Parameters
    ----------
    budget
        False alarms per week the monitors were given.
    weeks
        Event time covered; None where it is too short for a rate.
    grace_ms
        An alert may begin so long after an incident's end and still count as within it.
    """

    budget: float
    episodes: Sequence[Episode]
    incidents: Sequence[Incident]
    grace_ms: int
    weeks: float | None

    @property
    def kinds(self) -> Counter[str]:
        """Alerts by kind."""
        return Counter(one.kind for one in self.episodes)

    @property
    def resolved_share(self) -> float | None:
        """Share of alerts that resolved before the data ended; None without alerts."""
        return self._share(sum(one.ended_ms is not None for one in self.episodes))

    @property
    def brief_share(self) -> float | None:
        """Share of alerts that resolved within `BRIEF_MS`; None without alerts."""
        return self._share(
            sum(one.ended_ms is not None and one.ended_ms - one.began_ms <= BRIEF_MS for one in self.episodes)
        )

    @property
    def detections(self) -> list[Detection]:
        """What became of each incident, in the order they are marked."""
        return [detect(incident, self.episodes, self.grace_ms) for incident in self.incidents]

    @property
    def false_alarms(self) -> int | None:
        """Alerts within no incident; None where no incidents are marked."""
        if not self.incidents:
            return None
        return len(false_alarms(self.episodes, self.incidents, self.grace_ms))

    def per_week(self, count: int | None) -> float | None:
        """Return a count as a rate."""
        return None if count is None or not self.weeks else count / self.weeks

    def as_data(self) -> dict[str, Any]:
        """Return all of it as JSON-able data."""
        found: dict[str, Any] = {
            "budget_per_week": self.budget,
            "alerts": len(self.episodes),
            "alerts_per_week": self.per_week(len(self.episodes)),
            "kinds": [
                {"kind": kind, "alerts": count, "alerts_per_week": self.per_week(count)}
                for kind, count in sorted(self.kinds.items())
            ],
            "resolved_share": self.resolved_share,
            "resolved_within_5m_share": self.brief_share,
        }
        if self.incidents:
            found |= {
                "false_alarms": self.false_alarms,
                "false_alarms_per_week": self.per_week(self.false_alarms),
                "incidents": [_detection(one) for one in self.detections],
            }
        return found

    @property
    def median_delay_ms(self) -> float | None:
        """Median time to detect over the incidents that were detected; None if none was."""
        delays = [one.delay_ms for one in self.detections if one.delay_ms is not None]
        return median(delays) if delays else None

    def _share(self, count: int) -> float | None:
        return count / len(self.episodes) if self.episodes else None


def _detection(one: Detection) -> dict[str, Any]:
    return {
        "name": one.incident.name,
        "model": one.incident.model,
        "detected": one.first is not None,
        "seconds_to_detect": None if one.delay_ms is None else one.delay_ms / 1000,
        "told_at": None if one.first is None else rfc3339(one.first.told_ms),
        "kind": None if one.first is None else one.first.kind,
        "feature": None if one.first is None else one.first.feature,
        "fired_before": one.fired_before,
    }
