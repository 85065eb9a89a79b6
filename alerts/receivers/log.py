"""The log as a receiver: one readable line per alert."""

import logging
from collections.abc import Mapping

from alerts.notification import Notification, NotifiedAlert
from alerts.outcome import Sent
from alerts.receiver_config import LogConfig

_logger = logging.getLogger("alerts")


class LogReceiver:
    """Writes to the logger ``alerts``: firing as warnings (critical as errors), resolved as info.

    When to use: to start with, and in tests.
    """

    def __init__(self, config: LogConfig, logger: logging.Logger = _logger) -> None:
        self.config = config
        self._logger = logger

    async def send(self, notification: Notification, previous_reference: Mapping[str, str] | None) -> Sent:
        """Write the lines."""
        for alert in notification.alerts:
            self._logger.log(_level(alert), "%s", line(notification, alert))
        return Sent()


def line(notification: Notification, alert: NotifiedAlert) -> str:
    """Return the line of one alert: how bad, what, evidence, since when, runbook."""
    how_bad = "RESOLVED" if alert.status == "resolved" else (alert.severity or "firing").upper()
    parts = [
        f"{how_bad} {alert.subject}: {alert.sentence}",
        *([alert.facts] if alert.facts else []),
        alert.since,
    ]
    runbook = notification.runbook_of(alert)
    parts += [f"runbook {runbook}"] if runbook else []
    parts += notification.notes
    parts += ["possible repeat"] if notification.possible_repeat else []
    return " | ".join(parts)


def _level(alert: NotifiedAlert) -> int:
    if alert.status == "resolved":
        return logging.INFO
    return logging.ERROR if alert.severity == "critical" else logging.WARNING
