"""What can be said of the desk's own decisions in the config file, under ``global``."""

from pydantic import Field

from alerts.duration import PositiveDurationMs
from alerts.flapping_config import Flapping
from alerts.receiver_config import Section
from alerts.references import MaybeReceiverName


class DeskDefaults(Section):
    """How the desk takes what comes and goes, is missing, belongs together, or is refused."""

    fallback: MaybeReceiverName = Field(
        default=None,
        description="name of the receiver that is told as well where another refuses a notification for good",
    )
    flapping: Flapping = Field(default=Flapping(), description="what begins and ends again and again")
    no_data_after_ms: PositiveDurationMs = Field(
        default=10 * 60_000,
        alias="no_data_after",
        description="time without word of an alert that fires after which it says that there is no data",
    )
    related_within_ms: PositiveDurationMs = Field(
        default=10 * 60_000,
        alias="related_within",
        description="time within which alerts begin that group_by: [related] puts into one group",
    )
