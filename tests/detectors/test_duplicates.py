"""Repeated ids: when they are an alert; against real sketches: test_repeated_ids."""

from dataclasses import replace

import pytest
from detector_windows import make, window

from detectors.window import Window


def seen(events: int, duplicates: int) -> Window:
    return replace(window(events=events), duplicates=duplicates)


def test_a_batch_sent_twice_fires() -> None:
    verdict = make("duplicates").observe(seen(10_000, 5000), seen(50_000, 0))
    assert (verdict.kind, verdict.status) == ("DuplicateEvents", "firing")
    assert verdict.evidence.sentence == (
        "50 % of 10,000 events repeat an id (reference 0 %), excess 50 % > 10.9 %"
    )


def test_what_the_reference_had_as_well_is_no_alert() -> None:
    verdict = make("duplicates").observe(seen(10_000, 2500), seen(50_000, 12_000))
    assert verdict.score == pytest.approx(0.01)
    assert verdict.status == "ok"


def test_without_a_reference_none_are_expected() -> None:
    assert make("duplicates").observe(seen(10_000, 900), None).status == "firing"
    near = make("duplicates").observe(seen(10_000, 700), None)
    assert near.threshold == pytest.approx(4.753 * 1.04 / 64, rel=1e-3)
    assert near.status == "ok"


def test_a_higher_threshold_of_the_owner_holds() -> None:
    assert make("duplicates", threshold=0.3).observe(seen(10_000, 2500), None).status == "ok"
