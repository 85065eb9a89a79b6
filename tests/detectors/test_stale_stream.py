"""Old events in a running stream."""

from typing import Any

from detector_windows import make, window

from detectors.base import Verdict

NOW_MS = 10_000_000


def stream(event_age_s: int, record_age_s: int, **params: Any) -> Verdict:
    current = window(
        events=3000,
        now_ms=NOW_MS,
        last_event_ms=NOW_MS - event_age_s * 1000,
        last_record_ms=NOW_MS - record_age_s * 1000,
    )
    return make("stale_stream", **params).observe(current, None)


def test_new_records_with_old_events_fire() -> None:
    verdict = stream(1600, 10)
    assert (verdict.status, verdict.score, verdict.threshold) == ("firing", 1600.0, 900.0)
    assert "event time is 26 min 40 s behind" in verdict.evidence.sentence


def test_a_quarter_of_an_hour_is_a_near_miss() -> None:
    assert stream(900, 10).status == "ok"
    assert stream(900, 10, after_seconds=600).status == "firing"


def test_a_stream_that_stands_still_is_not_stale_but_silent() -> None:
    verdict = stream(1600, 1000)
    assert verdict.status == "insufficient"
    assert "stands still" in verdict.evidence.sentence


def test_a_clock_ahead_is_no_negative_age() -> None:
    assert stream(-30, -30).score == 0.0
