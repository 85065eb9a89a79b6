"""Settings from the environment, each named ``DRIFTLINE_*``."""

import os
import socket
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from driftline import contradictions
from driftline.connection_settings import ConnectionSettings
from driftline.errors import DriftlineError
from driftline.variables import variable

__all__ = ["Settings", "SettingsError", "load", "variable"]


class SettingsError(DriftlineError):
    """An environment variable that makes no sense."""


class Settings(ConnectionSettings):
    """Where things are, how one is let in, and how many."""

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
        default="driftline",
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        description="what the names of all topics begin with",
    )
    host: str = Field(
        default="127.0.0.1",
        description="address the web face and a worker's metrics listen on; 0.0.0.0 in a container",
    )
    metrics_port: int = Field(
        default=9464,
        ge=0,
        le=65535,
        description="port of a worker's /metrics and /healthz; unless set, a free one where this one is taken",
    )
    session_timeout_s: float = Field(
        default=30.0, ge=6, le=300, description="seconds without a heartbeat until a worker's partitions move"
    )
    stalled_s: float = Field(
        default=120.0,
        ge=5,
        le=3600,
        description="seconds a stage may stand still (lag without progress, a write without an end, a "
        "blocked process) before it ends itself, to be started again",
    )
    behind_s: float = Field(
        default=300.0,
        ge=4,
        le=86_400,
        description="seconds an event may wait to be counted before Driftline alerts on itself (Backlog)",
    )
    behind_for_s: float = Field(
        default=120.0,
        ge=0,
        le=86_400,
        description="seconds it must be so until that alert fires, and no more be so until it is resolved",
    )
    static_membership: bool = Field(
        default=False,
        description="a restart within the session timeout moves no partition; needs DRIFTLINE_WORKER",
    )
    worker: str = Field(
        default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}",
        description="name of this worker, unique in the fleet; host and process id unless set",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="what is logged: DEBUG, INFO, WARNING or ERROR"
    )

    @field_validator("public_url")
    @classmethod
    def _is_a_web_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if found := contradictions.find(self):
            raise ValueError("\n".join(found))
        return self

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


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
        lines = []
        for one in error.errors(include_input=False):
            message = str(one["msg"]).removeprefix("Value error, ")
            # What contradicts names its variables itself.
            lines.append(f"{variable(str(one['loc'][0]))}: {message}" if one["loc"] else message)
        raise SettingsError("\n".join(lines)) from error
