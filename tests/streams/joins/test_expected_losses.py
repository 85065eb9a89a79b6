"""Errors expected of numbers in the judge: before labels, held against them once they come, after a restart."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from prediction_events import T0, event

from detectors.base import Verdict
from detectors.estimation.loss_fit import fit
from detectors.estimation.losses import LossColumn, LossModel
from detectors.outcomes.tally import summed
from detectors.outcomes.task import Task
from detectors.window import Window
from streams.history import Pane
from streams.joins.expected_losses import Span, aligned, joined
from streams.joins.outcomes import LABELS, PREDICTIONS, Outcomes
from streams.joins.wire import outcome_row
from streams.judge import ModelJudge
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.profile import Profile
from streams.profiler import Profiler
from streams.reference_losses import pack_losses, read_losses
from streams.window import window_of
from streams.wire import OutcomeKey, encode

MINUTE = 60_000
TASK = Task("number")
EDGES = tuple(np.round(np.linspace(-2.0, 2.0, 9), 2).tolist())
MONITOR = Monitor.model_validate(
    {
        "model": "churn",
        "features": {"x": {"type": "number"}},
        "prediction": {"type": "number"},
        "segments": ["country"],
        "windows": {"pane": "1m", "current": "1m", "allowed_lateness": "0s", "min_samples": 400},
        "labels": {"pane": "1m", "window": "5m", "horizon": "10h", "objectives": {"mae": 1.1}},
        "reference": {"file": "churn.reference.json"},
    }
)
LAYOUT = compile_layout(MONITOR, edges={"x": EDGES, "prediction": EDGES})


def errors(rng: np.random.Generator, x: NDArray[np.float64]) -> NDArray[np.float64]:
    return rng.normal(size=x.size) * (0.3 + 0.5 * np.clip(x + 1.5, 0.0, None))


def learnt() -> LossModel:
    rng = np.random.default_rng(1)
    x = rng.normal(size=20_000)
    bins = LAYOUT.number_labels[0]
    places = np.searchsorted(EDGES, x, side="right")[:, None]
    column = LossColumn("x", bins, np.zeros(len(bins) + 1), (), (), -9.0, 9.0)
    return fit([column], places, np.abs(errors(rng, x)), "the reference file")


def usual(model: LossModel | None) -> Window:
    window = window_of(Profile(LAYOUT), version="", segment="", start_ms=0, end_ms=1)
    return replace(window, loss_model=model)


class World:
    """A judge fed by a profiler, a minute of predictions at a time, and by outcomes of the same."""

    def __init__(self, model: LossModel | None = None, segments: dict[str, str] | None = None) -> None:
        self.reference = usual(model or learnt())
        self.judge = self.restart()
        self.profiler = Profiler({"churn": (MONITOR, LAYOUT)})
        self.rng = np.random.default_rng(2)
        self.segments = segments or {}
        self.minute = 0
        self.outcomes: list[Outcomes] = []

    def restart(self) -> ModelJudge:
        return ModelJudge(MONITOR, LAYOUT, reference_file=self.reference)

    def serve(self, x: float = 0.0, *, worse: float = 1.0, size: int = 500) -> list[Verdict]:
        """Serve a minute of predictions, ``worse`` times as wrong as they were; return what the pane before is."""
        at_ms = T0 // MINUTE * MINUTE + MINUTE * self.minute
        given = self.rng.normal(x, 1.0, size)
        raw = [
            event(
                self.minute * 1_000 + n, at_ms + n, version="1", prediction=0.5, features={"x": float(one)},
                segments=self.segments,
            )
            for n, one in enumerate(given)
        ]  # fmt: skip
        self.profiler.fold_records(
            0, raw, np.arange(size) + 1_000 * self.minute, np.full(size, at_ms + 1_000)
        )
        closed, beats = self.profiler.take_closed(0, at_ms)
        for place, profile in closed:
            self.judge.inbox.put_whole(place, profile)
        for _, beat in beats:
            self.judge.inbox.heard(0, beat)
        wrong = worse * errors(self.rng, given)
        tally = summed(TASK.outcome(0.5, 0.5 - float(one)) for one in wrong) | {
            PREDICTIONS: size,
            LABELS: size,
        }
        self.outcomes.append(Outcomes(at_ms, at_ms + MINUTE, tally, 1.0, True))
        self.minute += 1
        found = self.judge.close()
        self.alerts = [one for one in found.alerts if one.labels["alertname"] == "EstimatedPerformanceDrop"]
        return [one for _, _, one in found.verdicts if one.detector == "estimated_performance"]

    def label(self, judge: ModelJudge | None = None, until: int = -1) -> None:
        """Let the labels of all minutes come, the last one's apart."""
        judge = judge or self.judge
        assert judge.outcomes is not None
        for one in self.outcomes[:until]:
            judge.outcomes.put(OutcomeKey(0, "churn", "1", "", one.start_ms), encode(outcome_row(1, one)))
        judge.judge_outcomes()

    @property
    def realised(self) -> float:
        tally = self.outcomes[-2].tally
        return tally[("sum", "absolute", "1")] / 2.0**128 / tally[("n",)]


def test_harder_inputs_fire_before_any_label_and_easier_ones_do_not() -> None:
    world = World()
    assert not world.serve()
    (well,) = world.serve(1.5)
    assert (well.status, well.column) == ("ok", "mae")
    (bad,) = world.serve(-1.5)
    assert bad.status == "firing"
    low, high = bad.evidence.details["interval"]
    assert low < world.realised < high
    assert [one.status for one in world.alerts] == ["firing"]
    assert world.alerts[0].annotations["cause"].startswith("expected errors are raised by: x 100 % (values ")
    (easy,) = world.serve(-1.5)
    assert easy.status == "ok"
    assert (easy.evidence.value or 9.0) < (well.evidence.value or 0.0)


def test_estimates_that_labels_confirm_are_trusted_though_the_inputs_changed() -> None:
    world = World()
    for minute in range(8):
        world.serve(1.5 if minute > 3 else 0.0)
    world.label()
    track = world.judge.estimate_tracks()["mae"]
    assert track.is_trusted
    assert track.panes >= 2
    assert track.estimated == pytest.approx(track.realised, rel=0.1)
    (found,) = world.serve(1.5)
    assert found.status == "firing"
    assert found.evidence.details["hindsight"]["trusted"] is True
    assert "lately it was wrong" not in found.evidence.sentence


def test_an_estimate_that_labels_refute_is_taken_back_and_a_restarted_judge_says_the_same() -> None:
    world = World()
    for _ in range(16):
        world.serve(1.5, worse=0.4)
    assert world.judge.book.alerts
    world.label()
    (back,) = world.serve(1.5, worse=0.4)
    assert (back.status, back.withdrawn) == ("insufficient", True)
    assert "labels fell outside its interval in " in back.evidence.sentence
    assert [one.status for one in world.alerts] == ["resolved"]
    assert world.alerts[0].annotations["description"].startswith("Taken back: mae: the estimate (")
    restored = world.restart()
    panes = {group: list(one.panes) for group, one in world.judge.histories.items()}
    restored.restore(world.judge.snapshot(), panes)
    world.label()
    world.label(restored)
    assert restored.estimate_tracks() == world.judge.estimate_tracks()
    assert not restored.estimate_tracks()["mae"].is_trusted
    restored.inbox, world.judge = world.judge.inbox, restored
    (again,) = world.serve(1.5, worse=0.4)
    assert again.withdrawn
    assert again.evidence.details["hindsight"]["trusted"] is False


def test_estimates_regain_trust_once_they_are_right_again() -> None:
    world = World()
    for minute in range(14):
        world.serve(1.5, worse=0.4 if minute < 4 else 1.0)
        world.label()
        trusted = world.judge.estimate_tracks()
        if minute == 4:
            assert not trusted["mae"].is_trusted
    assert trusted["mae"].is_trusted
    assert world.judge.book.alerts, "and it fires again"


def test_panes_in_other_bins_are_not_held_against_labels() -> None:
    model = learnt()
    other = tuple(f"{name}, as it was" for name in model.columns[0].labels)
    world = World(replace(model, columns=(replace(model.columns[0], labels=other),)))
    for _ in range(8):
        world.serve()
    world.label()
    assert not world.judge.estimate_tracks()
    (found,) = world.serve()
    assert "'x' is not counted in the bins that labels are known of" in found.evidence.sentence


def test_of_a_segment_nothing_is_expected_and_it_is_said_why() -> None:
    world = World(segments={"country": "fr"})
    world.serve()
    found = {one.status: one for one in world.serve()}
    assert set(found) == {"ok", "insufficient"}
    assert "the reference file are those of all segments together" in found["insufficient"].evidence.sentence


def test_a_stored_model_says_what_it_said() -> None:
    model = learnt()
    again = read_losses(pack_losses(model), usual(None), "the reference file")
    window = usual(None)
    assert again.usual() == model.usual()
    row = np.concatenate((np.ones(1), np.full(len(EDGES) + 2, 1 / (len(EDGES) + 2))))
    assert again.of_row(row, 500) == model.of_row(row, 500)
    assert again.why_not(window) == model.why_not(window)
    none = LossModel.unknown(3, "the reference file", "there are three rows")
    assert read_losses(pack_losses(none), usual(None), "the reference file").why == none.why


# Which outcomes and panes speak of the same predictions.


def outcome(start: int, end: int, size: int, rate: float = 1.0) -> Outcomes:
    return Outcomes(start, end, {PREDICTIONS: size, LABELS: size}, rate, True)


def pane(start: int, end: int, size: int) -> Pane:
    profile = Profile(LAYOUT)
    profile.events = size
    return Pane(start, end, profile)


def shape(spans: Sequence[Span]) -> list[tuple[int, int, int]]:
    return [(one.outcomes.start_ms, one.outcomes.end_ms, len(one.panes)) for one in spans]


FINE = [pane(at, at + 1, 100) for at in range(12)]
COARSE = [pane(0, 6, 600), pane(6, 12, 600)]


@pytest.mark.parametrize(
    ("outcomes", "panes", "wanted"),
    [
        ([outcome(0, 6, 600), outcome(6, 12, 600)], FINE, [(0, 6, 6), (6, 12, 6)]),
        ([outcome(at, at + 1, 100) for at in range(12)], COARSE, [(0, 6, 1), (6, 12, 1)]),
        (
            [outcome(at, at + 2, 200) for at in range(0, 12, 2)],
            [COARSE[0], *FINE[6:]],
            [(0, 6, 1), (6, 8, 2), (8, 10, 2), (10, 12, 2)],
        ),
        ([outcome(0, 4, 400), outcome(4, 8, 400), outcome(8, 12, 400)], COARSE, [(0, 12, 2)]),
        ([outcome(0, 6, 150, 0.25), outcome(6, 12, 150, 0.25)], FINE, [(0, 6, 6), (6, 12, 6)]),
        ([outcome(at, at + 1, 100) for at in range(12) if at != 3], COARSE, [(6, 12, 1)]),
        ([outcome(0, 6, 600), outcome(6, 12, 600)], FINE[3:], [(6, 12, 6)]),
        ([outcome(20, 26, 600)], FINE, []),
        ([], FINE, []),
    ],
)
def test_spans_are_as_short_as_both_tell_and_those_that_differ_are_left_out(
    outcomes: list[Outcomes], panes: list[Pane], wanted: list[Any]
) -> None:
    assert shape(aligned(outcomes, panes)) == wanted


def test_many_spans_are_joined_into_some() -> None:
    spans = aligned([outcome(at, at + 1, 100) for at in range(12)], FINE)
    assert shape(joined(spans, 5)) == [(0, 3, 3), (3, 6, 3), (6, 9, 3), (9, 12, 3)]
    assert shape(joined(spans, 1)) == [(0, 12, 12)]
    assert joined([], 3) == []
