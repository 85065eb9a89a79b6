"""What can be said of each receiver in the config file; the clients are in `alerts.receivers`."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, model_validator

from alerts.duration import PositiveDurationMs
from alerts.templates.field import TemplateIn
from alerts.zone import ZoneName

#: Limit of one try, unless the file says otherwise.
TIMEOUT_MS = 10_000
_OWN_HEADERS = frozenset(
    {
        "content-type",
        "content-length",
        "host",
        "driftline-possible-repeat",
        "driftline-signature",
        "idempotency-key",
        "transfer-encoding",
    }
)


class Section(BaseModel):
    """A mapping of the config file: unknown keys are errors, values are never echoed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _http_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(ord(character) <= 32 for character in text):
        raise ValueError("not an address that can be called; write http:// or https://, a host and a path")
    return text


def _api_base(text: str) -> str:
    if urlsplit(_http_address(text)).hostname == "hooks.slack.com":
        raise ValueError(
            "an incoming webhook cannot update a message; leave it out, and set token_file to a bot token"
        )
    return text


def _secret_address(secret: SecretStr) -> SecretStr:
    _http_address(secret.get_secret_value())
    return secret


def usable_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Return the headers; raise ValueError for one that no request can have, or that we set ourselves."""
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"{name[:80]!r} is not the name of an HTTP header")
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"header {name!r} is set by the receiver itself; leave it out")
        if not value.get_secret_value().isprintable():
            raise ValueError(f"the value of header {name!r} holds a line break or another control character")
    return headers


HttpAddress = Annotated[str, AfterValidator(_http_address)]
Address = Annotated[SecretStr, AfterValidator(_secret_address)]
PlainTemplate = Annotated[str, TemplateIn("plain")]
MrkdwnTemplate = Annotated[str, TemplateIn("mrkdwn")]
HtmlTemplate = Annotated[str, TemplateIn("html")]
ApiBase = Annotated[str, AfterValidator(_api_base)]


class LogConfig(Section):
    """Writes one line per alert to the log."""

    send_resolved: bool = Field(default=True, description="also tell when an alert is over")


class SlackConfig(Section):
    """Keeps one Slack message per group, with what follows in its thread."""

    channel: str = Field(min_length=1, description="channel name or id; the bot must be a member")
    token: SecretStr | None = Field(
        default=None, min_length=1, description="bot token (xoxb-…), scope chat:write"
    )
    token_file: str | None = Field(default=None, min_length=1, description="file that holds the bot token")
    title: PlainTemplate | None = Field(default=None, description="template of the headline")
    text: MrkdwnTemplate | None = Field(
        default=None, description="template of what stands below it, in Slack's mrkdwn"
    )
    fallback: PlainTemplate | None = Field(
        default=None, description="template of what push messages and screen readers say"
    )
    api_url: ApiBase | None = Field(default=None, description="base address of the Slack API, for proxies")
    location: ZoneName = Field(
        default="UTC", description="time zone in which the button Silence today ends the day"
    )
    send_resolved: bool = Field(default=True, description="also tell when an alert is over")
    timeout_ms: PositiveDurationMs = Field(
        default=TIMEOUT_MS, alias="timeout", description="limit of one try"
    )

    @model_validator(mode="after")
    def _one_token(self, info: ValidationInfo) -> "SlackConfig":
        inherited: Any = info.context and info.context.slack_token
        if self.token is not None and self.token_file is not None:
            raise ValueError("give either token or token_file")
        if info.context and not inherited and self.token is None and self.token_file is None:
            raise ValueError("no bot token; set token_file here, or slack_token_file under global")
        return self
