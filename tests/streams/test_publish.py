"""Rows as JSON: made once for all who read them, and in the shape that their readers know."""

import json
import math

import numpy as np
import pytest
from pipeline import Pipeline
from prediction_events import monitor
from pydantic import BaseModel

from detectors.base import Evidence, Verdict
from streams.finite import jsonable
from streams.judged import Judged
from streams.publish import Row, encoded, model_view, pane_row, verdict_row, verdicts_json
from streams.views import ModelView, PaneRow, VerdictRow


def _verdict(column: str) -> Verdict:
    details = {"mean": [np.float64(40.0), float("nan")], "since_ms": np.int64(3)}
    shares = (0.25, 0.75), (float("inf"), 1 / 3)
    evidence = Evidence(f"{column} moved", float("nan"), ("a", "b"), *shares, details)
    return Verdict("psi", "FeatureDrift", column, "firing", float("inf"), 0.2, 700, evidence)


def test_rows_are_made_once_and_made_again_when_verdicts_join_them() -> None:
    judged = Judged(verdicts=[(("1", ""), 1_000, _verdict("age"))])
    once = verdicts_json("churn", judged)
    assert verdicts_json("churn", judged) is once
    judged.verdicts.append((("1", ""), 1_000, _verdict("plan")))
    rows = verdicts_json("churn", judged)
    assert rows == [encoded(verdict_row("churn", *one)) for one in judged.verdicts]
    assert [json.loads(row)["feature"] for row in rows] == ["age", "plan"]


@pytest.fixture(scope="module")
def served() -> Pipeline:
    """A model of numbers, a category, and a feature that never comes; some events lack one of them."""
    pipeline = Pipeline(
        monitor(
            features={"age": {"type": "number"}, "gone": {"type": "number"}, "plan": {"type": "category"}},
            windows={"pane": "10s", "current": "1m", "allowed_lateness": "5s", "min_samples": 100},
        )
    )

    def event(random: np.random.Generator, number: int) -> dict[str, object]:
        features = {"age": float(random.normal(40, 10)), "plan": None if number % 7 else "pro"}
        return {"version": "1", "features": features, "prediction": 0.5, "latency_ms": float(number % 30)}

    pipeline.run(300, event)
    return pipeline


def test_rows_have_the_shape_their_readers_know(served: Pipeline) -> None:
    (group, view), *_ = served.judge.views.items()
    assert view.window.pane is not None
    rows: list[tuple[type[BaseModel], Row]] = [
        (VerdictRow, verdict_row("churn", group, 1_000, _verdict("age"))),
        (PaneRow, pane_row(group, view.window.pane)),
        (ModelView, model_view(served.judge, 1_000)),
    ]
    rows += [(VerdictRow, verdict_row("churn", *one)) for one in served.closed[-1].verdicts]
    for view, row in rows:
        read = view.model_validate_json(encoded(row), strict=True)
        assert read.model_dump(mode="json") == json.loads(encoded(row))


def test_columns_are_shown_with_their_own_quantiles_and_none_where_there_are_no_values(
    served: Pipeline,
) -> None:
    (window,) = ModelView.model_validate_json(encoded(model_view(served.judge, 1_000))).windows
    columns = {one.name: one for one in window.features}
    held = next(iter(served.judge.views.values())).window.features
    assert columns["gone"].p50 is None
    assert columns["plan"].p99 is None
    assert [columns["age"].p50, columns["age"].p99] == [held["age"].quantile(q) for q in (0.5, 0.99)]
    assert math.isclose(sum(bar.current for bar in columns["plan"].bins), 1.0, abs_tol=1e-5)


def test_numbers_of_any_kind_and_nesting_become_finite_ones() -> None:
    largest = np.finfo(np.float64).max
    given = {"a": [1.0, float("nan")], "b": (float("-inf"), 2), "c": [], "d": [np.float64(0.5), [True, None]]}
    assert jsonable(given) == {"a": [1.0, None], "b": [-largest, 2], "c": [], "d": [0.5, [True, None]]}
