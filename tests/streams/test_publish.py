"""Rows as JSON: made once for all who read them, and the same as each row on its own."""

import json

import numpy as np

from detectors.base import Evidence, Verdict
from streams.finite import jsonable
from streams.judge import Judged
from streams.publish import verdict_row, verdicts_json


def _verdict(column: str) -> Verdict:
    evidence = Evidence(f"{column} moved", float("nan"), ("a", "b"), (0.25, 0.75), (float("inf"), 1 / 3))
    return Verdict("psi", "FeatureDrift", column, "firing", float("inf"), 0.2, 700, evidence)


def test_rows_are_made_once_and_made_again_when_verdicts_join_them() -> None:
    judged = Judged(verdicts=[(("1", ""), 1_000, _verdict("age"))])
    once = verdicts_json("churn", judged)
    assert verdicts_json("churn", judged) is once
    judged.verdicts.append((("1", ""), 1_000, _verdict("plan")))
    rows = verdicts_json("churn", judged)
    assert rows == [verdict_row("churn", *one).model_dump_json() for one in judged.verdicts]
    assert [json.loads(row)["feature"] for row in rows] == ["age", "plan"]


def test_numbers_of_any_kind_and_nesting_become_finite_ones() -> None:
    largest = np.finfo(np.float64).max
    given = {"a": [1.0, float("nan")], "b": (float("-inf"), 2), "c": [], "d": [np.float64(0.5), [True, None]]}
    assert jsonable(given) == {"a": [1.0, None], "b": [-largest, 2], "c": [], "d": [0.5, [True, None]]}
