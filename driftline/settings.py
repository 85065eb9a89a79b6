"""Settings from the environment, each named ``DRIFTLINE_*``."""

import os
import socket
from pathlib import Path

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from driftline.errors import DriftlineError


class SettingsError(DriftlineError):
    """An environment variable that makes no sense."""


class Settings(BaseSettings):
    """Where things are, and how many."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLINE_", extra="ignore", frozen=True)

    kafka: str | None = Field(default=None, description="brokers, host:port, several separated by commas")
    redis: str | None = Field(default=None, description="redis:// or rediss:// URL of the store")
    monitors: Path = Field(default=Path("monitors"), description="folder of monitor files")
    alerting: Path | None = Field(
        default=None, description="Alertmanager-style file; without it, alerts are logged"
    )
    public_url: str = Field(default="http://localhost:8080", description="where people reach the web face")
    partitions: int = Field(
        default=8, ge=1, le=1024, description="partitions of the topics Driftline creates"
    )
    replication: int = Field(default=1, ge=1, le=9, description="replicas of the topics Driftline creates")
    topic_prefix: str = Field(
        default="driftline", pattern=r"^[A-Za-z0-9._-]{1,100}$", description="of all topics"
    )
    host: str = Field(
        default="127.0.0.1", description="address the web face listens on; 0.0.0.0 in a container"
    )
    metrics_port: int = Field(
        default=9464, ge=0, le=65535, description="port of a worker's /metrics and /healthz"
    )
    session_timeout_s: float = Field(default=30.0, ge=6, le=300, description="of the consumer groups")
    static_membership: bool = Field(
        default=False, description="a restart within the timeout moves no partition"
    )
    worker: str = Field(
        default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}",
        description="name of this worker, unique",
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")

    @field_validator("public_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("kafka", "redis", "alerting", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value


def load() -> Settings:
    """Return the settings.

    Raises
    ------
    SettingsError
        With every variable that is wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"DRIFTLINE_{'.'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors()
        ]
        raise SettingsError("\n".join(lines)) from error
