"""Silence, by the clock of the tick."""

from dataclasses import replace
from typing import Any

from detector_windows import make, window

from detectors.base import Verdict
from detectors.window import Window

BUSY = window(events=3000, now_ms=301_000, last_event_ms=300_000, last_record_ms=300_000)


def after(seconds: float, current: Window = BUSY, **params: Any) -> Verdict:
    detector = make("traffic_silence", **params)
    detector.observe(current, None)
    return detector.observe(replace(current, now_ms=300_000 + int(seconds * 1000)), None)


def test_a_model_gone_quiet_fires_after_its_time() -> None:
    assert after(299).status == "ok"
    verdict = after(400)
    assert (verdict.status, verdict.score, verdict.threshold) == ("firing", 400.0, 300.0)
    assert verdict.evidence.sentence == (
        "no record for 6 min 40 s (400 s > 300 s); usually 10 events a second"
    )


def test_after_seconds_is_the_threshold() -> None:
    assert after(70, after_seconds=60).status == "firing"
    assert after(50, after_seconds=60).status == "ok"
    assert after(70, threshold=60).status == "firing"


def test_the_window_running_empty_does_not_end_the_silence() -> None:
    detector = make("traffic_silence")
    detector.observe(BUSY, None)
    empty = replace(BUSY, events=0, now_ms=5_000_000)
    assert detector.observe(empty, None).status == "firing"


def test_a_new_record_ends_it() -> None:
    detector = make("traffic_silence")
    detector.observe(BUSY, None)
    assert detector.observe(replace(BUSY, now_ms=900_000), None).status == "firing"
    back = replace(BUSY, now_ms=901_000, last_record_ms=900_500)
    assert detector.observe(back, None).status == "ok"


def test_a_model_asked_rarely_is_given_its_time() -> None:
    rare = replace(BUSY, start_ms=-5_700_000, events=100)
    assert after(800, rare).status == "ok"
    assert after(1000, rare).status == "firing"


def test_a_model_without_regular_traffic_is_never_silent() -> None:
    assert after(10_000, replace(BUSY, events=20)).status == "insufficient"
    assert make("traffic_silence").observe(window(now_ms=10**12), None).status == "insufficient"
