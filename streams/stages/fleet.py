"""What every stage is told: where things are, and which models are watched."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from detectors.window import Window
from streams.alerting import Links
from streams.backlog import Limits
from streams.connections import Brokers, StoreAddress
from streams.joins.plan import JoinPlan, join_plan
from streams.layout import Layout
from streams.monitor import Monitor
from streams.topics import Topics


@dataclass(frozen=True, slots=True)
class Watched:
    """A model with a monitor: its layout, and its reference where the monitor names a file."""

    monitor: Monitor
    layout: Layout
    reference: Window | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """Settings shared by the stages of a fleet.

    Parameters
    ----------
    brokers, redis_url
        Where they are, and how one is let in; text alone is a server without security.
    source_partitions, profile_partitions, join_partitions
        Partitions the topics have.
    session_timeout_s
        Of the consumer groups.
    worker
        Name of this worker, unique in the fleet.
    stalled_s
        How long a stage may stand still before it ends itself.
    flush_s
        How often stage 1 sends what the watermark has closed.
    checkpoint_s
        How often it also writes what is open, and acknowledges: what a crash makes it count again.
    backlog
        When the fleet alerts on itself, for being behind.
    slack_buttons
        Whether presses of buttons in Slack reach the web face, so that messages have any.
    """

    brokers: Brokers | str
    redis_url: StoreAddress | str
    models: Mapping[str, Watched]
    topics: Topics = field(default_factory=Topics)
    source_partitions: int = 1
    profile_partitions: int = 1
    join_partitions: int = 1
    session_timeout_s: float = 30.0
    stalled_s: float = 120.0
    links: Links = field(default_factory=Links)
    worker: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    flush_s: float = 0.5
    checkpoint_s: float = 3.0
    backlog: Limits = field(default_factory=Limits)
    slack_buttons: bool = False

    @property
    def join_plans(self) -> dict[str, JoinPlan]:
        """How labels are joined, by model; only of models whose monitor has ``labels:``."""
        found = {model: join_plan(one.monitor) for model, one in self.models.items()}
        return {model: plan for model, plan in found.items() if plan is not None}

    def profile_partition(self, model: str) -> int:
        """Return the partition a model is judged in: our own hash, the same for every producer."""
        digest = blake2b(model.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.profile_partitions
