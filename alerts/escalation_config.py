"""What can be said of an escalation in the config file."""

from pydantic import Field

from alerts.duration import PositiveDurationMs
from alerts.receiver_config import Section
from alerts.references import IntervalName, ReceiverName


class EscalationStep(Section):
    """Who is told as well when nobody has acknowledged what fires."""

    after_ms: PositiveDurationMs = Field(
        alias="after", description="time since it was first told, without anybody acknowledging it"
    )
    receiver: ReceiverName = Field(description="name of the receiver that is told as well from then on")
    mute_time_intervals: tuple[IntervalName, ...] = Field(
        default=(), description="the step waits while one of these holds"
    )
    active_time_intervals: tuple[IntervalName, ...] = Field(
        default=(), description="the step waits until one of these holds"
    )
