"""The topics: names, partitions, and how long each keeps its records."""

from dataclasses import dataclass
from typing import Literal

DAY_MS = 24 * 3600 * 1000
#: What Driftline writes bears the broker's time. Kafka refuses records whose writer's clock is an hour ahead.
BROKER_TIME = {"message.timestamp.type": "LogAppendTime"}


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is created.

    Parameters
    ----------
    partitions
        None means the fleet's setting.
    clock
        Whose time its records bear: their producer's, where that is data, else the broker's.
    """

    name: str
    cleanup: Literal["delete", "compact", "compact,delete"] = "delete"
    retention_ms: int | None = 7 * DAY_MS
    partitions: int | None = None
    clock: Literal["producer", "broker"] = "broker"


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics under one prefix.

    Examples
    --------
    >>> Topics("staging.driftline").alerts.name
    'staging.driftline.alerts'
    """

    prefix: str = "driftline"

    def _topic(self, name: str, **options: object) -> Topic:
        return Topic(f"{self.prefix}.{name}", **options)  # type: ignore[arg-type]

    @property
    def predictions(self) -> Topic:
        """Yours: one event per prediction."""
        return self._topic("predictions", clock="producer")

    @property
    def labels(self) -> Topic:
        """Yours: one event per label."""
        return self._topic("labels", clock="producer")

    @property
    def profiles(self) -> Topic:
        """Stage 1 to 2: cumulative profile upserts and heartbeats, by our own hash of the model."""
        return self._topic("profiles", cleanup="compact,delete", retention_ms=DAY_MS)

    @property
    def layouts(self) -> Topic:
        """Immutable layouts, keyed by model and hash."""
        return self._topic("layouts", cleanup="compact", retention_ms=None, partitions=1)

    @property
    def joins(self) -> Topic:
        """Predictions and labels re-keyed by our own hash of model and id."""
        return self._topic("joins", retention_ms=30 * DAY_MS)

    @property
    def panes(self) -> Topic:
        """The record of closed panes; one told again after a crash has the same counts, its means to 1e-9."""
        return self._topic("panes", retention_ms=30 * DAY_MS)

    @property
    def verdicts(self) -> Topic:
        """The record of verdicts."""
        return self._topic("verdicts", retention_ms=30 * DAY_MS)

    @property
    def alerts(self) -> Topic:
        """Alert upserts; one partition, so that the desk sees every alert together."""
        return self._topic("alerts", partitions=1)

    @property
    def commands(self) -> Topic:
        """Acks, silences and reloads for the desk."""
        return self._topic("commands", partitions=1)

    @property
    def desk(self) -> Topic:
        """The desk's own state: the notification log."""
        return self._topic("desk", cleanup="compact", retention_ms=None, partitions=1)

    @property
    def dead_letter(self) -> Topic:
        """Bad events, raw, with the reason in their headers."""
        return self._topic("dead-letter", retention_ms=14 * DAY_MS)

    def all(self) -> tuple[Topic, ...]:
        """Return every topic, in the order of the pipeline."""
        return (
            self.predictions, self.labels, self.profiles, self.layouts, self.joins, self.panes,
            self.verdicts, self.alerts, self.commands, self.desk, self.dead_letter,
        )  # fmt: skip
