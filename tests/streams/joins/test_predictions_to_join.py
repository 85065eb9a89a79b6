"""What stage 1 sends to be joined: the predictions of models with labels, whole, once, and nobody else's."""

import json
from typing import Any

import numpy as np
import pytest
from prediction_events import T0, event

from streams.folding import Folded
from streams.joins.records import place
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.profiler import Profiler


def fold(values: list[bytes], record_ms: list[int] | None = None, **fields: Any) -> Folded:
    monitor = Monitor.model_validate({"model": "churn", "labels": {}} | fields)
    profiler = Profiler({"churn": (monitor, compile_layout(monitor))})
    times = np.array(record_ms or [T0] * len(values), dtype=np.int64)
    return profiler.fold_records(3, values, np.arange(100, 100 + len(values)), times)


def test_a_prediction_takes_along_all_that_its_outcome_needs() -> None:
    raw = event(7, T0 - 5, version="1.4", segments={"country": "DE", "other": "x"}, prediction=0.25)
    (one,) = fold([raw], segments=["country", "plan"]).predicted
    assert (one.model, one.id, one.source, one.ts_ms, one.record_ms) == (
        "churn",
        "id-7",
        (3, 100),
        T0 - 5,
        T0,
    )
    assert (one.version, one.segments, one.prediction) == ("1.4", ("country=DE",), 0.25)


@pytest.mark.parametrize(
    ("kind", "prediction"),
    [
        ({"type": "number"}, -3.5),
        ({"type": "class", "classes": ["a", "b"]}, "b"),
        ({"type": "probabilities", "classes": ["a", "b"]}, {"a": 0.25, "b": 0.75}),
    ],
)
def test_every_kind_of_prediction_goes_as_it_came(kind: dict[str, Any], prediction: Any) -> None:
    (one,) = fold([event(prediction=prediction)], prediction=kind).predicted
    assert one.prediction == prediction


def test_failed_future_and_broken_predictions_have_no_outcome_and_late_ones_do() -> None:
    hour_ms = 3_600_000
    values = [
        event(0), event(1, error="timeout", prediction=None), event(2, T0 + hour_ms), b"{", event(4, T0 - hour_ms),
        event(5, unexpected="field"), event(6, features={"unheard": 1}),
    ]  # fmt: skip
    found = fold(values)
    assert found.late == {"churn": 1}
    assert [one.id for one in found.predicted] == ["id-0", "id-4", "id-5", "id-6"]
    assert [one.source[1] for one in found.predicted] == [100, 104, 105, 106]


def test_a_model_without_labels_sends_nothing() -> None:
    assert not fold([event(0)], labels=None).predicted


def test_a_sample_is_taken_where_it_begins() -> None:
    found = fold([event(number) for number in range(300)], labels={"sample": 0.2})
    chosen = [number for number in range(300) if place("churn", f"id-{number}")[1] < 0.2]
    assert [one.id for one in found.predicted] == [f"id-{number}" for number in chosen]
    assert 30 < len(chosen) < 90


def test_any_chunking_sends_the_same() -> None:
    values = [event(number, T0 + number * 1000, version=str(number % 30)) for number in range(200)]
    monitor = Monitor.model_validate({"model": "churn", "labels": {}})
    profiler = Profiler({"churn": (monitor, compile_layout(monitor))})
    found = []
    for low in range(0, 200, 7):
        part = values[low : low + 7]
        offsets = np.arange(100 + low, 100 + low + len(part))
        times = np.array([json.loads(one)["ts"] for one in part])
        found += profiler.fold_records(3, part, offsets, times).predicted
    assert found == fold(values, [T0 + number * 1000 for number in range(200)]).predicted
