"""Lasting shifts: seldom a false alarm, small ones found, large ones at once, and over when they are over."""

import json
from base64 import b64encode
from dataclasses import replace
from typing import Any
from zlib import compress

import numpy as np
import pytest
from detector_windows import PANE_MS, category, number, pane, window
from shift_panes import DECILES, MISSING, bank, first_alarms, shares

from detectors.accumulation import advance
from detectors.lasting_shift import LastingShift
from detectors.packed import unpack
from detectors.registry import build
from detectors.window import Column, Window

PANE_VALUES = 100


def reference(rows: int = 50_000, seed: int = 1) -> Window:
    rng = np.random.default_rng(seed)
    return window(number(rng.normal(size=rows), edges=DECILES))


def panes(
    shift: float, count: int, *, first: int = 0, size: int = PANE_VALUES, seed: int = 2
) -> list[Window]:
    rng = np.random.default_rng([seed, first])
    drawn = (number(rng.normal(shift, 1.0, size), edges=DECILES) for _ in range(count))
    return [pane(first + index, column) for index, column in enumerate(drawn)]


def detector(threshold: float = 6.0, **params: float) -> LastingShift:
    made = build("lasting_shift", {"threshold": threshold, "min_samples": 1, **params}, "x")
    assert isinstance(made, LastingShift)
    return made


# How often it is wrong.


@pytest.mark.parametrize("size", [1, 10, 200, 100_000])
def test_false_alarms_are_as_far_apart_as_the_threshold_says(size: int) -> None:
    rng = np.random.default_rng(size)
    usual = shares()
    held = bank(rng.multinomial(1_000_000, usual))
    alarms = first_alarms(
        held, lambda _: rng.multinomial(size, usual, size=250), runs=250, panes=300, run_length=200
    )
    # A run that stops early counts as the panes it had: less than it would have come to.
    assert np.minimum(alarms, 300).mean() >= 200


@pytest.mark.parametrize("effect", [0.05, -0.05])
def test_a_shift_as_small_as_is_let_pass_is_no_alarm_either(effect: float) -> None:
    rng = np.random.default_rng(3)
    held = bank((shares() * 10_000_000).astype(np.int64), min_effect=0.05)
    moved = shares(mean=0.9 * effect)
    alarms = first_alarms(
        held, lambda _: rng.multinomial(500, moved, size=200), runs=200, panes=300, run_length=200
    )
    assert np.minimum(alarms, 300).mean() >= 200


@pytest.mark.parametrize("rows", [1_000, 5_000])
def test_the_error_of_a_small_reference_is_no_shift(rows: int) -> None:
    rng = np.random.default_rng(rows)
    usual = shares()
    early = []
    for _ in range(20):
        held = bank(rng.multinomial(rows, usual))
        alarms = first_alarms(
            held, lambda _: rng.multinomial(1000, usual, size=10), runs=10, panes=250, run_length=1000
        )
        early.append((alarms <= 250).mean())
    assert np.mean(early) <= 250 / 1000


@pytest.mark.parametrize("side", [0, 1])
def test_the_mean_of_an_e_value_is_one_at_most_within_the_margin(side: int) -> None:
    held = bank((shares() * 10_000_000).astype(np.int64), min_effect=0.05)
    usual, sign = held.directions.shares, 1 - 2 * side
    judged = 0
    for direction, upwards in enumerate(held.directions.project(np.eye(len(usual))).T):
        scores, sizes = sign * upwards, held.sizes[side, direction]
        for tilt in np.linspace(0.0, 0.05, 6):
            tilted = usual * np.exp(tilt * scores) / (usual @ np.exp(tilt * scores))
            if tilted @ scores <= 0.05:
                judged += 1
                logs = np.log(np.exp(np.outer(sizes, scores)) @ tilted)
                assert (logs <= held.costs[side, direction] + 1e-12).all()
    assert judged > 60


def test_a_rhythm_the_reference_has_is_normal() -> None:
    rng = np.random.default_rng(4)
    swing = 0.4 * np.sin(np.arange(24 * 14) / 24 * 2 * np.pi)
    hours = np.array([rng.multinomial(2000, shares(mean)) for mean in swing])
    held = bank(hours.sum(axis=0), spans=(hours,))
    blind = bank(hours.sum(axis=0))

    def draw(hour: int) -> np.ndarray:
        return rng.multinomial(500, shares(swing[hour % 24]), size=50)

    assert (first_alarms(held, draw, runs=50, panes=300, run_length=1e6) > 300).all()
    assert (first_alarms(blind, draw, runs=50, panes=300, run_length=1e6) <= 24).all()


def test_spans_that_differ_by_sampling_alone_widen_nothing() -> None:
    rng = np.random.default_rng(5)
    spans = rng.multinomial(200, shares(), size=300)
    assert (bank(spans.sum(axis=0), spans=(spans,)).margins == 0.05).all()


# What it finds.


@pytest.mark.parametrize(
    ("shift", "events"), [(0.1, 40_000), (0.25, 2_000), (0.5, 700), (1.0, 300), (3.0, 100)]
)
def test_a_shift_is_found_within_some_events(shift: float, events: int) -> None:
    found = detector(threshold=6.4)
    usual = reference()
    for current in panes(0.0, 100):
        assert found.observe(current, usual).status == "ok"
    after = [found.observe(one, usual) for one in panes(shift, events // PANE_VALUES, first=100)]
    assert after[-1].status == "firing", after[-1].evidence.sentence


def test_ten_events_a_pane_find_it_as_well_as_many() -> None:
    few, many = detector(), detector()
    usual = reference()
    small = panes(0.5, 100, size=10)
    large = panes(0.5, 1, size=1_000_000)
    assert [few.observe(one, usual).status for one in small][-1] == "firing"
    assert many.observe(large[0], usual).status == "firing"


def test_what_no_window_sees_adds_up() -> None:
    found, psi = detector(threshold=6.4), build("psi", {}, "x")
    usual = reference()
    assert not any(psi.observe(one, usual).status == "firing" for one in panes(0.25, 10, size=3000))
    assert [found.observe(one, usual).status for one in panes(0.25, 30)][-1] == "firing"


def test_more_missing_values_and_a_wider_spread_are_shifts_too() -> None:
    rng = np.random.default_rng(6)
    for column, words in (
        (number(rng.normal(size=3000), edges=DECILES, missing=150), "missing values 0"),
        (number(rng.normal(0.0, 1.3, 3000), edges=DECILES), "spread wider"),
        (number(rng.normal(0.0, 0.7, 3000), edges=DECILES), "spread narrower"),
    ):
        verdict = detector().observe(pane(0, column), reference())
        assert verdict.status == "firing"
        assert words in verdict.evidence.sentence.replace("< 0.001", "0")


def test_a_share_that_moves_is_named_with_before_and_after() -> None:
    usual = window(category([60_000, 30_000, 10_000]))
    made = build("lasting_shift", {"min_samples": 1}, "plan")
    verdict = made.observe(pane(0, category([1000, 500, 600])), usual)
    assert verdict.status == "firing"
    assert "share of 'team' 10 % → 28.6 %" in verdict.evidence.sentence


def test_it_says_since_when_and_which_way() -> None:
    found, usual = detector(), reference()
    for current in panes(0.0, 200):
        found.observe(current, usual)
    last = [found.observe(one, usual) for one in panes(0.5, 30, first=200)][-1]
    assert "values up by 0." in last.evidence.sentence
    since = last.evidence.details["since_ms"]
    assert abs(since - 200 * PANE_MS) <= 16 * PANE_MS
    assert last.evidence.details["effect"] == pytest.approx(0.5, abs=0.1)


# When it is over, and what it needs.


@pytest.mark.parametrize("shift", [0.25, 3.0])
def test_evidence_comes_down_again_once_the_shift_is_over(shift: float) -> None:
    found, usual = detector(), reference()
    assert [found.observe(one, usual).status for one in panes(shift, 200)][-1] == "firing"
    after = [found.observe(one, usual) for one in panes(0.0, 20, first=200)]
    assert after[-1].score < 0.9 * after[-1].threshold


def test_a_shift_that_lasts_goes_on_firing_while_a_trailing_reference_takes_it_in() -> None:
    rng = np.random.default_rng(8)
    held = [rng.multinomial(2000, shares()) for _ in range(100)]
    found = detector()
    statuses = []
    for index, current in enumerate(panes(0.5, 40, size=2000)):
        rows = np.array(held)
        total = rows.sum(axis=0)
        column = replace(current.features["x"], bins=total[:-1], missing=int(total[-1]), spans=(rows,))
        column = replace(column, count=int(total[:-1].sum()))
        statuses.append(found.observe(current, window(column)).status)
        if index > 2:
            held.append(np.append(current.features["x"].bins, round(2000 * MISSING)))
    assert set(statuses) == {"firing"}


def test_a_restored_detector_goes_on_within_a_shift() -> None:
    usual = reference()
    live = detector()
    for current in panes(0.0, 30) + panes(0.3, 12, first=30):
        live.observe(current, usual)
    restored = detector()
    restored.restore(json.loads(json.dumps(live.snapshot(), allow_nan=False)))
    for current in panes(0.3, 40, first=42):
        assert restored.observe(current, usual) == live.observe(current, usual)
    assert restored.snapshot() == live.snapshot()


def test_other_bins_begin_the_evidence_anew() -> None:
    found = detector()
    for current in panes(3.0, 5):
        found.observe(current, reference())
    edges = DECILES + 0.1
    rng = np.random.default_rng(9)
    usual = window(number(rng.normal(size=50_000), edges=edges))
    verdict = found.observe(pane(5, number(rng.normal(size=PANE_VALUES), edges=edges)), usual)
    assert verdict.status == "ok"
    assert verdict.samples == PANE_VALUES


def test_a_small_reference_is_not_judged_by() -> None:
    verdict = detector().observe(panes(3.0, 1)[0], reference(rows=999))
    assert verdict.status == "insufficient"
    assert "999 of 1,000 events in the reference" in verdict.evidence.sentence


def test_many_categories_have_their_rarest_counted_together() -> None:
    listed = [f"c{index}" for index in range(900)]
    counts = [2000 - index for index in range(900)]
    made = build("lasting_shift", {"min_samples": 1}, "plan")
    usual = window(category(counts, listed=listed))
    same = made.observe(pane(0, category([one // 100 for one in counts], listed=listed)), usual)
    assert same.status == "ok"
    gone = made.observe(
        pane(1, category([one // 100 for one in counts[:600]] + [0] * 300, listed=listed)), usual
    )
    assert gone.status == "firing"
    assert "(rarer ones)" in gone.evidence.sentence


def test_the_state_of_a_number_stays_small() -> None:
    found, usual = detector(), reference()
    for current in panes(0.05, 300):
        found.observe(current, usual)
    assert len(json.dumps(found.snapshot())) < 2_500


def test_a_snapshot_of_when_it_was_compressed_is_taken_up_as_it_was() -> None:
    found, usual = detector(), reference()
    *before, last = panes(0.05, 21)
    for current in before:
        found.observe(current, usual)
    held = found.snapshot()

    def compressed(values: np.ndarray[Any, Any], kind: str) -> str:
        return b64encode(compress(values.astype(kind).tobytes(), 1)).decode()

    counts = np.array([unpack(text) for text in held["trail"]["counts"]])
    old = held | {
        "sums": held["sums"] | {"kept": compressed(unpack(held["sums"]["kept"]), "<u4")},
        "trail": held["trail"] | {"counts": compressed(counts, "<i8")},
    }
    restored = detector()
    restored.restore(json.loads(json.dumps(old)))
    assert restored.snapshot() == held
    assert restored.observe(last, usual) == found.observe(last, usual)


def test_predictions_are_judged_alike() -> None:
    made = build("prediction_shift", {"min_samples": 1}, "prediction")
    rng = np.random.default_rng(10)
    usual = window(number(rng.normal(size=20_000), edges=DECILES, name="prediction"))
    moved = number(rng.normal(1.0, 1.0, 500), edges=DECILES, name="prediction")
    verdict = made.observe(pane(0, moved), usual)
    assert (verdict.kind, verdict.status) == ("PredictionDrift", "firing")


def test_a_constant_column_that_stays_so_is_no_shift() -> None:
    edges = np.array([np.nextafter(3.0, 4.0)])
    usual = window(number(np.full(5000, 3.0), edges=edges))
    made = detector()
    for index in range(50):
        current: Column = number(np.full(500, 3.0), edges=edges)
        assert made.observe(pane(index, current), usual).status == "ok"


# Many at once.


def test_many_runs_at_once_come_to_what_each_comes_to_alone() -> None:
    rng = np.random.default_rng(11)
    held = bank(rng.multinomial(50_000, shares()))
    panes_of_runs = rng.multinomial(300, shares(mean=0.2), size=(3, 40))
    log_weights, log_limits = held.log_weights, np.array([5.0, 9.0])
    kept = np.zeros((2, 3, *held.sizes.shape))
    together = []
    for pane_of_runs in np.moveaxis(panes_of_runs, 1, 0):
        gains = held.increments(pane_of_runs)
        kept, evidence, _ = advance(kept, gains, log_weights, log_limits[:, None])
        together.append(evidence)
    for budget, log_limit in enumerate(log_limits):
        for run, mine in enumerate(panes_of_runs):
            alone, found = np.zeros(held.sizes.shape), []
            for counts in mine:
                alone, evidence, _ = advance(alone, held.increments(counts), log_weights, log_limit)
                found.append(float(evidence))
            assert found == pytest.approx([one[budget, run] for one in together])
            assert np.allclose(alone, kept[budget, run], atol=1e-3)
