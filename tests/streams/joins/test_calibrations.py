"""What scores mean by matured outcomes, what is estimated by it, and how an estimate did once labels came."""

from typing import Any

import numpy as np
import pytest
from prediction_events import T0, event
from pydantic import ValidationError

from detectors.base import Verdict
from detectors.estimation.calibration import calibration_of
from detectors.estimation.scored import scored
from detectors.outcomes.tally import summed
from detectors.outcomes.task import Task
from streams.bench import Bench
from streams.joins.calibrations import Calibrations
from streams.joins.outcome_bench import outcome_bench
from streams.joins.outcomes import LABELS, PREDICTIONS, Outcomes
from streams.joins.wire import outcome_row
from streams.judge import ModelJudge
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.profiler import Profiler
from streams.wire import OutcomeKey, encode

HOUR_MS = 3_600_000
TASK = Task("score")


def monitor(**changes: Any) -> Monitor:
    labels = {"window": "2h", "horizon": "1d", "objectives": {"accuracy": 0.75}}
    return Monitor.model_validate(
        {
            "model": "churn",
            "windows": {"pane": "1m", "current": "1m", "allowed_lateness": "0s", "min_samples": 400},
            "labels": labels,
        }
        | changes
    )


def pane(hour: int, *, means_it: bool = True, labels: int = 500, final: bool = True) -> Outcomes:
    """A pane of scores from 0 to 1 which say what they mean, or nothing."""
    rng = np.random.default_rng(hour)
    scores = rng.random(labels)
    truth = rng.random(labels) < (scores if means_it else 0.5)
    tally = summed(TASK.outcome(float(s), bool(t)) for s, t in zip(scores, truth, strict=True))
    tally |= {PREDICTIONS: 500, LABELS: labels}
    return Outcomes(hour * HOUR_MS, (hour + 1) * HOUR_MS, tally, 1.0, final)


def calibrations(panes: list[Outcomes], given: Any = None) -> Calibrations:
    watched = monitor()
    bench, judge = outcome_bench(watched), ModelJudge(watched, compile_layout(watched))
    assert bench is not None
    assert judge.outcomes is not None
    for one in panes:
        put(judge, one)
    return Calibrations(bench, judge.outcomes, given)


def put(judge: ModelJudge, one: Outcomes) -> None:
    assert judge.outcomes is not None
    key = OutcomeKey(0, "churn", "1", "", one.start_ms)
    judge.outcomes.put(key, encode(outcome_row(1, one)))


def test_settled_outcomes_say_what_scores_mean_and_hindsight_is_by_earlier_ones() -> None:
    found = calibrations([pane(0), pane(1), pane(2), pane(3), pane(4, final=False, labels=50)]).of(("1", ""))
    assert found is not None
    assert (found.labels, found.source) == (2_000, "earlier outcomes")
    last = found.hindsight
    assert last is not None
    assert (last.start_ms, last.end_ms) == (2 * HOUR_MS, 4 * HOUR_MS)
    estimate, realised = last.estimated["accuracy"], last.realised["accuracy"]
    assert realised.samples == 1_000
    assert estimate.low < (realised.value or 0.0) < estimate.high


def test_scores_that_mean_nothing_any_more_are_outside_the_interval_in_hindsight() -> None:
    panes = [pane(0), pane(1), pane(2, means_it=False), pane(3, means_it=False)]
    found = calibrations(panes).of(("1", ""))
    assert found is not None
    assert found.hindsight is not None
    assert found.hindsight.estimated["accuracy"].low > (found.hindsight.realised["accuracy"].value or 1.0)


def test_a_reference_file_counts_first_but_not_for_a_segment() -> None:
    given = calibration_of(TASK, scored(TASK, pane(9).tally), "the reference file")
    made = calibrations([pane(0), pane(1)], given)
    found = made.of(("1", ""))
    assert found is not None
    assert found.source == "the reference file"
    assert found.hindsight is not None
    assert found.hindsight.end_ms == 2 * HOUR_MS
    assert made.of(("2", "")) is given
    assert made.of(("1", "country=de")) is None


def test_without_settled_outcomes_nothing_is_known() -> None:
    assert calibrations([]).of(("1", "")) is None
    assert calibrations([pane(0, labels=10, final=False)]).of(("1", "")) is None
    first = calibrations([pane(0)]).of(("1", ""))
    assert first is not None
    assert first.hindsight is None, "nothing came before it"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, {"accuracy": 0.75}),
        ({"detectors": {"estimated_performance": {}}}, {"roc_auc": None, "brier": None, "accuracy": 0.75}),
        ({"detectors": {"estimated_performance": False}}, {}),
        ({"labels": {}}, {}),
        ({"labels": {"objectives": {"pr_auc": 0.5}}}, {}),
        (
            {"labels": {}, "prediction": {"type": "number"}, "detectors": {"estimated_performance": {}}},
            {"mae": None},
        ),
        (
            {"labels": {"objectives": {"rmse": 2.0, "bias": 0.1}}, "prediction": {"type": "number"}},
            {"rmse": 2.0},
        ),
    ],
)
def test_metrics_that_are_promised_are_estimated(changes: dict[str, Any], wanted: dict[str, Any]) -> None:
    made = Bench(monitor(**changes)).detectors(("", ""), observes="pane", scope="version")
    found = {one.column: one.params.objective for one in made if one.name == "estimated_performance"}
    assert found == wanted


def test_an_objective_of_its_own_counts_first() -> None:
    own = monitor(detectors={"estimated_performance": {"objective": 0.9}})
    made = Bench(own).detectors(("", ""), observes="pane", scope="version")
    assert {one.params.objective for one in made if one.name == "estimated_performance"} == {0.9}


@pytest.mark.parametrize("detector", ["estimated_performance", "ddm", "hddm"])
def test_without_labels_it_is_said_that_they_are_needed(detector: str) -> None:
    with pytest.raises(ValidationError, match=f"{detector} judges by labels"):
        Monitor.model_validate({"model": "churn", "detectors": {detector: {}}})
    off = Monitor.model_validate({"model": "churn", "detectors": {detector: False}})
    assert off.settings(detector) is None


class World:
    """A judge fed by a profiler, a pane of a minute at a time."""

    def __init__(self) -> None:
        self.watched = monitor()
        self.judge = self.restart()
        self.profiler = Profiler({"churn": (self.watched, compile_layout(self.watched))})
        self.minute = 0

    def restart(self) -> ModelJudge:
        return ModelJudge(self.watched, compile_layout(self.watched))

    def minutes(self, scores: np.ndarray[Any, np.dtype[np.float64]]) -> list[Verdict]:
        """Serve predictions for a minute, and return what the pane before them is found to be."""
        at_ms = T0 + 60_000 * self.minute
        self.minute += 1
        raw = [
            event(self.minute * 1_000 + n, at_ms + n, version="1", prediction=float(score))
            for n, score in enumerate(scores)
        ]
        offsets = np.arange(len(raw)) + 1_000 * self.minute
        self.profiler.fold_records(0, raw, offsets, np.full(len(raw), at_ms + 1_000))
        closed, beats = self.profiler.take_closed(0, at_ms)
        for place, profile in closed:
            self.judge.inbox.put_whole(place, profile)
        for _, beat in beats:
            self.judge.inbox.heard(0, beat)
        found = self.judge.close()
        self.alerts = [one for one in found.alerts if one.labels["alertname"] == "EstimatedPerformanceDrop"]
        return [one for _, _, one in found.verdicts if one.detector == "estimated_performance"]


def test_the_judge_fires_before_labels_come_and_a_restarted_one_says_the_same() -> None:
    world = World()
    for hour in (0, 1):
        put(world.judge, pane(hour))
    world.judge.judge_outcomes()
    sure, unsure = np.tile([0.06, 0.94], 250), np.linspace(0.4, 0.6, 500)
    assert not world.minutes(sure)
    (well,) = world.minutes(sure)
    assert well.status == "ok", well.evidence.sentence
    restored = world.restart()
    restored.restore(world.judge.snapshot(), {})
    for hour in (0, 1):
        put(restored, pane(hour))
    restored.inbox = world.judge.inbox
    world.judge = restored
    (again,) = world.minutes(unsure)
    assert again == well
    (bad,) = world.minutes(sure)
    assert (bad.status, bad.column, bad.evidence.details["labels"]) == ("firing", "accuracy", 1_000)
    assert [key.kind for key in world.judge.book.alerts] == ["EstimatedPerformanceDrop"]


def test_the_judge_says_when_scores_come_to_mean_something_else_and_a_restarted_one_goes_on() -> None:
    judge, restarted = (ModelJudge(monitor(), compile_layout(monitor())) for _ in range(2))
    for hour in range(4):
        put(judge, pane(hour))
        assert not judge.judge_outcomes().alerts
    told = []
    for hour in range(4, 8):
        put(judge, pane(hour, means_it=False))
        told += judge.judge_outcomes().alerts
    drift = [one for one in told if one.labels["alertname"] == "CalibrationDrift"]
    assert (drift[0].status, drift[0].labels["feature"]) == ("firing", "calibration")
    restarted.restore(judge.snapshot(), {})
    for hour in range(8):
        put(restarted, pane(hour, means_it=hour < 4))
    again = restarted.judge_outcomes()
    assert "CalibrationDrift" in {key.kind for key in restarted.book.alerts}
    assert [one for _, _, one in again.verdicts] == [one for _, _, one in judge.judge_outcomes().verdicts]


def test_calibration_is_judged_where_there_are_scores_and_has_its_share_of_the_budget() -> None:
    def of(**changes: Any) -> tuple[Bench, list[Any]]:
        watched = monitor(**changes)
        bench = Bench(watched)
        made = outcome_bench(watched, bench.outcome_alpha)
        assert made is not None
        return bench, [one for one in made.detectors if one.name == "calibration_drift"]

    bench, (one,) = of()
    without, none = of(detectors={"calibration_drift": False})
    assert not none
    assert bench.alpha < without.alpha, "what it takes is taken from the others"
    assert one.params.alpha == bench.outcome_alpha == pytest.approx(60 * bench.alpha), "an hour is a look"
    for kind in ({"type": "number"}, {"type": "class", "classes": ["a", "b"]}):
        bench, none = of(prediction=kind, labels={})
        assert not none


def test_estimates_that_labels_confirm_are_trusted_and_those_they_refute_are_not() -> None:
    well = calibrations([pane(hour) for hour in range(10)]).of(("1", ""))
    assert well is not None
    assert well.hindsight is not None
    assert all(track.is_trusted and track.panes == 2 for track in well.hindsight.tracks.values())
    panes = [pane(hour, means_it=hour < 8) for hour in range(10)]
    made = calibrations(panes)
    assert not made.tracks(), "nothing is known before outcomes are judged"
    found = made.of(("1", ""))
    assert found is not None
    assert found.hindsight is not None
    track = found.hindsight.tracks["accuracy"]
    assert (track.panes, track.misses, track.is_trusted) == (2, 2, False)
    right = [0, 0]
    for one in panes[8:]:
        for key, count in one.tally.items():
            if key[0] == "pair":
                right[int(key[1] == key[2])] += count
    assert track.realised == pytest.approx(right[1] / sum(right))
    assert track.error == pytest.approx(abs(track.estimated - track.realised))
    assert made.tracks()["accuracy"] == track


def test_an_estimate_that_labels_refute_is_taken_back_and_comes_back_when_it_is_right_again() -> None:
    world = World()
    unsure = np.linspace(0.4, 0.6, 500)
    for hour in range(4):
        put(world.judge, pane(hour))
    world.judge.judge_outcomes()
    world.minutes(unsure)
    (bad,) = world.minutes(unsure)
    assert bad.status == "firing"
    for hour in (4, 5):
        put(world.judge, pane(hour, means_it=False))
    world.judge.judge_outcomes()
    assert not world.judge.estimate_tracks()["accuracy"].is_trusted
    (back,) = world.minutes(unsure)
    assert (back.status, back.withdrawn) == ("insufficient", True)
    assert (
        "labels fell outside its interval in 2 of the last 2 panes (promised 5 %)" in back.evidence.sentence
    )
    assert back.evidence.details["hindsight"]["trusted"] is False
    (upsert,) = [one for one in world.alerts if one.status == "resolved"]
    assert upsert.annotations["description"].startswith("Taken back: accuracy: the estimate (0.5")
    restored = world.restart()
    restored.restore(world.judge.snapshot(), {})
    for hour in range(6):
        put(restored, pane(hour, means_it=hour < 4))
    restored.inbox = world.judge.inbox
    world.judge = restored
    (again,) = world.minutes(unsure)
    assert (again.status, again.evidence.details["hindsight"]) == (
        "insufficient",
        back.evidence.details["hindsight"],
    )
    for hour in range(34, 38):
        put(restored, pane(hour))
    assert restored.outcomes is not None
    assert restored.outcomes.let_go(), "the horizon has passed over the bad hours"
    restored.judge_outcomes()
    assert restored.estimate_tracks()["accuracy"].is_trusted
    world.minutes(unsure)
    assert [key.kind for key in restored.book.alerts if key.kind.startswith("Estimated")], (
        "and it fires again"
    )
