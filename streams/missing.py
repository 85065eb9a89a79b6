"""Alerts that cannot be judged any more: they stay, and say since when."""

from collections.abc import Mapping, Sequence

from alerts.alert import NO_DATA_SINCE
from detectors.base import Verdict
from streams.alert_state import Alert, AlertKey
from streams.inbox import Group
from streams.views import rfc3339


def take_note(alert: Alert, verdicts: Sequence[Verdict], active: Sequence[str], at_ms: int) -> None:
    """Keep since when none of the detectors that fire could judge an alert (event time, epoch ms)."""
    if any(one.detector in active and one.status != "insufficient" for one in verdicts):
        alert.no_data_ms = None
    elif alert.no_data_ms is None:
        alert.no_data_ms = at_ms


def mark(
    alerts: Mapping[AlertKey, Alert], group: Group, since_ms: int, at_ms: int, *, every_ms: int
) -> list[AlertKey]:
    """Note that a segment's alerts have had no data since, and return those to be told again by now."""
    found = []
    for key, alert in sorted(alerts.items()):
        if (key.version, key.segment) == group:
            alert.no_data_ms = since_ms if alert.no_data_ms is None else alert.no_data_ms
            if at_ms - alert.told_ms >= every_ms:
                alert.told_ms = at_ms
                found.append(key)
    return found


def annotation(alert: Alert, status: str) -> dict[str, str]:
    """Return the annotation of an alert that fires and cannot be judged; none for others."""
    if alert.no_data_ms is None or status != "firing":
        return {}
    return {NO_DATA_SINCE: rfc3339(alert.no_data_ms)}
