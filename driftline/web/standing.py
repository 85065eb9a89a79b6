"""Alerts with what the desk knows of how they stand."""

from collections.abc import Sequence

from pydantic import Field

from alerts.alert import fingerprint
from driftline.web.store import Store
from streams.views import AlertRow


class StandingAlert(AlertRow):
    """An alert as the judge tells it, and how it stands by the desk."""

    state: str = Field(
        default="", description="in words, what else there is to know of how it stands, such as that it flaps"
    )


async def standing(store: Store, alerts: Sequence[AlertRow]) -> list[StandingAlert]:
    """Return the alerts, in the same order, each with its state."""
    states = {row.fingerprint: row.state for row in await store.desk_alerts()} if alerts else {}
    return [
        StandingAlert(**alert.model_dump(), state=states.get(fingerprint(alert.labels), ""))
        for alert in alerts
    ]
