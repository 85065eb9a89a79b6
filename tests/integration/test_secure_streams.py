"""Stages on a Kafka that lets in only whom it knows: each way in by settings, and each refusal in a sentence."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
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
from secure_kafka import USERS, SecureKafka, password
from tables import columns, events, monitor, watched
from token_endpoint import TokenServer, unsecured_token

from alerts.alert import AlertUpsert
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


async def send(way: Way, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(**aiokafka_options(access.brokers(Settings(**way))), acks=-1)
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(topic, value) for value in values])
    finally:
        await producer.stop()


async def first_of(kafka: SecureKafka, topic: str) -> Any:
    """Return the first record of a topic, read by the tests' own way in."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            record = await consumer.getone()
    finally:
        await consumer.stop()
    return json.loads(record.value)


Acl = tuple[str, str, str, str]


def allow(kafka: SecureKafka, acls: list[Acl], prefix: str) -> None:
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
                        operation=ACLOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()],
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
    await send(way, fleet.topics.predictions.name, events(columns(600)))
    async with running(("profile", fleet), ("judge", fleet)):
        pane = await first_of(kafka, fleet.topics.panes.name)
    assert pane["model"] == "churn"
    assert pane["pane"]["events"] == 100


def run(*command: str, way: Way, prefix: str, **more: object) -> subprocess.CompletedProcess[str]:
    """Run ``driftline`` as a person would, as chatty as it can be."""
    given = {name: value for name, value in {**way, **more}.items() if value is not None}
    return subprocess.run(
        [sys.executable, "-m", "driftline", *command],
        env={
            **os.environ,
            **{f"DRIFTLINE_{name.upper()}": str(value) for name, value in given.items()},
            "DRIFTLINE_TOPIC_PREFIX": prefix,
            "DRIFTLINE_LOG_LEVEL": "DEBUG",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def one_sentence(ran: subprocess.CompletedProcess[str], *, secret: str) -> str:
    """Return the only line it said, having failed; it must hold no secret."""
    assert ran.returncode == 1, ran.stderr
    assert secret not in ran.stdout + ran.stderr
    (line,) = [line for line in ran.stderr.splitlines() if " DEBUG asyncio: " not in line]
    return line


@pytest.mark.parametrize(
    ("mechanism", "command"),
    [
        ("PLAIN", ("worker",)),
        ("SCRAM-SHA-256", ("topics", "create")),
        ("SCRAM-SHA-512", ("dead-letter", "list")),
    ],
)
def test_a_wrong_password_is_one_sentence(
    mechanism: str, command: tuple[str, ...], kafka: SecureKafka, prefix: str, tmp_path: Path
) -> None:
    way = login(kafka, mechanism, tmp_path)
    (tmp_path / "driftline-password").write_text("wrong-hunter2")
    (tmp_path / "monitors").mkdir()
    ran = run(*command, way=way, prefix=prefix, redis="redis://127.0.0.1:1", monitors=tmp_path / "monitors")
    assert one_sentence(ran, secret="wrong-hunter2") == (
        f"the broker at {kafka.at('SASL')} does not let us in: it does not accept these credentials; check "
        "DRIFTLINE_KAFKA_SASL_MECHANISM and the user and password, or the token, that go with it"
    )


def test_certificates_that_are_not_trusted_are_one_sentence_on_either_side(
    kafka: SecureKafka, prefix: str, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    for way, sentence in (
        (
            mutual(kafka, kafka.authority) | {"kafka_ca_file": stranger.cert},
            "its certificate is not trusted (self-signed certificate in certificate chain); check "
            "DRIFTLINE_KAFKA_CA_FILE, and that DRIFTLINE_KAFKA names it as its certificate does",
        ),
        (
            mutual(kafka, stranger),
            "it asks for a certificate that it trusts; check DRIFTLINE_KAFKA_CERT_FILE and its key",
        ),
    ):
        line = one_sentence(run("topics", "create", way=way, prefix=prefix), secret="key-hunter2")
        assert line == f"the broker at {kafka.at('MUTUAL')} does not let us in: {sentence}"


def test_tokens_that_are_refused_or_not_to_be_had_are_one_sentence(
    kafka: SecureKafka, prefix: str, tmp_path: Path
) -> None:
    expired = unsecured_token("driftline", lifetime_s=-600)
    way = oauth(kafka, kafka_oauth_token_file=written(tmp_path / "token", expired))
    line = one_sentence(run("topics", "create", way=way, prefix=prefix), secret=expired)
    assert "does not accept these credentials" in line
    with TokenServer("drift-client", CLIENT_SECRET) as server:
        way = oauth(
            kafka, kafka_oauth_token_url=server.url, kafka_oauth_client_id="drift-client",
            kafka_oauth_client_secret_file=written(tmp_path / "secret", "wrong-hunter2"),
        )  # fmt: skip
        line = one_sentence(run("topics", "create", way=way, prefix=prefix), secret="wrong-hunter2")
    assert f"the token endpoint {server.url} answered 401 Unauthorized; check DRIFTLINE_KAFKA_OAUTH" in line


def test_the_wrong_protocol_is_one_sentence(kafka: SecureKafka, prefix: str, tmp_path: Path) -> None:
    way = login(kafka, "PLAIN", tmp_path) | {"kafka": kafka.at("TLS")}
    line = one_sentence(run("topics", "create", way=way, prefix=prefix), secret=password("driftline"))
    assert line.endswith(
        "it does not ask who we are; set DRIFTLINE_KAFKA_SECURITY_PROTOCOL to SSL or PLAINTEXT"
    )


def test_a_user_who_may_not_is_told_where_the_permissions_stand(
    kafka: SecureKafka, prefix: str, tmp_path: Path
) -> None:
    way = login(kafka, "PLAIN", tmp_path, "stranger")
    line = one_sentence(run("topics", "create", way=way, prefix=prefix), secret=password("stranger"))
    assert "TopicAuthorizationFailedError" in line
    assert line.endswith("docs/security.md lists the ACLs it takes")


def documented() -> Iterator[Acl]:
    """Give each row's operations to the users of the tests that are called as it is."""
    users = {"topics create": ["driftline"], "every stage": ["profile", "judge", "desk"]}
    users |= {"dead-letter list": ["desk"], "dead-letter requeue": ["desk"], "your producers": ["producer"]}
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (.+) \| (.+) \| (topic|group) `(.+)` \|$", page)
    assert len(rows) > 15
    for who, operations, kind, name in rows:
        for user in users.get(who.strip("`"), [who]):
            for operation in operations.split(", "):
                yield user, operation, kind, name


async def test_the_documented_permissions_are_enough(
    kafka: SecureKafka, prefix: str, fleet_of: Callable[[Way], Any], tmp_path: Path
) -> None:
    await asyncio.to_thread(allow, kafka, list(documented()), prefix)
    ways = {user: login(kafka, "PLAIN", tmp_path, user) for user in USERS}
    created = await asyncio.to_thread(run, "topics", "create", way=ways["driftline"], prefix=prefix)
    assert created.returncode == 0, created.stderr
    names: tuple[StageName, ...] = ("profile", "judge", "desk")
    topics = Topics(prefix)
    async with running(*[(name, await fleet_of(ways[name])) for name in names]):
        await send(ways["producer"], topics.predictions.name, [b"no JSON", *events(columns(600))])
        await send({"kafka": kafka.bootstrap}, topics.alerts.name, [an_alert()])
        assert (await first_of(kafka, topics.panes.name))["model"] == "churn"
        await first_of(kafka, topics.desk.name)
        listed, requeued = [
            await asyncio.to_thread(run, "dead-letter", *command, way=ways["desk"], prefix=prefix)
            for command in (("list", "--json"), ("requeue", "--yes"))
        ]
    assert [row["code"] for row in json.loads(listed.stdout)] == ["not_json"]
    assert (requeued.returncode, requeued.stdout) == (0, f"put 1 event back onto {topics.predictions.name}\n")


def an_alert() -> bytes:
    now_ms = time.time_ns() // 1_000_000
    alert = AlertUpsert(
        status="firing",
        labels={"alertname": "FeatureDrift", "model": "m", "severity": "warning"},
        starts_at_ms=now_ms,
        pane_end_ms=now_ms,
        sequence=1,
    )
    return alert.model_dump_json().encode()
