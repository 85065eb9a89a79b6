"""The loss of panes, followed: a rise is found by each way, chance and a fall are not, and what is well again is."""

from collections.abc import Sequence

import numpy as np
import pytest

from detectors.base import Verdict
from detectors.loss_shift import best_cut
from detectors.outcomes.losses import PaneLoss, pane_loss
from detectors.outcomes.tally import summed
from detectors.outcomes.task import Task
from detectors.outcomes.window import OutcomeWindow
from detectors.registry import build
from detectors.window import Window

WAYS = ("adwin_loss", "page_hinkley_loss", "ddm", "hddm")


def losses(rates: Sequence[float], size: int = 500, seed: int = 1) -> tuple[PaneLoss, ...]:
    """Return panes of an hour whose outcomes are wrong at these rates."""
    rng = np.random.default_rng(seed)
    shares = rng.binomial(size, rates) / size
    return tuple(
        PaneLoss(hour, hour + 1, size, float(share), float(share * (1.0 - share)))
        for hour, share in enumerate(shares)
    )


def judge(way: str, held: tuple[PaneLoss, ...], column: str = "error_rate") -> Verdict:
    outcomes = OutcomeWindow(0, 1, {}, 1, 1, losses=held)
    return build(way, {}, column).observe(Window("churn", outcomes=outcomes), None)


@pytest.mark.parametrize("way", WAYS)
def test_a_lasting_rise_of_the_loss_fires_and_says_from_what_to_what(way: str) -> None:
    found = judge(way, losses([0.1] * 48 + [0.2] * 24))
    assert (found.status, found.kind) == ("firing", "ConceptDrift"), found.evidence.sentence
    assert found.evidence.sentence.startswith("error_rate 0.")
    assert found.evidence.details["before"] == pytest.approx(0.1, abs=0.015)
    assert found.evidence.value == pytest.approx(0.2, abs=0.03)
    assert abs(found.evidence.details["since_ms"] - 48) <= 3


@pytest.mark.parametrize("way", WAYS)
def test_a_loss_that_only_scatters_does_not_fire(way: str) -> None:
    for seed in range(30):
        found = judge(way, losses([0.1] * 150, seed=seed))
        assert found.status == "ok", found.evidence.sentence


@pytest.mark.parametrize("way", WAYS)
def test_a_loss_that_falls_is_no_alarm(way: str) -> None:
    assert judge(way, losses([0.2] * 48 + [0.1] * 24)).status == "ok"


@pytest.mark.parametrize("way", WAYS)
def test_what_is_well_again_does_not_fire(way: str) -> None:
    assert judge(way, losses([0.1] * 48 + [0.3] * 24 + [0.1] * 24)).status == "ok"


@pytest.mark.parametrize("way", WAYS)
def test_a_rhythm_there_was_from_the_start_is_no_rise(way: str) -> None:
    rates = [0.1 + 0.05 * (hour % 2) for hour in range(120)]
    assert judge(way, losses(rates)).status == "ok"


@pytest.mark.parametrize("way", WAYS)
def test_few_panes_or_labels_are_too_little(way: str) -> None:
    assert "11 of 12 panes with labels" in judge(way, losses([0.1] * 11)).evidence.sentence
    small = judge(way, losses([0.1] * 100, size=19))
    assert (small.status, small.samples) == ("insufficient", 0)
    assert judge(way, ()).status == "insufficient"


@pytest.mark.parametrize("way", WAYS)
def test_absolute_errors_are_followed_too_where_no_bound_is_needed(way: str) -> None:
    rng = np.random.default_rng(5)
    task = Task("number")
    held = []
    for hour in range(60):
        errors = rng.normal(0.0, 1.0 if hour < 40 else 2.0, 60)
        tally = summed(task.outcome(float(one), 0.0) for one in errors)
        one = pane_loss("number", tally, hour, hour + 1)
        assert one is not None
        assert one.mean == pytest.approx(np.abs(errors).mean())
        assert one.variance == pytest.approx(np.abs(errors).var())
        held.append(one)
    found = judge(way, tuple(held), "mae")
    assert found.status == ("insufficient" if way == "hddm" else "firing")


def test_a_pane_without_labels_has_no_loss_and_a_perfect_one_none_to_speak_of() -> None:
    assert pane_loss("class", {("predictions",): 9}, 0, 1) is None
    for way in WAYS:
        assert judge(way, losses([0.0] * 40)).status == "ok"
        assert judge(way, losses([0.0] * 40 + [0.2] * 20)).status == "firing"


@pytest.mark.parametrize("way", WAYS)
def test_where_nothing_was_wrong_a_single_mistake_proves_nothing(way: str) -> None:
    held = [*losses([0.0] * 40), PaneLoss(40, 41, 500, 0.002, 0.001996)]
    for _ in range(6):
        assert judge(way, tuple(held)).status == "ok"
        held.append(PaneLoss(len(held), len(held) + 1, 500, 0.0, 0.0))


def test_the_best_cut_lies_between_two_levels() -> None:
    assert best_cut(np.array([0.0, 0.1, 0.0, 2.0, 2.1])) == 3
    assert best_cut(np.array([1.0])) == 0
