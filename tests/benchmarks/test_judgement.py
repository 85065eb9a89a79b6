"""The benchmark of judgement: what it spares itself it may, its harness is right, and its page is what was measured."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.base import Evidence, Verdict

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def run(script: str, *options: str) -> str:
    ran = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *options],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_published_run_lengths_come_out_of_the_harness() -> None:
    found = run("judgement.py", "--quick", "--only", "tables", "--seed", "1001")
    rows = [json.loads(line) for line in found.splitlines() if line.startswith("{")]
    assert {row["chart"] for row in rows} == {"CUSUM", "EWMA", "evidence"}
    assert [row for row in rows if not row["passes"]] == []


def test_a_window_that_is_not_looked_at_would_not_have_come_near_its_threshold() -> None:
    from judgement_replicas import _may_be_near, _window, column_detectors, monitor
    from judgement_streams import specs

    rng = np.random.default_rng(1002)
    judged = specs()
    held = monitor(judged, 1.0)
    looked_at = passed_over = 0
    for spec in (judged[0], judged[5], judged[12], judged[17]):
        usual = spec.shares(np.zeros(1))[0]
        reference = spec.column(rng.multinomial(20_000, usual))
        moved = spec.shares(np.linspace(0.0, 0.8, 60))
        windows = rng.multinomial(rng.integers(500, 3000, 60), moved)
        for detector in column_detectors(held, spec.name):
            if detector.name == "lasting_shift":
                continue
            near = _may_be_near(detector, reference, windows)
            for counts, is_near in zip(windows, near, strict=True):
                verdict = detector.observe(_window(spec.column(counts), False), _window(reference, False))
                is_quiet = verdict.status != "firing" and verdict.score <= 0.9 * verdict.threshold
                assert is_near or is_quiet, (detector.name, verdict)
                looked_at, passed_over = looked_at + bool(is_near), passed_over + (not is_near)
    assert looked_at > 20
    assert passed_over > 20


def test_a_signal_fires_until_it_has_been_well_for_long_enough() -> None:
    from judgement_replicas import joined, spells

    def verdict(score: float) -> Verdict:
        return Verdict(
            "psi", "FeatureDrift", "x", "firing" if score > 1 else "ok", score, 1.0, 9, Evidence("")
        )

    fires, near = verdict(2.0), verdict(0.95)
    assert spells({3: fires, 4: near, 5: near}, 20) == [(3, 8)]
    assert spells({3: fires, 5: fires, 15: fires}, 20) == [(3, 8), (15, 18)]
    assert spells({19: fires}, 20) == [(19, 20)]
    assert spells({3: near}, 20) == []
    assert joined([(3, 8), (15, 18), (7, 10)]) == [(3, 10), (15, 18)]


def test_windows_reach_back_until_they_hold_enough_events() -> None:
    from judgement_replicas import windows_of

    few = np.full((20, 1), 60)
    assert windows_of(few)[-1].tolist() == [540]
    many = np.full((20, 1), 600)
    assert windows_of(many)[-1].tolist() == [3000]


def test_a_healthy_model_is_told_with_its_sampling_error() -> None:
    from judgement_alarms import told

    assert told("x", 1.0, 10.0, 0)["interval"] == [0.0, 0.369]
    assert told("x", 1.0, 10.0, 12)["passes"] is True
    assert told("x", 1.0, 10.0, 30)["passes"] is False


def test_a_strong_shift_is_found_within_two_panes() -> None:
    import judgement_delay as delay

    change = next(one for one in delay.CHANGES if one.name == "mean + 1 sigma")
    pace = delay.PACES[1]
    short = delay.Change(change.name, 20, change.shift)
    found: list[Any] = delay._ours(short, pace, 4, np.random.default_rng(1003))
    assert all(panes is not None and panes <= 2 for panes in found)


def test_pairs_are_summed_as_the_product_sums_them() -> None:
    from judgement_pairs import NAMES, NUMBERS, _pair_of, pane_sums
    from judgement_replicas import monitor
    from judgement_streams import _GRID, SHAPES, specs

    from streams.layout import compile_layout
    from streams.pair_sums import PairSums

    layout = compile_layout(monitor(specs(), 1.0), edges={one.name: one.edges for one in NUMBERS})
    positions = [place for place, column in enumerate(layout.numbers) if column.name in NAMES]
    # Cuts are known to the grid's step: on its points a latent value and its number fall in the same bin.
    latent = _GRID[np.searchsorted(_GRID, _pair_of(0.5, 300, np.random.default_rng(1004)))]
    whole = [one for one in NUMBERS if not one.missing]
    numbers = np.full((len(latent), len(layout.numbers)), np.nan)
    for position in positions:
        spec = next(one for one in NUMBERS if one.name == layout.numbers[position].name)
        numbers[:, position] = SHAPES[spec.shape](latent[:, NUMBERS.index(spec)])
    theirs = PairSums.of(layout, positions, numbers)
    names = [layout.numbers[position].name for position in positions]
    counts, gram = pane_sums(latent, np.array([100, 0, 200]), np.random.default_rng(1005))
    for one in whole:
        ours, held = 1 + NAMES.index(one.name), 1 + names.index(one.name)
        assert gram[:, 0, ours].sum() == theirs.gram[0, held]
        for other in whole:
            mine, its = 1 + NAMES.index(other.name), 1 + names.index(other.name)
            assert gram[:, ours, mine].sum() == theirs.gram[held, its]
    assert counts[:, 0, 0].tolist() == [100, 0, 200]


def test_a_correlation_that_flips_is_found_in_the_panes_of_its_window() -> None:
    from judgement_pairs import flip_delay, pair_detector
    from judgement_replicas import monitor
    from judgement_streams import specs

    rng, totals = np.random.default_rng(1006), np.full(40, 600)
    detector = pair_detector(monitor(specs(), 1.0))
    assert flip_delay(detector, 0.8, 20_000, totals, 30, rng) in (1, 2)
    assert flip_delay(detector, 0.0, 20_000, totals, 30, rng) is None


def test_no_known_change_is_told_sooner_than_its_information_allows() -> None:
    import judgement_delay as delay

    least = {(c.name, p.name): delay.least_panes(c, p) for c in delay.CHANGES for p in delay.PACES}
    # 0.1 standard deviations are 0.1 ** 2 / 2 nats an event; once in 201,600 panes are 12.2 nats.
    assert least["mean + 0.1 sigma", "1/s"] == 41
    assert least["correlation flips", "10/s"] == 1


def test_the_page_and_its_plot_are_what_was_measured(tmp_path: Path) -> None:
    run("judgement_plot.py", "--out", str(tmp_path))
    for name in ("judgement.md", "judgement.svg"):
        assert (tmp_path / name).read_text() == (ROOT / "docs" / name).read_text()
