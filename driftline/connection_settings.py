"""Settings of the two servers Driftline speaks to, of how it is let in, and of who is let in from Slack.

A secret may stand in a variable or, better, in a file whose path is in the variable of the same name with
``_FILE``: what is in the environment shows in more places than one likes.
"""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="DRIFTLINE_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # it may be a secret
    )


class RedisSettings(_Settings):
    """The store."""

    redis: SecretStr | None = Field(
        default=None, description="redis://, rediss:// (TLS) or unix:// URL of the store"
    )
    redis_username: str | None = Field(
        default=None, description="ACL user of the store, unless the URL has it"
    )
    redis_password: SecretStr | None = Field(
        default=None, description="password of the store, unless the URL has it"
    )
    redis_password_file: Path | None = Field(default=None, description="file that holds this password")
    redis_ca_file: Path | None = Field(
        default=None,
        description="certificates (PEM) of who may sign the store's; the system's without it",
    )
    redis_cert_file: Path | None = Field(
        default=None, description="own certificate (PEM), where the store asks for one"
    )
    redis_key_file: Path | None = Field(default=None, description="its key (PEM), not encrypted")

    @field_validator("redis")
    @classmethod
    def _names_a_store(cls, value: SecretStr | None) -> SecretStr | None:
        # The value may hold a password: it is never echoed.
        url = "" if value is None else value.get_secret_value()
        if value is None or url.startswith("unix://"):
            return value
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("must be written as redis://host:port/0, rediss://… with TLS, or unix://path")
        return value


class KafkaSettings(_Settings):
    """The brokers; the names follow Kafka's own."""

    kafka: str | None = Field(default=None, description="brokers, host:port, several separated by commas")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT",
        description="Kafka's security.protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    )
    kafka_ca_file: Path | None = Field(
        default=None,
        description="certificates (PEM) of who may sign the brokers'; the system's without it",
    )
    kafka_cert_file: Path | None = Field(default=None, description="own certificate (PEM), for mutual TLS")
    kafka_key_file: Path | None = Field(
        default=None, description="its key (PEM), unless it stands in the certificate's file"
    )
    kafka_key_password: SecretStr | None = Field(default=None, description="what the key is encrypted with")
    kafka_key_password_file: Path | None = Field(
        default=None, description="file that holds what the key is encrypted with"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        default=None, description="Kafka's sasl.mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
    )
    kafka_sasl_username: str | None = Field(default=None, description="user, for PLAIN and SCRAM")
    kafka_sasl_password: SecretStr | None = Field(default=None, description="password, for PLAIN and SCRAM")
    kafka_sasl_password_file: Path | None = Field(default=None, description="file that holds this password")
    kafka_oauth_token_file: Path | None = Field(
        default=None, description="file that holds a token, for OAUTHBEARER; read at each connection"
    )
    kafka_oauth_token_url: str | None = Field(
        default=None, description="OAuth 2 token endpoint to get tokens from, instead of a file"
    )
    kafka_oauth_client_id: str | None = Field(default=None, description="client id for the token endpoint")
    kafka_oauth_client_secret: SecretStr | None = Field(
        default=None, description="client secret for the token endpoint"
    )
    kafka_oauth_client_secret_file: Path | None = Field(
        default=None, description="file that holds this client secret"
    )
    kafka_oauth_scope: str | None = Field(default=None, description="scope the token is asked for")
    kafka_oauth_ca_file: Path | None = Field(
        default=None,
        description="certificates (PEM) of who may sign the token endpoint's; the system's without it",
    )

    @field_validator("kafka")
    @classmethod
    def _names_brokers(cls, value: str | None) -> str | None:
        for broker in value.split(",") if value else ():
            host, _, port = broker.strip().rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError(f"{broker!r} is no host:port; several are separated by commas")
        return None if value is None else value.replace(" ", "")

    @field_validator("kafka_security_protocol", "kafka_sasl_mechanism", mode="before")
    @classmethod
    def _in_capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("kafka_oauth_token_url")
    @classmethod
    def _hides_the_secret(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            is_near = parts.hostname in ("localhost", "127.0.0.1", "::1")
            if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and is_near)):
                raise ValueError("must begin with https://: a client secret is sent there")
            if parts.username is not None or parts.password is not None:
                raise ValueError("must hold no user; use DRIFTLINE_KAFKA_OAUTH_CLIENT_ID and its secret")
        return value


class SlackSettings(_Settings):
    """Slack's way back to us: what people press below a message."""

    slack_signing_secret: SecretStr | None = Field(
        default=None,
        description="signing secret of the Slack app; with it, messages have buttons. Set it for the web face "
        "and for workers",
    )
    slack_signing_secret_file: Path | None = Field(
        default=None, description="file that holds this secret, read at each press"
    )

    @property
    def has_slack_buttons(self) -> bool:
        """Whether messages in Slack have buttons."""
        return self.slack_signing_secret is not None or self.slack_signing_secret_file is not None


class ConnectionSettings(RedisSettings, KafkaSettings, SlackSettings):
    """All of them; `driftline.contradictions` says what of it cannot be meant together."""
