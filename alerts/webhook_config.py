"""What can be said of a webhook in the config file; its client is `alerts.receivers.webhook`."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from alerts.duration import PositiveDurationMs
from alerts.http_config import HttpConfig
from alerts.receiver_config import TIMEOUT_MS, Address, Section, usable_headers


class WebhookConfig(Section):
    """Posts Alertmanager's version-4 payload."""

    url: Address | None = Field(default=None, description="address; secret, as it often carries a token")
    url_file: str | None = Field(default=None, min_length=1, description="file that holds the address")
    send_resolved: bool = Field(default=True, description="also tell when an alert is over")
    secret: SecretStr | None = Field(default=None, min_length=1, description="key of Driftline-Signature")
    secret_file: str | None = Field(default=None, min_length=1, description="file that holds that key")
    http_config: HttpConfig | None = Field(default=None, description="login and TLS")
    max_alerts: int = Field(default=0, ge=0, description="most alerts in one payload; 0 means all")
    headers: Annotated[dict[str, SecretStr], AfterValidator(usable_headers)] = Field(
        default={}, description="more HTTP headers; their values are secret"
    )
    timeout_ms: PositiveDurationMs = Field(
        default=TIMEOUT_MS, alias="timeout", description="limit of one try"
    )

    @model_validator(mode="after")
    def _one_address(self) -> "WebhookConfig":
        if (self.url is None) == (self.url_file is None):
            raise ValueError("give either url or url_file")
        return self

    @model_validator(mode="after")
    def _one_secret(self) -> "WebhookConfig":
        if self.secret is not None and self.secret_file is not None:
            raise ValueError("give either secret or secret_file")
        return self

    @model_validator(mode="after")
    def _one_authorization(self) -> "WebhookConfig":
        named = any(name.lower() == "authorization" for name in self.headers)
        if named and self.http_config is not None and self.http_config.logs_in:
            raise ValueError("http_config and headers both say Authorization; leave one out")
        return self
