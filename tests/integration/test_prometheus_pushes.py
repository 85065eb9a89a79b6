"""A real Prometheus that takes a running `driftline up` for its Alertmanager."""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from desks import Receiver
from ups import Up

from driftline.embedded import HOST
from driftline.lifeline import die_with_parent

ALERTING = """\
global: {{resolve_timeout: 5s}}
route: {{receiver: hook, group_by: [alertname], group_wait: 100ms, group_interval: 500ms}}
receivers:
  - name: hook
    webhook_configs: [{{url: "{url}"}}]
"""
PROMETHEUS = """\
global: {{evaluation_interval: 1s}}
rule_files: [{home}/rules.yml]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["{target}"]}}]
"""
RULES = """\
groups:
  - name: jobs
    rules:
      - alert: JobDown
        expr: vector({level}) > 0
        labels: {{severity: critical, job: nightly, gone: ""}}
        annotations: {{summary: "nightly did not run, level {{{{ $value }}}}"}}
"""

pytestmark = pytest.mark.broker


@pytest.fixture
async def up(receiver: Receiver, tmp_path: Path) -> AsyncIterator[Up]:
    (tmp_path / "monitors").mkdir()
    (tmp_path / "alerting.yml").write_text(ALERTING.format(url=receiver.url))
    made = Up(tmp_path)
    yield made
    await made.kill()


@asynccontextmanager
async def prometheus(home: Path, url: str) -> AsyncIterator[Process]:
    """Run Prometheus with one rule that fires; it pushes every second what still does."""
    program = shutil.which("prometheus")
    if program is None:
        assert os.environ.get("CI") != "true", "Prometheus is missing: install Debian's package prometheus"
        pytest.skip("NOT TESTED WITH PROMETHEUS: it is missing; install Debian's package prometheus")
    (home / "rules.yml").write_text(RULES.format(level=1))
    (home / "prometheus.yml").write_text(PROMETHEUS.format(home=home, target=url.removeprefix("http://")))
    with (home / "prometheus.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            program, f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/prometheus",
            f"--web.listen-address={HOST}:0", "--rules.alert.resend-delay=1s", "--web.enable-lifecycle",
            stdout=log, stderr=log, preexec_fn=die_with_parent(os.getpid()),
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="Debian's Prometheus")
async def test_what_prometheus_pushes_is_told_and_over_once_it_pushes_no_more(
    up: Up, receiver: Receiver, tmp_path: Path
) -> None:
    await up.start()
    url = await up.web()
    async with prometheus(tmp_path, url) as process:
        await up.until(
            lambda: receiver.words == ["+JobDown"], f"it is told\n{(tmp_path / 'prometheus.log').read_text()}"
        )
    await up.until(lambda: receiver.words == ["+JobDown", "-JobDown"], "it is over")
    assert process.returncode is not None
    await up.stop()
