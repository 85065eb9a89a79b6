"""A latency quantile against its objective."""

import numpy as np
import pytest
from detector_windows import make, number, window

from detectors.window import Window


def latencies(fast: int, slow: int, slow_ms: float = 730.0) -> Window:
    return window(number(np.repeat([40.0, slow_ms], [fast, slow]), name="latency_ms"))


def test_a_slow_tail_fires_with_the_quantile_as_its_score() -> None:
    verdict = make("latency", threshold=500).observe(latencies(2850, 150), None)
    assert (verdict.status, verdict.score) == ("firing", 730.0)
    assert verdict.evidence.sentence.startswith("p99 latency 730 ms > 500 ms; 5 % of 3,000 events slower")


def test_a_tail_shorter_than_the_quantile_is_ok() -> None:
    verdict = make("latency", threshold=500).observe(latencies(2980, 20), None)
    assert (verdict.status, verdict.score) == ("ok", 40.0)


def test_a_quantile_over_the_objective_by_chance_is_held_at_it() -> None:
    verdict = make("latency", threshold=500).observe(latencies(591, 9), None)
    assert verdict.evidence.value == 730.0
    assert (verdict.status, verdict.score) == ("ok", 500.0)


def test_the_score_is_the_quantile_asked_for() -> None:
    values = np.random.default_rng(0).gamma(4, 100, 20_000)
    verdict = make("latency", threshold=1, quantile=0.5).observe(
        window(number(values, name="latency_ms")), None
    )
    assert verdict.score == pytest.approx(float(np.quantile(values, 0.5)), rel=0.001)


def test_a_model_that_reports_no_latency_is_insufficient() -> None:
    assert make("latency").observe(window(events=5000), None).status == "insufficient"
