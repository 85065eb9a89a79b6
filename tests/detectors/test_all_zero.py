"""All-zero events: when their share is an alert; against rows and events: tests/streams/test_zeros."""

from dataclasses import replace

import numpy as np
import pytest
from detector_windows import make, window
from scipy import stats

from detectors.window import Window


def seen(events: int, zeros: int) -> Window:
    return replace(window(events=events), all_zero=zeros, vectors=events)


def test_a_broken_read_fires_and_says_how_many() -> None:
    verdict = make("all_zero").observe(seen(3_000, 120), seen(50_000, 0))
    assert (verdict.kind, verdict.status) == ("AllZeroEvents", "firing")
    assert verdict.evidence.sentence == (
        "4 % of 3,000 events have 0 in every number feature (reference 0 %), excess 4 % > 1 %"
    )


def test_what_the_reference_had_as_well_is_no_alert() -> None:
    verdict = make("all_zero").observe(seen(10_000, 2_550), seen(50_000, 12_500))
    assert verdict.score == pytest.approx(0.005)
    assert verdict.status == "ok"


def test_few_events_need_a_larger_share() -> None:
    few, many = (make("all_zero").observe(seen(n, n // 70), seen(50_000, 50)) for n in (500, 100_000))
    assert few.status == "ok"
    assert few.threshold > many.threshold == 0.01
    assert many.status == "firing"


def test_an_effect_below_the_owners_threshold_is_none_however_sure() -> None:
    current = seen(1_000_000, 9_000)
    assert make("all_zero").observe(current, seen(1_000_000, 0)).status == "ok"
    assert make("all_zero", threshold=0.001).observe(current, seen(1_000_000, 0)).status == "firing"


@pytest.mark.parametrize(("share", "events"), [(0.02, 600), (0.3, 600), (0.02, 5_000)])
def test_chance_passes_as_seldom_as_alpha_says(share: float, events: int) -> None:
    """The threshold follows from the counts of both sides; the test counts how often two equal rates pass it."""
    detector = make("all_zero", alpha=0.01, threshold=0.0)
    rng = np.random.default_rng([events, int(share * 100)])
    fired = sum(
        detector.observe(
            seen(events, int(rng.binomial(events, share))), seen(4_000, int(rng.binomial(4_000, share)))
        ).status
        == "firing"
        for _ in range(2_000)
    )
    assert fired <= stats.binom.ppf(0.999, 2_000, 0.01)


@pytest.mark.parametrize(
    ("current", "usual", "said"),
    [
        (seen(400, 400), seen(9_000, 0), "400 of 500 events"),
        (seen(900, 900), None, "no reference"),
        (seen(900, 900), window(events=9_000), "build it again"),
        (window(events=9_000), seen(9_000, 0), "0 of 500 events"),
    ],
)
def test_what_is_lacking_is_said(current: Window, usual: Window | None, said: str) -> None:
    verdict = make("all_zero").observe(current, usual)
    assert verdict.status == "insufficient"
    assert said in verdict.evidence.sentence
