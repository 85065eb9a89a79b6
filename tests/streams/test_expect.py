"""``expect:`` in the monitor file: what it may say, which detectors it makes, and its mistakes in words."""

from typing import Any

import numpy as np
import pytest
from prediction_events import folded, monitor
from pydantic import ValidationError

from detectors.expected import CUT_AT, DISTINCT_ERROR
from streams import sketch
from streams.bench import Bench
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.name_counts import NAME_KEPT
from streams.window import window_of

AGE: dict[str, Any] = {
    "type": "number",
    "min": 18,
    "max": 70,
    "expect": {
        "not_be_null": {"mostly": 0.9},
        "be_between": {"mostly": 0.9},
        "mean_to_be_between": {"min": 20, "max": 60},
        "quantile_to_be_between": {0.95: {"max": 69}, 0.5: {"min": 30}},
        "unique_value_count_to_be_between": {"min": 2},
    },
}
PLAN: dict[str, Any] = {
    "type": "category",
    "values": ["free", "pro"],
    "expect": {
        "be_in_set": {"mostly": 0.9},
        "match_regex": {"regex": "^[a-z]+$"},
        "unique_value_count_to_be_between": {"max": 3},
    },
}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"type": "number", "expect": {"be_nice": {}}}, "expect.be_nice"),
    "mostly in percent": ({"type": "number", "expect": {"not_be_null": {"mostly": 95}}}, "less than or equal to 1"),
    "a range of its own": ({"type": "number", "expect": {"be_between": {"min": 1}}}, "min stands beside"),
    "a range of nobody": ({"type": "number", "expect": {"be_between": {}}}, "needs the feature's `min` or `max`"),
    "a set of nobody": ({"type": "category", "expect": {"be_in_set": {}}}, "needs the feature's `values`"),
    "a mean of categories": (
        {"type": "category", "expect": {"mean_to_be_between": {"max": 1}}},
        "is for numbers; this feature is a category",
    ),
    "no bounds": ({"type": "number", "expect": {"mean_to_be_between": {}}}, "write min, max or both"),
    "bounds swapped": ({"type": "number", "expect": {"max_to_be_between": {"min": 2, "max": 1}}}, "swap them"),
    "a pattern RE2 does not know": (
        {"type": "category", "expect": {"match_regex": {"regex": "(?<=a)b"}}},
        "'(?<=a)b' is no regular expression of RE2 (invalid perl operator: (?<",
    ),
    "a pattern that is open": (
        {"type": "category", "expect": {"not_match_regex": {"regex": "(ab"}}}, "(missing ): (ab); write it",
    ),
    "no pattern": ({"type": "category", "expect": {"match_regex": {"mostly": 0.9}}}, "match_regex.regex"),
    "a pattern of great length": (
        {"type": "category", "expect": {"match_regex": {"regex": "a" * 301}}}, "at most 300 characters",
    ),
    "a pattern of numbers": (
        {"type": "number", "expect": {"match_regex": {"regex": "a"}}},
        "match_regex is for categories; this feature is a number",
    ),
    "a unique boolean": ({"type": "boolean", "expect": {"be_unique": {}}}, "a boolean has two values"),
    "a quantile in percent": (
        {"type": "number", "expect": {"quantile_to_be_between": {95: {"max": 1}}}}, "less than or equal to 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_each_mistake_is_said_in_words(name: str) -> None:
    feature, said = WRONG[name]
    with pytest.raises(ValidationError) as caught:
        monitor(features={"x": feature})
    assert said in str(caught.value)


def test_expectations_are_written_at_their_feature_not_at_the_detector() -> None:
    with pytest.raises(ValidationError, match="write them as `expect:` at their feature"):
        monitor(detectors={"expectation": {"expectations": []}})


def test_only_features_with_expectations_are_judged_by_them() -> None:
    own = monitor(features={"age": AGE, "size": {"type": "number"}, "plan": PLAN})
    assert expecting(own) == {"age", "plan"}
    assert expecting(monitor()) == set()
    off = monitor(features={"age": AGE}, detectors={"expectation": False})
    assert expecting(off) == set()


def test_a_monitor_that_only_expects_more_keeps_its_layout_and_so_its_reference() -> None:
    plain = monitor(features={"age": {**AGE, "expect": {}}})
    assert compile_layout(plain).hash == compile_layout(monitor(features={"age": AGE})).hash


@pytest.mark.parametrize(
    ("ages", "plans", "failed"),
    [
        ((18, 69), ("free", "pro"), {}),
        ((18, 30), ("free", "pro"), {"age": ["quantile_to_be_between"]}),
        ((40, 41), ("free", "pro"), {"age": ["unique_value_count_to_be_between"]}),
        ((30, 120), ("free", "x"), {
            "age": ["be_between", "mean_to_be_between", "quantile_to_be_between"], "plan": ["be_in_set"],
        }),
        ((18, 69), ("free", "a", "b", "c"), {"plan": ["be_in_set", "unique_value_count_to_be_between"]}),
    ],
)  # fmt: skip
def test_profiles_are_held_against_what_the_monitor_expects(
    ages: tuple[int, int], plans: tuple[str, ...], failed: dict[str, list[str]]
) -> None:
    own = monitor(features={"age": AGE, "plan": PLAN})
    rng = np.random.default_rng(0)
    rows = [{"age": float(age), "plan": str(plan)} for age, plan in
            zip(rng.integers(*ages, 2000), rng.choice(plans, 2000), strict=True)]  # fmt: skip
    profile = folded(compile_layout(own), rows)
    window = window_of(profile, version="", segment="", start_ms=0, end_ms=1)
    verdicts = [
        one.observe(window, None)
        for one in Bench(own).detectors(("", ""), observes="pane", scope="version")
        if one.name == "expectation"
    ]
    found = {
        one.column: [each["expectation"] for each in one.evidence.details["failed"]]
        for one in verdicts
        if one.status == "firing"
    }
    assert found == failed


def test_the_detector_knows_the_error_of_the_distinct_values_and_where_names_are_cut() -> None:
    assert CUT_AT == NAME_KEPT
    assert DISTINCT_ERROR == 1.04 / sketch.REGISTERS**0.5


def expecting(own: Monitor) -> set[str]:
    return {column for name, column in Bench(own).watched if name == "expectation"}
