"""What can be said of flapping in the config file."""

from pydantic import Field

from alerts.duration import PositiveDurationMs
from alerts.receiver_config import Section


class Flapping(Section):
    """When an alert that begins and ends again and again is held as one that fires."""

    transitions: int = Field(
        default=3,
        ge=0,
        le=100,
        description="beginnings and ends within that time that count as flapping; 0: none do",
    )
    within_ms: PositiveDurationMs = Field(
        default=30 * 60_000, alias="within", description="time in which so many are flapping"
    )
    quiet_ms: PositiveDurationMs = Field(
        default=15 * 60_000,
        alias="quiet",
        description="time without any after which it is told as it is: firing, or over",
    )
