"""Fixtures every test may use: a broker of each kind, a store of each kind, a prefix of one's own.

Helpers live in `tests/support` and are imported by their bare name: ``from brokers import Broker``.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# importmode=importlib puts no test folder on the path.
sys.path.insert(0, str(Path(__file__).parent / "support"))

from brokers import Broker, KafkaBroker, NotHere, RedisStore, kafka_libs, unique

from driftline.embedded import EmbeddedBroker, EmbeddedStore

# Time says nothing on a machine that has other things to do.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what takes a minute, but not in CI."""
    if os.environ.get("CI") != "true":
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: runs with CI=true"))


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("tansu", marks=pytest.mark.broker),
        pytest.param("kafka", marks=[pytest.mark.broker, pytest.mark.kafka]),
    ],
)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker of each kind; Apache Kafka is the one at DRIFTLINE_KAFKA, or started from its jars."""
    if request.param == "tansu":
        with EmbeddedBroker() as tansu:
            yield Broker("tansu", tansu.bootstrap)
    elif external := os.environ.get("DRIFTLINE_KAFKA"):
        yield Broker("kafka", external)
    else:
        with KafkaBroker(_libs_or_skip()) as kafka:
            yield Broker("kafka", kafka.bootstrap)


@pytest.fixture(scope="session")
def needs_kafka() -> Path:
    """The folder of Apache Kafka's jars, for a test that starts a broker of its own."""
    return _libs_or_skip()


def _libs_or_skip() -> Path:
    try:
        return kafka_libs()
    except NotHere as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must test against Apache Kafka: {reason}")
        pytest.skip(f"NOT TESTED AGAINST APACHE KAFKA: {reason}")


@pytest.fixture(scope="session", params=["valkey"] + (["redis"] if shutil.which("redis-server") else []))
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a store of each kind."""
    with EmbeddedStore() if request.param == "valkey" else RedisStore() as server:
        yield server.url


@pytest.fixture
def prefix() -> str:
    """A prefix for topics, groups and keys that no other test has."""
    return unique("test")
