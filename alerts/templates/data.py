"""What a template is given: a notification in Alertmanager's names, written in snake_case, and what we add."""

from collections.abc import Mapping
from typing import Any, ClassVar

from alerts.notification import Notification, NotifiedAlert, rfc3339
from alerts.pictures import plot_of

_OF_ALERTS = frozenset(
    {
        "cause", "change", "facts", "features", "fingerprint", "sentence", "severity", "since", "state", "status",
        "subject",
    }
)  # fmt: skip
_OF_EVIDENCE = frozenset({"detector", "samples", "score", "threshold", "value", "window"})


class AlertData:
    """One alert, as templates see it; ``NAMES`` is all they see.

    Times are RFC 3339 in UTC; ``ends_at`` is empty while it fires.
    """

    __slots__ = ("_alert", "_told")

    def __init__(self, told: Notification, alert: NotifiedAlert) -> None:
        self._told, self._alert = told, alert

    NAMES: ClassVar[frozenset[str]] = frozenset(
        {
            "annotations", "cause", "change", "dashboard_url", "detector", "ends_at", "facts", "features",
            "fingerprint", "generator_url", "labels", "plot_url", "runbook_url", "samples", "score", "sentence",
            "severity", "silence_url", "since", "starts_at", "state", "status", "subject", "threshold", "value",
            "window",
        }
    )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        if name in _OF_ALERTS:
            return getattr(self._alert, name)
        if name in _OF_EVIDENCE:
            return getattr(self._alert.evidence, name)
        raise AttributeError(name)

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return dict(self._alert.labels)

    @property
    def annotations(self) -> dict[str, str]:
        """Its annotations."""
        return dict(self._alert.annotations)

    @property
    def starts_at(self) -> str:
        """When it began to fire."""
        return rfc3339(self._alert.starts_at_ms)

    @property
    def ends_at(self) -> str:
        """When it was over, or ""."""
        over = self._alert.status == "resolved" and self._alert.ends_at_ms is not None
        return rfc3339(self._alert.ends_at_ms or 0) if over else ""

    @property
    def runbook_url(self) -> str:
        """Its runbook, or ""."""
        return self._told.runbook_of(self._alert)

    @property
    def dashboard_url(self) -> str:
        """Its dashboard, or ""."""
        return self._told.dashboard_of(self._alert)

    @property
    def silence_url(self) -> str:
        """The page that silences it, or ""."""
        return self._told.silence_of(self._alert)

    @property
    def plot_url(self) -> str:
        """The picture of its evidence, or ""."""
        return plot_of(self._told, self._alert)

    @property
    def generator_url(self) -> str:
        """Where a pushed one comes from; of others the dashboard, else this installation."""
        return self._told.generator_of(self._alert)


class Alerts(tuple[AlertData, ...]):
    """Alerts, worst first."""

    __slots__ = ()

    @property
    def firing(self) -> "Alerts":
        """Those that fire."""
        return Alerts(one for one in self if one.status == "firing")

    @property
    def resolved(self) -> "Alerts":
        """Those that are over."""
        return Alerts(one for one in self if one.status == "resolved")


#: The names a template may use without having set them.
NAMES = frozenset(
    {
        "alerts", "common_annotations", "common_labels", "dashboard_url", "external_url", "group_key", "group_labels",
        "notes", "possible_repeat", "reason", "receiver", "runbook_url", "silence_url",
        "status", "text", "title", "top_features",
    }
)  # fmt: skip


def data(told: Notification) -> Mapping[str, Any]:
    """Return what templates are given of a notification, by `NAMES`."""
    return {
        "alerts": Alerts(AlertData(told, alert) for alert in told.alerts),
        "common_annotations": told.common_annotations,
        "common_labels": told.common_labels,
        "dashboard_url": told.dashboard_url,
        "external_url": told.external_url,
        "group_key": told.group_key,
        "group_labels": dict(told.group_labels),
        "notes": list(told.notes),
        "possible_repeat": told.possible_repeat,
        "reason": str(told.reason),
        "receiver": told.receiver,
        "runbook_url": told.runbook_url,
        "silence_url": told.silence_url,
        "status": told.status,
        "text": told.text,
        "title": told.title,
        "top_features": told.top_features,
    }
