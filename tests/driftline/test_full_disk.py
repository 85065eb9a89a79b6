"""Whoever writes files on a full disk says so in one sentence, and leaves nothing that is taken up as whole."""

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from brokers import unique
from clients import create_topic, produce
from command_line import Run

from driftline.embedded import EmbeddedBroker
from driftline.journal import Journal
from driftline.worker import METRICS_DIR
from streams.topics import Topics

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
MONITOR = (
    "model: churn\nfeatures: {age: {type: number}}\nwindows: {pane: 10s, current: 30s, min_samples: 50}\n"
)
LIMIT_BYTES = 16_384


@pytest.fixture
def history(tmp_path: Path) -> Path:
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "churn.yaml").write_text(MONITOR)
    rows = [f"{1_795_424_400_000 + 100 * row},{20 + row % 40},0.{row % 10}" for row in range(20_000)]
    (tmp_path / "november.csv").write_text("ts,age,prediction\n" + "\n".join(rows) + "\n")
    return tmp_path


def with_limit(max_bytes: int) -> Callable[[], None]:
    """Return a ``preexec_fn`` that lets no file of the process grow beyond a size."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))


def run_with_limit(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        preexec_fn=with_limit(LIMIT_BYTES), capture_output=True, text=True, check=False, cwd=ROOT, timeout=60,
    )  # fmt: skip


def test_replay_says_which_file_the_disk_has_no_room_for(history: Path, driftline: Run) -> None:
    full = history / "out.jsonl"
    full.symlink_to("/dev/full")
    ran = driftline(
        "replay",
        history / "november.csv",
        "--monitors",
        history / "monitors",
        "--quiet",
        "--verdicts-out",
        full,
    )
    assert ran.status == 1
    (line,) = ran.err.splitlines()
    assert line.startswith(f"{full}: cannot be written: No space left on device; it is not complete")
    assert "free some space" in line


def test_a_reference_is_written_whole_or_not_at_all(history: Path) -> None:
    out = history / "churn.reference.json"
    out.write_text("the one before")
    command = ["-m", "driftline", "reference", "build", history / "november.csv"]
    limited = (*command, "--monitor", history / "monitors" / "churn.yaml", "--out", out)
    ran = subprocess.run(
        [sys.executable, *map(str, limited)],
        preexec_fn=with_limit(500), capture_output=True, text=True, check=False, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == (
        f"{out}: cannot be written: File too large; name another file, or free some space"
    )
    assert out.read_text() == "the one before"
    assert sorted(path.name for path in history.iterdir()) == [out.name, "monitors", "november.csv"]


_COUNT = """
import sys
from prometheus_client import CollectorRegistry
from driftline.metrics_files import count_in_files
from driftline.worker import metrics_page
from streams.metrics import Metrics

count_in_files("profile")
events = Metrics(CollectorRegistry()).events
for number in range(4_000):
    events.labels(model=f"model-{number}").inc()
shown = metrics_page(sys.argv[1]).decode()
print(sum(line.startswith("driftline_events_total{") for line in shown.splitlines()))
"""


@pytest.mark.parametrize(("room_kb", "shown"), [(800, 700), (16, 0)])
def test_a_stage_goes_on_where_its_metrics_have_no_room_and_says_so_once(
    tmp_path: Path, room_kb: int, shown: int
) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={room_kb}k", "tmpfs", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"needs to mount a small disk: {mounted.stderr.strip()}")
    try:
        ran = subprocess.run(
            [sys.executable, "-c", _COUNT, str(tmp_path)],
            env={**os.environ, METRICS_DIR: str(tmp_path)},
            capture_output=True, text=True, check=False, cwd=ROOT, timeout=60,
        )  # fmt: skip
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert ran.returncode == 0, ran.stderr
    assert shown <= int(ran.stdout) < 4_000
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"metrics cannot be written to {tmp_path} (No space left on device): ")
    assert "free some space there" in line


_KEEP = """
import asyncio, resource, sys
from pathlib import Path
from driftline.journal import Journal
from streams.topics import Topics

async def keep():
    journal = Journal(Path(sys.argv[1]), sys.argv[2], Topics(sys.argv[3]), 1)
    await journal.restore()
    await journal.run(asyncio.Event())

asyncio.run(keep())
"""


async def test_a_journal_on_a_full_disk_ends_with_a_remedy_and_what_it_kept_before_is_restored(
    tmp_path: Path,
) -> None:
    data, topics = tmp_path / "data", Topics(unique("full"))
    with EmbeddedBroker() as broker:
        await _topics(broker.bootstrap, topics)
        for number in range(40):
            await produce(broker.bootstrap, topics.desk.name, [b"%01000d" % number], key=b"%d" % number)
        ran = await asyncio.to_thread(run_with_limit, "-c", _KEEP, data, broker.bootstrap, topics.prefix)
    assert ran.returncode == 1, ran.stderr
    assert ran.stderr.splitlines()[-1] == (
        f"driftline.journal.JournalError: --data {data} cannot be written: File too large; "
        "free some space there and start again: what was written before is kept"
    )
    with EmbeddedBroker() as fresh:
        await _topics(fresh.bootstrap, topics)
        journal = Journal(data, fresh.bootstrap, topics, 1)
        restored = await journal.restore()
        stopped = asyncio.Event()
        stopped.set()
        await journal.run(stopped)
    assert 5 < restored < 40


async def _topics(bootstrap: str, topics: Topics) -> None:
    for name in (topics.layouts.name, topics.desk.name, topics.panes.name):
        await create_topic(bootstrap, name)
