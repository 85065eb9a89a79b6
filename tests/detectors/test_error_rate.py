"""Predictions that failed."""

from detector_windows import make, window

from detectors.registry import DETECTORS


def test_failing_predictions_fire_as_critical() -> None:
    verdict = make("error_rate").observe(window(events=3000, errors=600), None)
    assert (verdict.status, verdict.score) == ("firing", 0.2)
    assert verdict.evidence.sentence.startswith("error rate 20 % > ")
    assert DETECTORS["error_rate"].severity == "critical"


def test_an_objective_is_a_threshold() -> None:
    current = window(events=20_000, errors=400)
    assert make("error_rate").observe(current, None).status == "ok"
    assert make("error_rate", threshold=0.01).observe(current, None).status == "firing"


def test_just_over_the_threshold_in_few_events_may_be_chance() -> None:
    assert make("error_rate").observe(window(events=600, errors=36), None).status == "ok"
    assert make("error_rate").observe(window(events=60_000, errors=3600), None).status == "firing"
