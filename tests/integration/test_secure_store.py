"""Redis behind TLS and ACL users: the projection is written, pages read it, and refusals tell no secret."""

import asyncio
import gc
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from brokers import unique
from certificates import Authority
from prometheus_client import CollectorRegistry
from secure_store import READER, WORKER, GuardedRedis, GuardedValkey, password
from tables import columns, events, monitor, watched

from alerts.config import default_config
from driftline import access
from driftline.embedded import EmbeddedBroker
from driftline.fleet import make_fleet
from driftline.settings import Settings
from driftline.web.app import create_app
from streams import projection
from streams.metrics import Metrics
from streams.stages.fleet import Fleet
from streams.stages.run import STAGES, make_stage, run_stage

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0
Way = dict[str, Any]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(
    scope="module",
    params=[
        "valkey",
        pytest.param(
            "redis with TLS",
            marks=pytest.mark.skipif(not shutil.which("redis-server"), reason="no redis-server"),
        ),
    ],
)
def way(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Way]:
    """Settings of the way to a store of each kind, but for the user."""
    if request.param == "valkey":
        with GuardedValkey() as server:
            yield {"redis": server.url}
    else:
        with GuardedRedis(authority.issue("store")) as server:
            yield {"redis": server.url, "redis_ca_file": authority.cert}


@pytest.fixture(scope="module")
def tansu() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("DRIFTLINE_") and not name.startswith("DRIFTLINE_TEST_"):
            monkeypatch.delenv(name)


def of(user: str, way: Way, tmp_path: Path, secret: str | None = None) -> Way:
    file = tmp_path / f"{user}-password"
    file.write_text(f"{password(user) if secret is None else secret}\n")
    return way | {"redis_username": user, "redis_password_file": file}


@asynccontextmanager
async def at_work(tansu: EmbeddedBroker, way: Way) -> AsyncIterator[Fleet]:
    """Run all stages, with events going in."""
    settings = Settings(
        kafka=tansu.bootstrap, topic_prefix=unique("store"), partitions=1, session_timeout_s=6.0, **way
    )
    fleet = await asyncio.to_thread(make_fleet, settings, watched(monitor()))
    producer = AIOKafkaProducer(bootstrap_servers=tansu.bootstrap)
    await producer.start()
    for value in events(columns(600)):
        await producer.send(fleet.topics.predictions.name, value)
    await producer.stop()
    stop = asyncio.Event()
    shells = [make_stage(name, fleet, Metrics(CollectorRegistry()), default_config()) for name in STAGES]
    tasks = [asyncio.create_task(run_stage(shell, stop)) for shell in shells]
    try:
        yield fleet
    finally:
        stop.set()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def web(way: Way) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(redis_url=access.store(Settings(**way)), timeout_s=2.0)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://web") as client,
    ):
        yield client


async def test_pages_show_what_a_worker_wrote_each_with_its_own_user(
    way: Way, tansu: EmbeddedBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(tansu, of(WORKER, way, tmp_path)), web(of(READER, way, tmp_path)) as client:
        panes: list[dict[str, Any]] = []
        async with asyncio.timeout(DEADLINE_S):
            while not panes:
                await asyncio.sleep(0.1)
                answer = await client.get("/api/v1/models/churn/panes")
                panes = answer.json() if answer.status_code == 200 else []
        for path in ("/", "/models/churn", "/api/v1/models", "/api/v1/models/churn/verdicts"):
            assert (await client.get(path)).status_code == 200, path
    assert panes[0]["events"] == 100
    assert "Redis" not in " ".join(r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING)


def alerts(way: Way) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "driftline", "alerts"],
        env={**os.environ, **{f"DRIFTLINE_{name.upper()}": str(value) for name, value in way.items()}},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_a_command_reads_with_the_right_password_and_says_of_a_wrong_one_what_to_check(
    way: Way, tmp_path: Path
) -> None:
    assert alerts(of(READER, way, tmp_path)).stdout == "no alert is firing\n"
    ran = alerts(of(READER, way, tmp_path, secret="wrong-hunter2"))
    assert ran.returncode == 1
    assert "wrong-hunter2" not in ran.stdout + ran.stderr
    (line,) = ran.stderr.splitlines()
    assert line.endswith(
        "Check its user and password: DRIFTLINE_REDIS_USERNAME and DRIFTLINE_REDIS_PASSWORD_FILE."
    )


async def test_a_page_says_so_too_and_tells_no_secret(way: Way, tmp_path: Path) -> None:
    async with web(of(READER, way, tmp_path, secret="wrong-hunter2")) as client:
        for path in ("/", "/api/v1/models", "/readyz"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert "DRIFTLINE_REDIS_PASSWORD_FILE" in answer.text
            assert "wrong-hunter2" not in answer.text


async def test_stages_go_on_without_the_store_and_their_log_tells_no_secret(
    way: Way, tansu: EmbeddedBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = way["redis"].replace("://", f"://{WORKER}:wrong-hunter2@")
    async with at_work(tansu, way | {"redis": wrong}) as fleet:
        assert "hunter2" not in repr(fleet)
        async with asyncio.timeout(DEADLINE_S):
            while "Redis does not take the projection" not in caplog.text:
                await asyncio.sleep(0.1)
    assert "DRIFTLINE_REDIS_PASSWORD_FILE" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.skipif(
    not shutil.which("redis-server"), reason="the embedded Valkey has no TLS: no redis-server"
)
def test_a_certificate_of_a_stranger_or_for_another_name_is_said(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    for server, trusted in (
        (authority.issue("known"), stranger),
        (authority.issue("elsewhere", names="DNS:elsewhere.example"), authority),
    ):
        with GuardedRedis(server) as store:
            ran = alerts(of(READER, {"redis": store.url, "redis_ca_file": trusted.cert}, tmp_path))
        assert ran.returncode == 1
        (line,) = ran.stderr.splitlines()
        assert line.endswith(
            "Check DRIFTLINE_REDIS_CA_FILE, and that DRIFTLINE_REDIS names the store as its certificate does."
        )


def test_a_projection_that_is_stopped_while_it_is_refused_ends_and_leaves_no_connection_open(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "EVERY_S", 0.0)
    address = access.store(Settings(**of(WORKER, way, tmp_path, secret="wrong-hunter2")))

    async def refill(lost: bool) -> None:
        """Nothing is current here."""

    async def stopped_after(seconds: float) -> None:
        refused = projection.Projection(address, "test", Metrics(CollectorRegistry()), refill)
        running = asyncio.create_task(refused.run())
        await asyncio.sleep(seconds)  # at another moment of a connection each time
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=DEADLINE_S)
        assert done

    for moment in range(40):
        asyncio.run(stopped_after(moment / 1000))
        gc.collect()  # what was left open is an error of this test
