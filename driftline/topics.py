"""Topics on the broker: created as `streams.topics` says, and counted."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from driftline.brokers import connect, refused
from streams.connections import Brokers
from streams.topics import BROKER_TIME, Topic, Topics

#: A worker that wakes up late must find what was written meanwhile, not its compaction.
MIN_COMPACTION_LAG_MS = 10 * 60 * 1000
_POLICY = "cleanup.policy"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as it is on the broker; ``created`` just now or there before.

    ``cleanup`` is the broker's word; None where it was not asked or does not tell.
    """

    topic: Topic
    partitions: int
    created: bool
    cleanup: str | None = None

    @property
    def name(self) -> str:
        """Its name, prefix included."""
        return self.topic.name

    @property
    def warnings(self) -> list[str]:
        """What is not as Driftline needs it, each with the remedy."""
        found = []
        if self.topic.partitions is not None and self.partitions > self.topic.partitions:
            found.append(
                f"{self.name} has {self.partitions} partitions and must have {self.topic.partitions}: "
                "stop the workers, delete it and create it again"
            )
        if self.cleanup is not None and _words(self.cleanup) != _words(self.topic.cleanup):
            found.append(
                f"{self.name} has {_POLICY}={self.cleanup} and needs {self.topic.cleanup}: kafka-configs.sh "
                f"--alter --topic {self.name} --add-config '{_POLICY}=[{self.topic.cleanup}]'"
            )
        return found


def ensure_topics(
    brokers: Brokers | str, topics: Topics, *, partitions: int, replication: int = 1
) -> list[Found]:
    """Create the topics that are missing, and return all of them.

    Existing topics are left as they are: the stages take the partitions they find.

    Raises
    ------
    BrokerError
        If the broker cannot be reached, or refuses.
    """
    admin = connect(KafkaAdminClient, brokers)
    try:
        wanted = topics.all()
        before = set(admin.list_topics())
        missing = [topic for topic in wanted if topic.name not in before]
        _create(admin, missing, partitions, replication)
        counts = _partitions(admin, [topic.name for topic in wanted])
    except KafkaError as error:
        raise refused(brokers, error) from error
    finally:
        admin.close()
    return [Found(topic, counts[topic.name], topic in missing) for topic in wanted]


def with_policies(brokers: Brokers | str, found: Sequence[Found]) -> list[Found]:
    """Return topics with the cleanup policies the broker tells of; workers can do without.

    The embedded broker tells none, and a cluster may allow nobody to ask.
    """
    admin = connect(KafkaAdminClient, brokers)
    try:
        policies = _policies(admin, [topic.name for topic in found])
    except KafkaError as error:
        _logger.info("the broker at %s does not tell how topics are cleaned up: %s", brokers, error)
        return list(found)
    finally:
        admin.close()
    return [replace(topic, cleanup=policies.get(topic.name)) for topic in found]


def _create(admin: KafkaAdminClient, missing: Sequence[Topic], partitions: int, replication: int) -> None:
    for topic in missing:
        wanted = {
            "num_partitions": topic.partitions or partitions,
            "replication_factor": replication,
            "configs": _config(topic),
        }
        try:
            admin.create_topics({topic.name: wanted}, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            continue  # another worker starts at the same moment


def _config(topic: Topic) -> dict[str, str]:
    config: dict[str, str] = {_POLICY: topic.cleanup}
    if topic.retention_ms is not None:
        config["retention.ms"] = str(topic.retention_ms)
    if "compact" in topic.cleanup:
        config["min.compaction.lag.ms"] = str(MIN_COMPACTION_LAG_MS)
    if topic.clock == "broker":
        config |= BROKER_TIME
    return config


def _partitions(admin: KafkaAdminClient, names: list[str]) -> dict[str, int]:
    found = admin.describe_topics(names)
    return {_field(topic, "name", "topic"): len(topic["partitions"]) for topic in found}


def _policies(admin: KafkaAdminClient, names: list[str]) -> dict[str, str]:
    """Return the cleanup policies the broker tells of."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, {_POLICY: None}) for name in names]
    found: Mapping[str, Mapping[str, Any]] = admin.describe_configs(asked, config_filter="all")["topic"]
    return {name: str(found[name][_POLICY]["value"]) for name in names if _POLICY in found.get(name, {})}


def _words(policy: str) -> set[str]:
    return set(policy.split(","))


def _field(topic: dict[str, Any], *names: str) -> str:
    return str(next(topic[name] for name in names if name in topic))
