"""What can be said of an Alertmanager to hand over to; its client is `alerts.receivers.alertmanager`."""

from typing import Annotated

from pydantic import AfterValidator, Field

from alerts.duration import PositiveDurationMs
from alerts.http_config import HttpConfig
from alerts.receiver_config import TIMEOUT_MS, Address, Section

_WEEK_MS = 7 * 24 * 3_600_000


def _always(resolved: bool) -> bool:
    if not resolved:
        raise ValueError(
            "what is over would stand there as firing; leave it out, and say send_resolved in Alertmanager's own file"
        )
    return resolved


class AlertmanagerConfig(Section):
    """Hands alerts over to an Alertmanager; its own routes say who is told."""

    url: Address = Field(description="address below which /api/v2/alerts is found; one section per instance")
    labels: dict[str, str] = Field(
        default={}, description="labels every alert gets that has none of that name"
    )
    stands_for_ms: PositiveDurationMs = Field(
        default=_WEEK_MS,
        alias="stands_for",
        description="how long a firing alert stands there when Driftline falls silent; "
        "three repeat_intervals at least",
    )
    http_config: HttpConfig | None = Field(default=None, description="login and TLS")
    send_resolved: Annotated[bool, AfterValidator(_always)] = Field(
        default=True, description="is always so: Alertmanager decides whom it tells"
    )
    timeout_ms: PositiveDurationMs = Field(
        default=TIMEOUT_MS, alias="timeout", description="limit of one try"
    )
