from typing import Any

import pytest

from alerts.decision import Reason
from alerts.notification import Notification, NotifiedAlert, rank

NINE = 1_795_424_400_000


@pytest.fixture
def told() -> Notification:
    """Two alerts that fire and one that is over, with text in them that no receiver may take for markup."""

    def alert(feature: str, status: Any, severity: str) -> NotifiedAlert:
        labels = {
            "alertname": "Drift",
            "model": "churn <!channel> & co",
            "feature": feature,
            "severity": severity,
        }
        annotations = {"summary": f"{feature} moved", "runbook_url": "/runbooks/Drift"}
        ends = NINE + 60_000 if status == "resolved" else None
        return NotifiedAlert(f"f-{feature}", status, labels, annotations, NINE, ends)

    alerts = [
        alert("age", "firing", "critical"),
        alert("plan", "firing", "warning"),
        alert("zip", "resolved", "info"),
    ]
    return Notification(
        '{}:{model="churn"}', "ops", {"model": "churn"}, rank(alerts), Reason.FIRST, "k-1",
        external_url="https://drift.example",
    )  # fmt: skip
