"""How often a turn of unit is recognised, and a shift taken for one: from raw values, by the profile's own sketch."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.cause.unit import Unit, turned
from detectors.window import Column
from streams import sketch

Numbers = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Numbers]

SHAPES: dict[str, Draw] = {
    "normal": lambda random, n: random.normal(20, 8, n),
    "narrow": lambda random, n: random.normal(100, 5, n),
    "skewed": lambda random, n: random.lognormal(3, 0.8, n),
    "very skewed": lambda random, n: random.lognormal(3, 1.2, n),
    "exponential": lambda random, n: random.exponential(30, n),
    "heavy tailed": lambda random, n: (random.pareto(2.5, n) + 1) * 10,
    "whole numbers": lambda random, n: np.round(random.gamma(4, 10, n)),
}
TURNS = [
    (10.0, 0.0), (60.0, 0.0), (100.0, 0.0), (1000.0, 0.0), (1 / 1000, 0.0), (2.54, 0.0), (1.609344, 0.0),
    (0.45359237, 0.0), (1.8, 32.0), (1 / 1.8, -32 / 1.8),
]  # fmt: skip
SHIFTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, -0.2, -0.5, -1.0, -2.0, -3.0)


def _column(values: Numbers) -> Column:
    buckets, counts = sketch.histogram(values)
    centres = sketch.bucket_values(buckets)
    order = np.argsort(centres)
    return Column(
        "x", "number", count=len(values), minimum=float(values.min()), maximum=float(values.max()),
        sketch_values=centres[order], sketch_counts=counts[order],
    )  # fmt: skip


def _is(unit: Unit, factor: float, offset: float) -> bool:
    return bool(np.isclose(unit.factor, factor, rtol=1e-4) and np.isclose(unit.offset, offset, atol=1e-3))


@pytest.mark.parametrize(("values", "seeds", "least"), [(200, 30, 0.95), (1_000, 5, 0.99)])
def test_a_turn_of_unit_is_recognised_in_small_panes(values: int, seeds: int, least: float) -> None:
    named: Counter[tuple[str, float]] = Counter()
    first = 0
    for seed in range(seeds):
        for shape, draw in SHAPES.items():
            random = np.random.default_rng([17, seed, len(shape)])
            usual = _column(draw(random, 5_000))
            for factor, offset in TURNS:
                found = turned(_column(factor * draw(random, values) + offset), usual)
                told = () if found is None else (found.unit, *found.others)
                named[shape, factor] += any(_is(unit, factor, offset) for unit in told)
                first += bool(told) and _is(told[0], factor, offset)
    for factor, _ in TURNS:
        assert sum(named[shape, factor] for shape in SHAPES) >= least * seeds * len(SHAPES), factor
    for shape in SHAPES:
        assert sum(named[shape, factor] for factor, _ in TURNS) >= least * seeds * len(TURNS), shape
    # Some that so few values cannot tell apart are told in the wrong order: 2.2 for 2.54, 12 for 10.
    assert first >= 0.9 * seeds * len(SHAPES) * len(TURNS)


@pytest.mark.parametrize(("values", "seeds"), [(200, 20), (2_000, 6)])
def test_a_shift_is_taken_for_a_turn_of_unit_in_fewer_than_one_of_a_hundred(values: int, seeds: int) -> None:
    wrong: Counter[str] = Counter()
    for seed in range(seeds):
        for shape, draw in SHAPES.items():
            random = np.random.default_rng([19, seed, len(shape)])
            usual, spread = _column(draw(random, 5_000)), float(draw(random, 50_000).std())
            for shift in SHIFTS:
                wrong[shape] += turned(_column(draw(random, values) + shift * spread), usual) is not None
    assert max(wrong.values()) <= 0.01 * seeds * len(SHIFTS)
    assert wrong.total() <= 0.005 * seeds * len(SHIFTS) * len(SHAPES)


def test_a_column_that_stays_is_no_turn_of_unit_whatever_its_shape() -> None:
    for seed in range(20):
        for shape, draw in SHAPES.items():
            random = np.random.default_rng([20, seed, len(shape)])
            usual = _column(draw(random, 5_000))
            assert turned(_column(draw(random, 200)), usual) is None
        # Turned in sign, what lies about nought stays as it was.
        about_nought = random.normal(0, 1, 5_200)
        assert turned(_column(-about_nought[:200]), _column(about_nought[200:])) is None
