"""Topics on the broker: created as `streams.topics` says, and counted."""

from collections.abc import Sequence
from dataclasses import dataclass

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from driftline.errors import DriftlineError
from streams.topics import Topic, Topics


class BrokerError(DriftlineError):
    """The broker does not answer, or refuses what Driftline needs."""


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as it is on the broker; ``created`` just now or there before."""

    name: str
    partitions: int
    created: bool


def ensure_topics(brokers: str, topics: Topics, *, partitions: int, replication: int = 1) -> list[Found]:
    """Create the topics that are missing, and return all of them.

    Existing topics are left as they are: the stages take the partitions they find.

    Raises
    ------
    BrokerError
        If the broker cannot be reached, or refuses.
    """
    try:
        admin = KafkaAdminClient(bootstrap_servers=brokers.split(","), client_id="driftline")
    except KafkaError as error:
        raise BrokerError(
            f"no broker answers at {brokers} ({type(error).__name__}); check DRIFTLINE_KAFKA and that it runs"
        ) from error
    try:
        wanted = topics.all()
        before = set(admin.list_topics())
        missing = [topic for topic in wanted if topic.name not in before]
        _create(admin, missing, partitions, replication)
        counts = _partitions(admin, [topic.name for topic in wanted])
    except KafkaError as error:
        raise BrokerError(f"the broker at {brokers} refused to create topics: {error}") from error
    finally:
        admin.close()
    created = {topic.name for topic in missing}
    return [Found(topic.name, counts[topic.name], topic.name in created) for topic in wanted]


def _create(admin: KafkaAdminClient, missing: Sequence[Topic], partitions: int, replication: int) -> None:
    for topic in missing:
        try:
            admin.create_topics(
                [
                    NewTopic(
                        topic.name, topic.partitions or partitions, replication, topic_configs=_config(topic)
                    )
                ],
                wait_for_metadata=True,
            )
        except TopicAlreadyExistsError:
            continue  # another worker starts at the same moment


def _config(topic: Topic) -> dict[str, str]:
    config = {"cleanup.policy": topic.cleanup}
    if topic.retention_ms is not None:
        config["retention.ms"] = str(topic.retention_ms)
    if "compact" in topic.cleanup:
        # A worker that wakes up late must find what was written meanwhile, not its compaction.
        config["min.compaction.lag.ms"] = str(10 * 60 * 1000)
    return config


def _partitions(admin: KafkaAdminClient, names: list[str]) -> dict[str, int]:
    found = admin.describe_topics(names)
    return {_field(topic, "name", "topic"): len(topic["partitions"]) for topic in found}


def _field(topic: dict[str, object], *names: str) -> str:
    return str(next(topic[name] for name in names if name in topic))
