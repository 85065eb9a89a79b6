"""The brokers and stores the tests speak to: real ones, started here."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from driftline.embedded import HOST, EmbeddedBroker, EmbeddedError, EmbeddedServer, EmbeddedStore, free_port

CACHED_LIBS = Path(__file__).parents[2] / ".cache" / "kafka" / "libs"

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={home}/data
num.network.threads=2
num.io.threads=2
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.backoff.ms=200
log.cleaner.dedupe.buffer.size=2097152
"""


class NotHere(Exception):
    """A broker can't be had on this machine; the message says why and what to do."""


@dataclass(frozen=True)
class Broker:
    """A running broker: ``kind`` is ``tansu`` or ``kafka``.

    A group's first join takes half the session timeout on Tansu, and a worker of its first generation
    does not leave but times out; so there it is short.
    """

    kind: str
    bootstrap: str

    @property
    def session_timeout_s(self) -> float:
        return 3.0 if self.kind == "tansu" else 6.0


class KafkaBroker(EmbeddedServer):
    """Apache Kafka in KRaft mode, broker and controller in one small process."""

    name = "kafka"
    format_options: Sequence[str] = ()

    def __init__(self, libs: Path) -> None:
        super().__init__(ready_timeout_s=240.0, stop_timeout_s=15.0)
        self.libs = libs

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    def properties(self, port: int, home: Path) -> str:
        """Return the server's properties; the last line of a name counts."""
        return _PROPERTIES.format(host=HOST, port=port, controller_port=free_port(), home=home)

    def command(self, port: int, home: Path) -> list[str]:
        properties = home / "server.properties"
        properties.write_text(self.properties(port, home), encoding="utf-8")
        java = [
            "java", "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-cp", f"{self.libs}/*",
        ]  # fmt: skip
        cluster = ["-t", "driftline-tests-000000", "-c", str(properties), *self.format_options]
        formatted = subprocess.run(
            [*java, "kafka.tools.StorageTool", "format", *cluster],
            capture_output=True,
            text=True,
            check=False,
        )
        if formatted.returncode:
            raise EmbeddedError(
                f"Kafka's storage could not be formatted:\n{formatted.stdout}{formatted.stderr}"
            )
        return [*java, "kafka.Kafka", str(properties)]

    def answers(self, port: int) -> bool:
        return EmbeddedBroker().answers(port)


class RedisStore(EmbeddedStore):
    """The ``redis-server`` on PATH."""

    name = "redis"

    def command(self, port: int, home: Path) -> list[str]:
        program = shutil.which("redis-server")
        if program is None:
            raise NotHere("no redis-server on PATH")
        return [program, *super().command(port, home)[1:]]


def kafka_libs() -> Path:
    """Return the directory of Kafka's jars, or say why there is none."""
    libs = Path(os.environ.get("DRIFTLINE_TEST_KAFKA_LIBS") or CACHED_LIBS)
    if not any(libs.glob("kafka_2.13-*.jar")):
        raise NotHere(
            f"no Apache Kafka in {libs}: run `make kafka`, "
            "or set DRIFTLINE_TEST_KAFKA_LIBS or DRIFTLINE_KAFKA"
        )
    if shutil.which("java") is None:
        raise NotHere("Apache Kafka needs `java` (17 or later) on PATH, or set DRIFTLINE_KAFKA")
    return libs


def unique(name: str) -> str:
    """Return a name no other test on the same broker has."""
    return f"{name}-{uuid.uuid4().hex[:8]}"
