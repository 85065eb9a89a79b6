"""Whether estimates are trusted: hardly ever wrongly distrusted, soon distrusted where they are wrong."""

import numpy as np
import pytest
from detector_windows import scored_of

from detectors.estimation.calibration import Calibration, calibration_of
from detectors.estimation.scored import Scored
from detectors.estimation.track import LEAST_LABELS, Track, tracks
from detectors.outcomes.metrics import Metric, metrics
from detectors.outcomes.tally import Tally, summed
from detectors.outcomes.task import Task

TASK = Task("score")


def scores(rng: np.random.Generator, size: int, worth: float) -> tuple[Scored, Tally]:
    """Return scores of which ``worth`` says how much they mean (1: all of it), counted both ways."""
    said = rng.beta(2, 2, size).round(3)
    truth = rng.random(size) < 0.5 + (said - 0.5) * worth
    tally = summed(TASK.outcome(float(s), bool(t)) for s, t in zip(said, truth, strict=True))
    return scored_of(said, truth), tally


def followed(calibration: Calibration, seed: int, panes: int, size: int, worth: float) -> Track:
    made = [scores(np.random.default_rng([seed, number]), size, worth) for number in range(panes)]
    seen = [(calibration.of_labelled({"positive": one}), metrics(TASK, tally)) for one, tally in made]
    whole = summed(tally for _, tally in made)
    rows = np.concatenate([np.array(one.rows()) for one, _ in made])
    merged: dict[int, list[int]] = {}
    for place, no, yes in rows.tolist():
        held = merged.setdefault(place, [0, 0])
        held[0], held[1] = held[0] + no, held[1] + yes
    together = Scored.of([(place, no, yes) for place, (no, yes) in merged.items()])
    both = (calibration.of_labelled({"positive": together}), metrics(TASK, whole))
    return tracks(seen, both, calibration.level)["accuracy"]


def known(seed: int, size: int) -> Calibration:
    made = calibration_of(TASK, {"positive": scores(np.random.default_rng(seed), size, 1.0)[0]}, "before")
    assert made is not None
    return made


@pytest.mark.parametrize(("labels", "size"), [(1_000, 100), (400, 400)])
def test_estimates_that_do_what_they_promise_are_seldom_distrusted(labels: int, size: int) -> None:
    found = [followed(known(seed, labels), 1_000 + seed, 8, size, 1.0) for seed in range(60)]
    share = sum(one.misses for one in found) / sum(one.panes for one in found)
    assert share < 0.1
    assert sum(not one.is_trusted for one in found) <= 2


def test_estimates_that_are_wrong_are_distrusted_within_the_window() -> None:
    found = [followed(known(seed, 2_000), 2_000 + seed, 8, 200, 0.3) for seed in range(10)]
    assert not any(one.is_trusted for one in found)


@pytest.mark.parametrize(
    ("panes", "misses", "off", "is_trusted"),
    [
        (0, 0, 9.0, True),
        (1, 1, 9.0, True),
        (2, 2, 9.0, False),
        (2, 2, 2.0, True),
        (24, 4, 9.0, True),
        (24, 5, 9.0, False),
    ],
)
def test_so_many_misses_are_too_many(panes: int, misses: int, off: float, is_trusted: bool) -> None:
    assert Track(panes, misses, 0.05, 0.8, 0.7, off).is_trusted == is_trusted


def test_panes_with_too_few_labels_do_not_count() -> None:
    estimate = known(0, 1_000).usual()
    few, enough = (Metric("accuracy", 0.1, samples=samples) for samples in (LEAST_LABELS - 1, LEAST_LABELS))
    seen = [(estimate, {name: replaced for name in estimate}) for replaced in (few, enough)]
    found = tracks(seen, (estimate, {"accuracy": enough}), 0.95)["accuracy"]
    assert (found.panes, found.misses, found.realised) == (1, 1, 0.1)
    assert not tracks(seen, (estimate, {"accuracy": Metric("accuracy", None)}), 0.95)
