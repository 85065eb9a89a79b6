"""The benchmark of judging: it goes through stage 2, and its parts are all of what was spent."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", ["file", "trailing"])
def test_every_pane_is_judged_and_every_cpu_second_is_some_parts(kind: str) -> None:
    script = ROOT / "benchmarks" / "judging.py"
    ran = subprocess.run(
        [sys.executable, str(script), "--models", "2", "--panes", "3", "--reference", kind],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[0])
    assert found["panes"] == 6
    assert found["verdicts"] > 6 * 4 * 50, "four detectors and more on each of fifty features"
    assert found["firing"] == 0, "the panes are drawn as the reference is"
    assert sum(found["parts"].values()) == pytest.approx(found["cpu_s"], abs=0.02)
    assert found["of_a_core"] == pytest.approx(found["cpu_s"] / 10, abs=0.001)
    assert {"psi", "lasting_shift", "missing_rate", "latency"} <= found["parts"].keys()
    assert {"decode profiles", "encode rows", "encode outputs", "put up for pages"} <= found["parts"].keys()
