"""Traffic above its usual rate."""

from typing import Any

from detector_windows import make, pane

from detectors.base import Verdict
from detectors.window import Window


def run(rates: list[int], **params: Any) -> list[Verdict]:
    detector = make("traffic_surge", **params)
    return [detector.observe(pane(i, events=rate, span=6), None) for i, rate in enumerate(rates)]


def test_a_surge_fires_with_its_ratio() -> None:
    verdict = run([1000] * 60 + [5000])[-1]
    assert (verdict.status, verdict.score) == ("firing", 5.0)
    assert "500 events a second, usually 100: 5 > 3 times" in verdict.evidence.sentence


def test_twice_the_usual_rate_is_a_near_miss() -> None:
    assert run([1000] * 60 + [2900])[-1].status == "ok"


def test_it_needs_history() -> None:
    verdicts = run([1000] * 29 + [9000] * 2)
    assert [v.status for v in verdicts[-2:]] == ["insufficient", "firing"]
    assert "28 of 30 panes" in verdicts[-3].evidence.sentence


def test_a_rate_that_stays_becomes_the_usual_one() -> None:
    verdicts = run([1000] * 40 + [5000] * 60, history_panes=40)
    assert verdicts[45].status == "firing"
    assert verdicts[-1].status == "ok"


def test_a_model_with_mostly_empty_panes_has_no_usual_rate() -> None:
    verdict = run([0] * 60 + [5000])[-1]
    assert verdict.status == "insufficient"
    assert "most panes are empty" in verdict.evidence.sentence


def test_the_history_is_bounded() -> None:
    detector = make("traffic_surge", history_panes=50)
    for i in range(200):
        detector.observe(pane(i, events=10), None)
    assert len(detector.snapshot()["rates"]) == 50


def test_without_a_pane_nothing_is_learned() -> None:
    detector = make("traffic_surge")
    detector.observe(Window("churn", events=900), None)
    assert detector.snapshot()["rates"] == []
