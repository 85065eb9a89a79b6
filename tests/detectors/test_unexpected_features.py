"""Features the monitor does not list."""

from detector_windows import make, window

from detectors.registry import DETECTORS


def test_a_renamed_feature_fires_by_name_as_information() -> None:
    current = window(events=3000, unexpected={"Plan": 2400, "debug": 3})
    verdict = make("unexpected_features").observe(current, None)
    assert (verdict.status, verdict.score) == ("firing", 0.8)
    assert verdict.evidence.sentence.startswith("Plan, debug: not in the monitor, in 80 %")
    assert DETECTORS["unexpected_features"].severity == "info"


def test_a_stray_field_is_a_near_miss() -> None:
    assert (
        make("unexpected_features").observe(window(events=3000, unexpected={"debug": 25}), None).status
        == "ok"
    )


def test_rejected_events_count_as_events() -> None:
    current = window(events=0, invalid=3000, unexpected={"Plan": 3000})
    assert make("unexpected_features").observe(current, None).score == 1.0
