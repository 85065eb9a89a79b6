"""Events that break the contract."""

from detector_windows import make, window
from scipy.stats import binom


def test_many_invalid_events_fire() -> None:
    verdict = make("invalid_rate").observe(window(events=2700, invalid=300), None)
    assert (verdict.status, verdict.score) == ("firing", 0.1)
    assert "300 went to the dead-letter topic" in verdict.evidence.sentence


def test_a_stream_of_nothing_but_invalid_events_fires() -> None:
    assert make("invalid_rate").observe(window(events=0, invalid=800), None).score == 1.0


def test_just_below_the_limit_is_ok_and_the_limit_is_binomial() -> None:
    verdict = make("invalid_rate").observe(window(events=1968, invalid=32), None)
    assert verdict.score > 0.01
    assert verdict.status == "ok"
    critical = round(verdict.threshold * 2000)
    assert binom.sf(critical, 2000, 0.01) <= 1e-6 < binom.sf(critical - 1, 2000, 0.01)
