"""A worker's processes on a real broker: started again when they die, and never left behind."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from brokers import unique
from clients import until

from driftline import worker
from driftline.embedded import EmbeddedBroker, EmbeddedStore
from driftline.serving import metrics_listener, until_one_ends, worker_page
from driftline.settings import Settings
from driftline.web.errors import CannotListen
from driftline.web.server import listen
from driftline.worker import Supervisor, metrics_page, settings_environment

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    monitors = tmp_path_factory.mktemp("monitors")
    with EmbeddedBroker() as broker, EmbeddedStore() as store:
        yield Settings(
            kafka=broker.bootstrap, redis=store.url, monitors=monitors, partitions=1, metrics_port=0,
            session_timeout_s=6.0, topic_prefix=unique("worker"),
        )  # fmt: skip


@pytest.fixture
def supervisor(settings: Settings, tmp_path: Path) -> Supervisor:
    return Supervisor(settings_environment(settings) | {"PYTHONPATH": str(ROOT)}, str(tmp_path))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def get(supervisor: Supervisor, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=worker_page(supervisor))
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
        return await client.get(path)


def counting(supervisor: Supervisor, *stages: str) -> Callable[[], bool]:
    """Say whether stages have made their metrics: they are past their start."""

    def found() -> bool:
        names = {path.stem.rpartition("_")[2] for path in Path(supervisor.metrics_dir).glob("*.db")}
        return set(stages) <= names

    return found


async def test_a_killed_stage_starts_again_later_each_time_and_all_end_on_stop(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "FIRST_PAUSE_S", 0.5)
    stop = asyncio.Event()
    task = asyncio.create_task(supervisor.run(stop))
    try:
        await until(lambda: len(supervisor.running) == 3, says="three stages run")
        await until(
            counting(supervisor, "profile", "judge", "desk"), deadline_s=60, says="metrics are written"
        )
        assert (await get(supervisor, "/healthz")).text == "ok\n"
        others = {name: pid for name, pid in supervisor.running.items() if name != "judge"}
        for pause_s in (0.5, 1.0):
            first = supervisor.running["judge"]
            os.kill(first, signal.SIGKILL)
            began_s = time.monotonic()
            await until(lambda: "judge" not in supervisor.running, says="its end is noticed")
            sick = await get(supervisor, "/healthz")
            assert (sick.status_code, sick.text) == (503, "not running: judge\n")
            await until(lambda: "judge" in supervisor.running, says="it is started again")
            assert pause_s <= time.monotonic() - began_s < pause_s + 2.0
            assert supervisor.running["judge"] != first
        assert {name: pid for name, pid in supervisor.running.items() if name != "judge"} == others
        pids = list(supervisor.running.values())
    finally:
        stop.set()
        began_s = time.monotonic()
        await task
    assert time.monotonic() - began_s < 20.0
    assert not any(map(alive, pids))
    assert "stage judge ended with status -9; it starts again in 0.5 s" in caplog.text
    assert "it starts again in 1 s" in caplog.text
    assert "is killed" not in caplog.text


async def test_one_page_shows_the_metrics_of_all_stages(supervisor: Supervisor) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(supervisor.run(stop))
    try:
        stages = ("profile", "judge", "desk")
        await until(
            lambda: all(
                f'driftline_last_progress_timestamp_seconds{{stage="{stage}"}}'.encode()
                in metrics_page(supervisor.metrics_dir)
                for stage in stages
            ),
            deadline_s=60,
            says="every stage tells its progress",
        )
        page = await get(supervisor, "/metrics")
        assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "# TYPE driftline_chunk_rows histogram" in page.text
        assert not re.search(r"\bpid=", page.text)
    finally:
        stop.set()
        await task


@pytest.fixture
def taken() -> Iterator[int]:
    with listen("127.0.0.1", 0) as listener:
        yield listener.getsockname()[1]


def test_beside_another_worker_the_metrics_take_a_free_port_and_say_so(
    taken: int, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings.model_construct(host="127.0.0.1", metrics_port=taken, _fields_set=set())
    with metrics_listener(settings) as listener:
        assert listener.getsockname()[1] != taken
    assert f"port {taken} is taken" in caplog.text


def test_a_port_of_metrics_that_was_chosen_and_is_taken_names_its_variable(taken: int) -> None:
    with pytest.raises(CannotListen, match="choose another with DRIFTLINE_METRICS_PORT"):
        metrics_listener(Settings(metrics_port=taken))


async def test_a_part_that_fails_is_told_when_the_others_have_ended() -> None:
    stop, ended = asyncio.Event(), []

    async def slow() -> None:
        await stop.wait()
        await asyncio.sleep(0.05)
        ended.append("slow")

    async def broken() -> None:
        raise CannotListen("taken")

    with pytest.raises(CannotListen):
        await until_one_ends(stop, slow(), broken())
    assert ended == ["slow"]


async def test_a_stop_before_the_stages_are_up_leaves_none(supervisor: Supervisor) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(supervisor.run(stop))
    await asyncio.sleep(0)  # the processes are being made
    stop.set()
    await task
    assert supervisor.running == {}


def worker_process(settings: Settings) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "driftline", "worker"],
        cwd=ROOT,
        env=settings_environment(settings),
        stderr=subprocess.PIPE,
        text=True,
    )


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_stages_do_not_outlive_their_worker(how: signal.Signals, settings: Settings) -> None:
    with worker_process(settings) as process:
        try:
            await until(lambda: len(children(process.pid)) == 3, deadline_s=30, says="three stages run")
            stages = children(process.pid)
            process.send_signal(how)
            status = await asyncio.to_thread(process.wait, 30)
            await until(lambda: not any(map(alive, stages)), deadline_s=5, says="the stages are gone")
        finally:
            process.kill()
    assert status == (-9 if how == signal.SIGKILL else 0)
