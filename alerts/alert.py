"""An alert: its identity, and the upsert by which the judge tells the desk about it."""

import hashlib
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the identity of an alert: 16 hex digits over its labels, ``severity`` left out.

    A change of severity therefore updates the same incident. Empty labels count as absent, as in
    Alertmanager.

    Examples
    --------
    >>> fingerprint({"alertname": "FeatureDrift", "model": "churn", "severity": "warning"}) == fingerprint(
    ...     {"model": "churn", "alertname": "FeatureDrift", "severity": "critical", "team": ""})
    True
    """
    text = "\xff".join(
        f"{name}\xfe{value}" for name, value in sorted(labels.items()) if name != "severity" and value
    )
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


#: The annotation by which a judge says since when it cannot judge an alert that fires, RFC 3339.
NO_DATA_SINCE = "no_data_since"


class AlertUpsert(BaseModel):
    """One transition or refresh of an alert, as it travels on ``driftline.alerts`` (JSON).

    ``(pane_end_ms, sequence)`` orders upserts of one fingerprint; the desk ignores older ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Literal["firing", "resolved"]
    labels: dict[str, str] = Field(
        description="identity; alertname and severity are always there, model unless it is of the fleet"
    )
    annotations: dict[str, str] = Field(
        default_factory=dict,
        description="summary, description, cause (where it is known), runbook_url, dashboard_url, evidence (JSON), "
        "no_data_since (RFC 3339) while it cannot be judged",
    )
    starts_at_ms: int = Field(description="event time the alert began to fire, epoch ms")
    ends_at_ms: int | None = Field(default=None, description="event time it resolved, epoch ms")
    pending_since_ms: int | None = Field(
        default=None,
        description="event time of the first verdict that led to it, where the judge says, epoch ms",
    )
    pane_end_ms: int = Field(description="end of the pane it was judged on, or the tick's time, epoch ms")
    sequence: int = Field(description="grows with each upsert of this fingerprint")

    @property
    def fingerprint(self) -> str:
        """Identity of the alert."""
        return fingerprint(self.labels)
