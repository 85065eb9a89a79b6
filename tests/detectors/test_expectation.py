"""What an owner expects: each expectation holds, fails, and says so in words; chance alone fails none."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from detector_windows import category, make, number, window

from detectors.base import Verdict
from detectors.expected import Expectation
from detectors.window import Column, Matches

AGES = np.random.default_rng(0).normal(40, 10, 4000)
AGE = number(AGES, missing=200, low=18.0, high=70.0, edges=np.array([30.0, 40.0, 50.0]))
PLAN = category([2000, 1500, 400], enterprise=100)

CODE = Column(
    "plan", "category", count=3000, missing=100,
    matched={
        ("match_regex", "^[A-Z]+$"): Matches(3000, 2850, {"b": 20, "xy": 90, "zz9": 10}),
        ("not_match_regex", "(?i)test"): Matches(3000, 2970, {"Test": 30}),
    },
)  # fmt: skip


def judged(column: Column, *expectations: dict[str, Any], **params: Any) -> Verdict:
    target = column.kind
    held = [Expectation.model_validate(one) for one in expectations]
    return make("expectation", target, expectations=held, **params).observe(window(column), None)


#: Expectations of the columns above: one that holds, one that fails, and how the failure reads.
SAID: dict[str, tuple[Column, dict[str, Any], dict[str, Any], str]] = {
    "not_be_null": (AGE, {"mostly": 0.95}, {"mostly": 0.99}, "expected at least 99 % not null, found 95.2 %"),
    "mean_to_be_between": (AGE, {"min": 20, "max": 45}, {"max": 35}, "expected mean at most 35, found 39."),
    "stdev_to_be_between": (
        AGE, {"min": 9, "max": 11}, {"min": 12}, "expected standard deviation at least 12, found 9.9",
    ),
    "min_to_be_between": (AGE, {"min": 0}, {"min": 18}, "expected minimum at least 18, found "),
    "max_to_be_between": (AGE, {"max": 90}, {"max": 70}, "expected maximum at most 70, found "),
    "median_to_be_between": (
        AGE, {"min": 39, "max": 41}, {"min": 45, "max": 60}, "expected median between 45 and 60, found 39.",
    ),
    "quantile_to_be_between": (
        AGE, {"quantile": 0.95, "max": 60}, {"quantile": 0.95, "max": 50},
        "expected 0.95-quantile at most 50, found 56",
    ),
    "unique_value_count_to_be_between": (
        PLAN, {"min": 2, "max": 4}, {"max": 3}, "expected number of distinct values at most 3, found 4",
    ),
    "proportion_of_unique_values_to_be_between": (
        PLAN, {"max": 0.01}, {"min": 0.1}, "expected distinct values per value at least 0.1, found 0.001",
    ),
    "match_regex": (
        CODE, {"regex": "^[A-Z]+$", "mostly": 0.95}, {"regex": "^[A-Z]+$", "mostly": 0.99},
        "expected at least 99 % matching '^[A-Z]+$', found 95 % (not so: 'xy', 'b')",
    ),
    "not_match_regex": (
        CODE, {"regex": "(?i)test", "mostly": 0.9}, {"regex": "(?i)test"},
        "expected all not matching '(?i)test', found 99 % (not so: 'Test')",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_it_holds_or_fails_and_says_what_was_expected_and_found(name: str) -> None:
    column, holds, fails, sentence = SAID[name]
    good, bad = judged(column, {"name": name, **holds}), judged(column, {"name": name, **fails})
    assert (good.status, good.score) == ("ok", 0.0)
    assert "1 expectation met over" in good.evidence.sentence
    assert (bad.kind, bad.status, bad.score) == ("ExpectationFailed", "firing", 1.0)
    assert sentence in bad.evidence.sentence
    assert bad.evidence.details["failed"][0]["expectation"] == name


@pytest.mark.parametrize(
    ("name", "share", "words"),
    [
        ("be_between", 0.9, "at least 97 % within the monitor's min and max, found 90 %"),
        ("be_in_set", 0.9, "at least 97 % among the monitor's values, found 90 %"),
    ],
)
def test_range_and_set_are_the_monitors_own(name: str, share: float, words: str) -> None:
    kind: Any = "number" if name == "be_between" else "category"
    column = Column("x", kind, count=3000, out_of_range=300)
    detector = make(
        "expectation", "number", expectations=[Expectation.model_validate({"name": name, "mostly": 0.97})]
    )
    verdict = detector.observe(window(column), None)
    assert words in verdict.evidence.sentence
    fine = make(
        "expectation", "number", expectations=[Expectation.model_validate({"name": name, "mostly": share})]
    )
    assert fine.observe(window(column), None).status == "ok"


def test_without_mostly_a_single_row_fails_it() -> None:
    column = Column("x", "number", count=2999, missing=1)
    assert judged(column, {"name": "not_be_null"}).status == "firing"


def test_a_pattern_is_judged_by_the_values_that_were_looked_at() -> None:
    # As after a change of the monitor: most panes of the window know nothing of it yet.
    young = Column(
        "plan", "category", count=3000, matched={("match_regex", "a"): Matches(100, 50, {"b": 50})}
    )
    assert judged(young, {"name": "match_regex", "regex": "a"}).status == "firing"
    verdict = judged(young, {"name": "match_regex", "regex": "b"})
    assert verdict.status == "insufficient"
    assert "no values to judge match_regex by" in verdict.evidence.sentence


UNIQUE = {"name": "be_unique"}


@pytest.mark.parametrize(
    ("column", "status", "said"),
    [
        (category([1, 1, 0], **{f"u{i}": 1 for i in range(64)}), "ok", ""),
        (category([1, 1, 0], u1=1, u2=2), "firing", "expected every value once, found 'u2' 2 times"),
        (category([900, 1, 0]), "firing", "' 900 times"),
        # Cut names that are equal may be of values that are not.
        (Column("plan", "category", count=901, unlisted={"u" * 100: 900, "v": 1}), "ok", ""),
        (Column("plan", "category", count=900, unlisted={"u" * 100: 900}), "insufficient", ""),
        (number(np.arange(5000.0)), "ok", ""),
        (number(np.arange(5000.0) // 5), "firing", "distinct values among 5,000"),
        (number(np.zeros(5000)), "firing", "1 distinct value among 5,000"),
        (Column("plan", "category", missing=900), "insufficient", ""),
    ],
)
def test_values_that_come_twice_are_not_unique(column: Column, status: str, said: str) -> None:
    verdict = judged(column, UNIQUE, min_samples=1)
    assert verdict.status == status
    assert said in verdict.evidence.sentence


def test_the_score_counts_failures_and_the_sentence_stays_short() -> None:
    many = [{"name": "mean_to_be_between", "max": high} for high in (1, 2, 3)]
    verdict = judged(AGE, *many, {"name": "not_be_null", "mostly": 0.9})
    assert verdict.score == 3.0
    assert verdict.evidence.sentence.endswith("; 1 more fail")
    assert judged(AGE, *many, threshold=3.0).status == "ok"


def test_what_cannot_be_told_without_values_never_resolves_an_alert() -> None:
    gone = Column("x", "number", missing=3000)
    verdict = judged(gone, {"name": "mean_to_be_between", "max": 5})
    assert verdict.status == "insufficient"
    assert "no values to judge mean_to_be_between by" in verdict.evidence.sentence
    both = judged(gone, {"name": "mean_to_be_between", "max": 5}, {"name": "not_be_null", "mostly": 0.5})
    assert (both.status, both.score) == ("firing", 1.0)


def test_categories_beyond_those_a_window_names_may_be_any_number() -> None:
    capped = category([500, 300, 200], a=10, b=10)
    more = Column("plan", "category", count=2020, distinct=5, bins=np.array([500, 300, 200, 1020]),
                  labels=capped.labels, unlisted=capped.unlisted)  # fmt: skip
    few = {"name": "unique_value_count_to_be_between", "min": 50}
    assert judged(capped, few, min_samples=100).status == "firing"
    assert judged(more, few, min_samples=100).status == "ok"


CHANCE: dict[str, tuple[dict[str, Any], Callable[[np.random.Generator], Column]]] = {
    "mean at its bound": (
        {"name": "mean_to_be_between", "max": 0.0}, lambda rng: number(rng.normal(0, 1, 600)),
    ),
    "median at its bound": (
        {"name": "median_to_be_between", "min": 0.0}, lambda rng: number(rng.normal(0, 1, 600)),
    ),
    "quantile at its bound": (
        {"name": "quantile_to_be_between", "quantile": 0.9, "max": 1.2816}, lambda rng: number(rng.normal(0, 1, 600)),
    ),
    "share at its bound": (
        {"name": "not_be_null", "mostly": 0.95},
        lambda rng: (lambda missing: Column("x", "number", count=600 - missing, missing=missing))(
            int(rng.binomial(600, 0.05))
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANCE)
def test_chance_fails_what_is_just_met_no_more_often_than_alpha(case: str) -> None:
    expectation, draw = CHANCE[case]
    rng = np.random.default_rng(len(case))
    alpha, trials = 0.02, 800
    failed = sum(judged(draw(rng), expectation, alpha=alpha).status == "firing" for _ in range(trials))
    assert failed <= alpha * trials + 4 * (alpha * trials) ** 0.5
