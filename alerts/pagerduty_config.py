"""What can be said of PagerDuty in the config file; its client is `alerts.receivers.pagerduty`."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from alerts.duration import PositiveDurationMs
from alerts.receiver_config import TIMEOUT_MS, HttpAddress, PlainTemplate, Section

#: Where events go outside the EU; there it is ``https://events.eu.pagerduty.com/v2/enqueue``.
ENQUEUE = "https://events.pagerduty.com/v2/enqueue"
PagerdutySeverity = Literal["critical", "error", "warning", "info"]


def _https(text: str) -> str:
    if not text.startswith("https://"):
        raise ValueError("PagerDuty shows images of https:// addresses alone")
    return text


def _printable(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().isprintable():
        raise ValueError("holds a line break or another control character; write the 32 characters alone")
    return secret


def _refuse_events_v1(value: Any) -> None:
    raise ValueError("is of the Events API v1; add an Events API v2 integration, and write its routing_key")


EventsV1 = Annotated[None, BeforeValidator(_refuse_events_v1)]


class Image(Section):
    """A picture shown with the incident."""

    src: Annotated[HttpAddress, AfterValidator(_https)] = Field(description="https:// address of the picture")
    href: HttpAddress | None = Field(default=None, description="where a click on it leads")
    alt: str | None = Field(default=None, description="text for who does not see it")


class Link(Section):
    """A link shown with the incident."""

    href: HttpAddress = Field(description="address")
    text: str | None = Field(default=None, description="what it is called")


class PagerdutyConfig(Section):
    """Keeps one PagerDuty alert per group, by the Events API v2."""

    routing_key: Annotated[SecretStr, AfterValidator(_printable)] | None = Field(
        default=None, min_length=1, description="integration key of an Events API v2 integration"
    )
    routing_key_file: str | None = Field(default=None, min_length=1, description="file that holds that key")
    url: HttpAddress | None = Field(
        default=None, description="address of the Events API; default pagerduty_url of global"
    )
    client: str = Field(default="Driftline", min_length=1, description="name of what sends")
    client_url: HttpAddress | None = Field(
        default=None, description="where people reach it; default DRIFTLINE_PUBLIC_URL"
    )
    severities: dict[str, PagerdutySeverity] = Field(
        default={}, description="PagerDuty's severity by the label's; unknown ones are error"
    )
    description: PlainTemplate | None = Field(default=None, description="template of the alert's summary")
    details: dict[str, PlainTemplate] = Field(default={}, description="templates of more custom_details")
    links: tuple[Link, ...] = Field(default=(), description="links beside runbooks and dashboards")
    images: tuple[Image, ...] = Field(default=(), description="pictures shown with the incident")
    send_resolved: bool = Field(
        default=True, description="resolve the incident when all of its group is over"
    )
    timeout_ms: PositiveDurationMs = Field(
        default=TIMEOUT_MS, alias="timeout", description="limit of one try"
    )
    service_key: EventsV1 = None
    service_key_file: EventsV1 = None

    @model_validator(mode="after")
    def _one_key(self) -> "PagerdutyConfig":
        if (self.routing_key is None) == (self.routing_key_file is None):
            raise ValueError("give either routing_key or routing_key_file")
        return self
