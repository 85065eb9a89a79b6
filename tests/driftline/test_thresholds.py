"""What `driftline detectors explain` says of a monitor with a reference."""

import re

import numpy as np
import pytest

from detectors.attributions import Attributions
from detectors.window import Column, Window
from driftline.thresholds import explain
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.stages.fleet import Watched


def why(reference: Column, detector: str) -> str:
    monitor = Monitor.model_validate(
        {"model": "churn", "features": {"plan": {"type": "category"}}, "detectors": {"chi_square": {}}}
    )
    usual = Window("churn", events=reference.rows, features={"plan": reference})
    layout = compile_layout(monitor)
    rows = explain(Watched(monitor, layout, usual))
    return next(str(row["why"]) for row in rows if (row["detector"], row["feature"]) == (detector, "plan"))


def plan(shares_of_free: list[float]) -> Column:
    rng = np.random.default_rng(1)
    spans = np.array([[*rng.multinomial(1000, [free, 1 - free]), 0, 0] for free in shares_of_free])
    bins = spans.sum(axis=0)[:-1]
    labels = ("free", "pro", "other")
    return Column("plan", "category", count=int(bins.sum()), bins=bins, labels=labels, spans=(spans,))


def test_swings_of_the_reference_are_told() -> None:
    swinging = plan([0.3, 0.5, 0.7, 0.5] * 20)
    assert "the reference itself swings" in why(swinging, "psi")
    found = re.search(r"swings, PSI up to ([0-9.]+), and chance", why(swinging, "psi"))
    assert found is not None
    assert float(found[1]) == pytest.approx(0.17, abs=0.15)
    assert "effect (Cohen's w) up to 0." in why(swinging, "chi_square")


def test_a_steady_reference_is_told() -> None:
    assert "no swings beyond sampling" in why(plan([0.5] * 80), "psi")


def test_a_gate_is_told_at_the_detector_that_has_it() -> None:
    monitor = Monitor.model_validate(
        {
            "model": "churn",
            "features": {"plan": {"type": "category"}},
            "labels": {"objectives": {"recall": 0.7}},
            "detectors": {"psi": {"gate": "performance"}},
        }
    )
    rows = explain(Watched(monitor, compile_layout(monitor), None))
    gated = {row["detector"] for row in rows if "(gate: performance)" in str(row["why"])}
    assert gated == {"psi"}


def test_both_limits_of_attributions_are_told() -> None:
    values = np.random.default_rng(2).normal(0.3, 1.0, size=(5_000, 2)) * [1.0, 0.5]
    sums = np.array([np.abs(values).sum(axis=0), values.sum(axis=0), (values**2).sum(axis=0)])
    held = Attributions(("age", "plan"), 5_000, sums)
    features = {"age": {"type": "number"}, "plan": {"type": "category"}}
    for attributions, said in [
        (held, "for change of value the larger of 0.3 and chance, 0."),
        (None, "says nothing where neither events nor reference carry attributions"),
    ]:
        monitor = Monitor.model_validate({"model": "churn", "features": features})
        usual = Window("churn", events=5_000, attributions=attributions)
        rows = explain(Watched(monitor, compile_layout(monitor), usual))
        (row,) = [row for row in rows if row["detector"] == "attribution_drift"]
        assert row["threshold"] == 0.1
        assert "the larger of 0.1 (default) and what chance alone passes with probability" in row["why"]
        assert said in row["why"]
