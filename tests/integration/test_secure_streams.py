"""Stages on a Kafka that lets in only whom it knows: each way in by settings, and each refusal in a sentence."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from brokers import NotHere, kafka_libs
from certificates import Authority
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)  # fmt: skip
from prometheus_client import CollectorRegistry
from secure_kafka import SecureKafka, password
from tables import columns, events, monitor, watched
from token_endpoint import TokenServer, unsecured_token

from alerts.config import default_config
from driftline import access
from driftline.embedded import EmbeddedStore
from driftline.fleet import make_fleet
from driftline.settings import Settings
from streams.connections import aiokafka_options
from streams.metrics import Metrics
from streams.stages.fleet import Fleet
from streams.stages.run import StageName, make_stage, run_stage
from streams.topics import Topics

pytestmark = [pytest.mark.broker, pytest.mark.kafka]
ROOT = Path(__file__).parents[2]
DEADLINE_S = 90.0
CLIENT_SECRET = "client-hunter2"
Way = dict[str, Any]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    try:
        libs = kafka_libs()
    except NotHere as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must test against Apache Kafka: {reason}")
        pytest.skip(f"NOT TESTED AGAINST A SECURE KAFKA: {reason}")
    with SecureKafka(libs, tmp_path_factory.mktemp("authority")) as server:
        yield server


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("DRIFTLINE_") and not name.startswith("DRIFTLINE_TEST_"):
            monkeypatch.delenv(name)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def login(kafka: SecureKafka, mechanism: str, tmp_path: Path, user: str = "driftline") -> Way:
    return {
        "kafka": kafka.at("SASL"),
        "kafka_security_protocol": "SASL_SSL",
        "kafka_ca_file": kafka.authority.cert,
        "kafka_sasl_mechanism": mechanism,
        "kafka_sasl_username": user,
        "kafka_sasl_password_file": written(tmp_path / f"{user}-password", password(user) + "\n"),
    }


def oauth(kafka: SecureKafka, **more: Any) -> Way:
    return {
        "kafka": kafka.at("SASL"),
        "kafka_security_protocol": "SASL_SSL",
        "kafka_ca_file": kafka.authority.cert,
        "kafka_sasl_mechanism": "OAUTHBEARER",
    } | more


def mutual(kafka: SecureKafka, authority: Authority, user: str = "driftline") -> Way:
    own = authority.issue(user, password="key-hunter2")
    return {
        "kafka": kafka.at("MUTUAL"),
        "kafka_security_protocol": "SSL",
        "kafka_ca_file": kafka.authority.cert,
        "kafka_cert_file": own.cert,
        "kafka_key_file": own.key,
        "kafka_key_password": "key-hunter2",
    }


@pytest.fixture(
    params=["TLS", "mutual TLS", "PLAIN", "PLAIN in the clear", "SCRAM-SHA-256", "SCRAM-SHA-512", "token file",
            "token endpoint"]
)  # fmt: skip
def way(request: pytest.FixtureRequest, kafka: SecureKafka, tmp_path: Path) -> Iterator[Way]:
    """The settings of each way in."""
    name = request.param
    if name == "TLS":
        yield {
            "kafka": kafka.at("TLS"), "kafka_security_protocol": "SSL", "kafka_ca_file": kafka.authority.cert,
        }  # fmt: skip
    elif name == "mutual TLS":
        yield mutual(kafka, kafka.authority)
    elif name == "PLAIN in the clear":
        yield login(kafka, "PLAIN", tmp_path) | {
            "kafka": kafka.at("CLEAR"), "kafka_security_protocol": "SASL_PLAINTEXT", "kafka_ca_file": None,
        }  # fmt: skip
    elif name == "token file":
        yield oauth(kafka, kafka_oauth_token_file=written(tmp_path / "token", unsecured_token("driftline")))
    elif name == "token endpoint":
        with TokenServer("drift-client", CLIENT_SECRET) as server:
            yield oauth(
                kafka, kafka_oauth_token_url=server.url, kafka_oauth_client_id="drift-client",
                kafka_oauth_client_secret=CLIENT_SECRET,
            )  # fmt: skip
            assert len(server.asked) >= 1
    else:
        yield login(kafka, name, tmp_path)


@pytest.fixture
async def fleet_of(prefix: str) -> AsyncIterator[Callable[[Way], Any]]:
    """Make the fleet that settings lead to, on a store of the test's own."""
    with EmbeddedStore() as store:

        async def make(way: Way) -> Fleet:
            return await asyncio.to_thread(make_fleet, chosen(way, prefix, store.url), watched(monitor()))

        yield make


def chosen(way: Way, prefix: str, redis: str) -> Settings:
    return Settings(**way, redis=redis, topic_prefix=prefix, partitions=1, session_timeout_s=6.0)


@asynccontextmanager
async def running(*stages: tuple[StageName, Fleet]) -> AsyncIterator[None]:
    """Run stages for the length of a block; a crash is raised."""
    stop = asyncio.Event()
    shells = [
        make_stage(name, fleet, Metrics(CollectorRegistry()), default_config()) for name, fleet in stages
    ]
    tasks = [asyncio.create_task(run_stage(shell, stop)) for shell in shells]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def send(way: Way, topics: Topics, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(**aiokafka_options(access.brokers(Settings(**way))), acks=-1)
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(topics.predictions.name, value) for value in values])
    finally:
        await producer.stop()


async def first_of(kafka: SecureKafka, topic: str) -> dict[str, Any]:
    """Return the first record of a topic, read by the tests' own way in."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            record = await consumer.getone()
    finally:
        await consumer.stop()
    found: dict[str, Any] = json.loads(record.value)
    return found


def allow(kafka: SecureKafka, acls: list[tuple[str, str, str, str]], prefix: str) -> None:
    """Give ACLs: user, operation, kind and name of a resource; a name that ends with * is a prefix."""
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    try:
        for user, operation, kind, name in acls:
            is_prefix = name.endswith("*")
            admin.create_acls(
                [
                    ACL(
                        principal=f"User:{user}",
                        host="*",
                        operation=ACLOperation[operation.upper()],
                        permission_type=ACLPermissionType.ALLOW,
                        resource_pattern=ResourcePattern(
                            ResourceType[kind.upper()],
                            name.rstrip("*").replace("driftline", prefix),
                            ACLResourcePatternType.PREFIXED if is_prefix else ACLResourcePatternType.LITERAL,
                        ),
                    )
                ]
            )
    finally:
        admin.close()


ALL = [("driftline", "all", "topic", "driftline*"), ("driftline", "all", "group", "driftline*")]


async def test_an_event_that_goes_in_comes_out_as_a_pane(
    way: Way, kafka: SecureKafka, prefix: str, fleet_of: Callable[[Way], Any]
) -> None:
    await asyncio.to_thread(allow, kafka, ALL, prefix)
    fleet = await fleet_of(way)
    await send(way, fleet.topics, events(columns(600)))
    async with running(("profile", fleet), ("judge", fleet)):
        pane = await first_of(kafka, fleet.topics.panes.name)
    assert pane["model"] == "churn"
    assert pane["pane"]["events"] == 100
