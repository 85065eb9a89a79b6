"""Swings the reference has are normal to every distance; steady references change nothing, and shifts stay shifts."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from detector_windows import category, number, window
from numpy.typing import ArrayLike
from shift_panes import DECILES

from detectors.distribution import DistributionDetector
from detectors.registry import DETECTORS, build
from detectors.swing import Swing, spans_as_long, swing_of
from detectors.window import Column

DISTANCES = sorted(
    name
    for name, cls in DETECTORS.items()
    if issubclass(cls, DistributionDetector) and "prediction" not in cls.targets
)
ROWS, SPANS, ALPHA = 1000, 200, 1e-6
SWING = 0.5 * np.sin(np.arange(SPANS) / 24 * 2 * np.pi)


def spans_of(means: ArrayLike, name: str, seed: int, rows: int = ROWS) -> list[Column]:
    """Return a column for each span of so many rows, whose mean moves as given; categories are its deciles."""
    rng = np.random.default_rng(seed)
    made = [number(rng.normal(mean, 1.0, rows), edges=DECILES) for mean in np.asarray(means)]
    if "number" in DETECTORS[name].targets:
        return made
    listed = [str(place) for place in range(len(DECILES) + 1)]
    return [category([*one.bins.tolist()], name="x", listed=listed) for one in made]


def reference_of(means: ArrayLike, name: str, *, seed: int = 1) -> Column:
    """Return the spans' values together, with their counts."""
    parts = spans_of(means, name, seed)
    counts = np.array([np.append(one.bins, 0) for one in parts])
    if parts[0].kind == "category":
        bins = counts.sum(axis=0)[:-1]
        return replace(parts[0], bins=bins, count=int(bins.sum()), spans=(counts,))
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(mean, 1.0, ROWS) for mean in np.asarray(means)])
    return replace(number(values, edges=DECILES), spans=(counts,))


def detector(name: str, **params: float) -> DistributionDetector[Any]:
    made = build(name, {"min_samples": 1, "alpha": ALPHA, **params}, "x")
    assert isinstance(made, DistributionDetector)
    return made


def least(name: str) -> dict[str, float]:
    """Return parameters that leave the threshold to chance and swings."""
    return (
        {"min_effect": 0.0}
        if "min_effect" in DETECTORS[name].params_class.model_fields
        else {"threshold": 0.0}
    )


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_spans_that_differ_by_sampling_alone_change_nothing(name: str, seed: int) -> None:
    usual = reference_of(np.zeros(SPANS), name, seed=seed)
    current = window(spans_of([0.3], name, seed + 9)[0])
    verdicts = [
        detector(name, **least(name)).observe(current, window(one))
        for one in (usual, replace(usual, spans=()))
    ]
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize("name", DISTANCES)
def test_swings_the_reference_has_are_normal(name: str) -> None:
    usual = reference_of(SWING, name)
    alike = [window(one) for one in spans_of(SWING, name, 5)]
    held, blind = detector(name, **least(name)), detector(name, **least(name))
    assert not any(held.observe(one, window(usual)).status == "firing" for one in alike)
    without = window(replace(usual, spans=()))
    assert any(blind.observe(one, without).status == "firing" for one in alike)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_shift_beyond_the_swings_is_found(name: str) -> None:
    usual = reference_of(SWING, name)
    found = detector(name)
    assert found.observe(window(spans_of([1.5], name, 6)[0]), window(usual)).status == "firing"


def test_few_events_may_be_further_away_than_many_in_a_swing_too() -> None:
    usual = window(reference_of(SWING, "psi"))
    few, many = (
        detector("psi").observe(window(spans_of([0.0], "psi", 7, rows)[0]), usual) for rows in (100, 10_000)
    )
    assert few.threshold > many.threshold > 0.25


def test_the_smallest_effect_that_matters_is_a_floor() -> None:
    usual = window(reference_of(SWING, "psi"))
    assert (
        detector("psi", threshold=2.0).observe(window(spans_of([0.0], "psi", 8)[0]), usual).threshold == 2.0
    )


def test_a_trailing_reference_does_not_take_the_shift_itself_for_a_swing() -> None:
    before = reference_of(np.zeros(SPANS), "psi")
    after = reference_of([*np.zeros(SPANS - 5), *np.full(5, 1.5)], "psi")
    shifted = window(spans_of([1.5], "psi", 9)[0])
    holds, begins = detector("psi"), detector("psi")
    assert holds.observe(shifted, window(before)).status == "firing"
    again = holds.observe(shifted, window(after))
    assert again.status == "firing"
    assert begins.observe(shifted, window(after)).threshold > again.threshold
    holds.observe(window(spans_of([0.0], "psi", 10)[0]), window(after))
    assert holds.snapshot() is None


def test_what_is_held_back_outlives_a_restart() -> None:
    shifted = window(spans_of([1.5], "psi", 9)[0])
    one, two = detector("psi"), detector("psi")
    one.observe(shifted, window(reference_of(np.zeros(SPANS), "psi")))
    two.restore(json.loads(json.dumps(one.snapshot())))
    after = window(reference_of([*np.zeros(SPANS - 5), *np.full(5, 1.5)], "psi"))
    assert one.observe(shifted, after) == two.observe(shifted, after)


@pytest.mark.parametrize("alpha", [0.2, 0.01, 0.001])
def test_a_swing_and_chance_together_pass_the_limit_with_probability_alpha_at_most(alpha: float) -> None:
    rng = np.random.default_rng(11)
    levels, noise = np.abs(rng.normal(0, 0.3, 400_000)), np.abs(rng.normal(0, 0.1, 400_000))
    steps = 4
    wanted = (alpha / 2) ** (np.arange(1, steps + 1) / steps)
    swing = Swing(alpha, tuple(np.quantile(levels, 1 - wanted).tolist()))
    limit = swing.limit(lambda probability: float(np.quantile(noise, 1 - probability)))
    assert (levels + noise > limit).mean() <= alpha
    assert limit < np.quantile(levels, 1 - alpha / 2) + np.quantile(noise, 1 - alpha / 2)


def test_too_few_spans_say_nothing() -> None:
    counts = np.array([[90, 10, 0], [10, 90, 0]] * 3)
    found = swing_of(lambda spans: np.ones(len(spans)), counts.sum(axis=0)[:-1], (counts,), ALPHA)
    assert found.furthest == 0


def test_a_window_as_long_as_a_year_levels_out_the_seasons() -> None:
    months = reference_of(0.8 * np.sin(np.arange(240) / 12 * 2 * np.pi), "psi")
    short, long = (
        detector("psi").observe(window(spans_of([0.0], "psi", 12, rows)[0]), window(months)).threshold
        for rows in (ROWS, 12 * ROWS)
    )
    assert short > 0.5
    assert long == 0.2


def test_short_spans_are_joined_to_the_length_of_the_window() -> None:
    months, days = np.full((25, 3), 10), np.full((40, 3), 1)
    (joined,) = spans_as_long((days, months), 120)
    assert joined.tolist() == [[40, 40, 40]] * 6
    assert spans_as_long((days, months), 30) == (days, months)
    assert spans_as_long((), 30) == ()
