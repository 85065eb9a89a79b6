"""The Page-Hinkley test: shifts it finds, its agreement with river, its bounded state."""

import json
from dataclasses import replace

import pytest
from detector_windows import make, window
from pane_series import USUAL, run, shifted
from river.drift import PageHinkley

from detectors.mean_shift import SERIES_LIMIT
from detectors.window import Column, Window


@pytest.mark.parametrize("reference", [USUAL, None], ids=["reference", "warm-up"])
def test_a_lasting_shift_fires_with_its_size(reference: Window | None) -> None:
    _, verdicts = run("page_hinkley", shifted(1.0, at=100, panes=150), reference)
    assert all(v.status != "firing" for v in verdicts[:100])
    assert verdicts[-1].status == "firing"
    assert verdicts[-1].score == pytest.approx(1.0, abs=0.15)
    assert verdicts[-1].evidence.sentence.startswith("x: mean 100 → 10")


def test_a_shift_too_small_to_matter_is_a_near_miss() -> None:
    _, verdicts = run("page_hinkley", shifted(0.15, at=100, panes=400))
    assert all(v.status != "firing" for v in verdicts)


def test_it_reports_at_the_pane_where_river_does() -> None:
    windows = shifted(1.0, at=60, panes=120)
    _, verdicts = run("page_hinkley", windows)
    rivers = PageHinkley(min_instances=30, delta=0.1, threshold=5.0, alpha=0.9999)
    detected = []
    for current in windows:
        rivers.update((current.features["x"].mean - 100.0) / 5.0)
        detected.append(rivers.drift_detected)
    assert [v.status for v in verdicts].index("firing") == detected.index(True)


def test_a_shift_that_goes_back_resolves() -> None:
    there = shifted(1.0, at=60, panes=120)
    later = shifted(0.0, at=0, panes=260)[120:]
    _, verdicts = run("page_hinkley", [*there, *later])
    assert verdicts[119].status == "firing"
    assert verdicts[-1].status == "ok"


def test_a_blip_of_few_panes_does_not_fire_long_after_it_is_over() -> None:
    quiet = shifted(0.0, at=0, panes=300)
    blip = shifted(4.0, at=0, panes=103)[100:]
    _, verdicts = run("page_hinkley", [*quiet[:100], *blip, *quiet[103:]])
    firing = [pane for pane, verdict in enumerate(verdicts) if verdict.status == "firing"]
    assert firing, "a blip of four standard deviations is seen"
    assert firing[-1] < 103 + 40
    assert verdicts[-1].status == "ok"


def test_a_shift_that_stays_becomes_the_usual_level() -> None:
    _, verdicts = run("page_hinkley", shifted(1.0, at=60, panes=200), hold_panes=40)
    assert any(v.status == "firing" for v in verdicts)
    assert verdicts[-1].status == "ok"


def test_a_full_series_is_halved_and_a_restored_detector_still_agrees() -> None:
    windows = shifted(0.8, at=SERIES_LIMIT + 200, panes=SERIES_LIMIT + 300)
    live, _ = run("page_hinkley", windows[: SERIES_LIMIT + 100])
    snapshot = json.loads(json.dumps(live.snapshot()))
    assert len(snapshot["series"]) < SERIES_LIMIT
    restored = make("page_hinkley", "number")
    restored.restore(snapshot)
    later = [(live.observe(w, USUAL), restored.observe(w, USUAL)) for w in windows[SERIES_LIMIT + 100 :]]
    assert all(one == other for one, other in later)
    assert later[-1][0].status == "firing"


def test_a_moving_reference_is_no_shift() -> None:
    detector = make("page_hinkley", "number")
    for index, current in enumerate(shifted(0.0, at=0, panes=200)):
        moving = window(Column("x", "number", count=10_000, mean=100.0 + index, variance=25.0))
        assert detector.observe(current, moving).status != "firing"


def test_panes_with_few_values_are_left_out() -> None:
    _, verdicts = run("page_hinkley", shifted(1.0, at=100, panes=150), pane_samples=201)
    assert verdicts[-1].status == "insufficient"
    assert "0 of 30 panes" in verdicts[-1].evidence.sentence


def test_a_constant_column_has_no_scale() -> None:
    detector = make("page_hinkley", "number", min_panes=2, min_samples=10)
    column = Column("x", "number", count=200, mean=7.0, variance=0.0)
    for current in shifted(0.0, at=0, panes=3):
        verdict = detector.observe(replace(current, pane=replace(current, features={"x": column})), None)
    assert verdict.status == "insufficient"
    assert "constant" in verdict.evidence.sentence
