"""Runs the commands of the runbooks over answers shaped by `streams.views`: stale names show before 3 am."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

import runbooks
from streams.views import ModelSummary, PaneColumn, PaneRow, VerdictRow

EVENTS = """not json
{"id": "1", "model": "churn", "version": "1.4", "ts": 1, "features": {"age": 4, "plan": "pro"}, \
"latency_ms": 12.5, "prediction": 0.5, "error": "time-out", "segments": {"country": "de"}}
"""
AT = "2026-11-23T09:00:00.000Z"


def pane() -> PaneRow:
    column = PaneColumn(
        count=9, missing=1, out_of_range=1, mean=4.0, standard_deviation=1.0, minimum=1.0, maximum=9.0,
        p50=4.0, p95=8.0, p99=9.0,
    )  # fmt: skip
    return PaneRow(
        start=AT, end=AT, version="1.4", events=9, invalid=1, late=1, errors=1, duplicates=1,
        latency_ms=column,
        features=dict.fromkeys(("age", "plan", "balance"), column), prediction={"prediction": column},
    )  # fmt: skip


def verdict(kind: str) -> VerdictRow:
    return VerdictRow(
        at=AT, model="churn", version="1.4", detector="one", kind=kind, feature="age", segment="country=de",
        status="firing", score=2.0, threshold=1.0, firing=True, samples=9, sentence="this is worse than that",
        evidence={"labels": ["a"]},
    )  # fmt: skip


def summary() -> ModelSummary:
    return ModelSummary(model="churn", state="ok", last_event_ms=1, updated_ms=1)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with stand-ins for the programs that would reach a live system."""
    for name, rows in (("verdicts", [verdict(kind) for kind in runbooks.kinds()]), ("panes", [pane()])):
        (tmp_path / name).write_text(f"[{','.join(row.model_dump_json() for row in rows)}]")
    (tmp_path / "models").write_text(f"[{summary().model_dump_json()}]")
    (tmp_path / "readyz").write_text("ok\n")
    (tmp_path / "events").write_text(EVENTS)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    programs = {
        "curl": f'name="${{@: -1}}"; name="${{name%%\\?*}}"; cat "{tmp_path}/${{name##*/}}"',
        "kcat": f"""case "$*" in
            *%h*) echo 'driftline-code=not_json,driftline-reason=not JSON' ;;
            *%T*) sed 's/^/1/' "{tmp_path}/events" ;;
            *) cat "{tmp_path}/events" ;;
        esac""",
        "driftline": "echo driftline",
        "kafka-consumer-groups.sh": "echo driftline-judge",
        "git": "echo commit",
    }
    for name, body in programs.items():
        script = bin_folder / name
        script.write_text(f"#!/bin/bash\n{body}\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return bin_folder


@pytest.mark.parametrize("kind", runbooks.kinds())
def test_every_command_runs_and_finds_its_fields(kind: str, tools: Path) -> None:
    if shutil.which("jq") is None:
        assert os.environ.get("CI") != "true", "jq is missing: install it (Debian package jq)"
        pytest.skip("jq is missing: install it (Debian package jq) to run the runbooks' commands")
    blocks = re.findall(r"```sh\n(.*?)```", runbooks.text(kind) or "", flags=re.DOTALL)
    assert blocks
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        env={
            "PATH": f"{tools}:{os.environ['PATH']}",
            "DRIFTLINE_URL": "http://web",
            "DRIFTLINE_KAFKA": "kafka:9092",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert "null" not in run.stdout
    assert not re.search(r"\t(\t|$)", run.stdout, flags=re.MULTILINE)
    if "/verdicts" in "".join(blocks):
        assert "this is worse than that" in run.stdout
