"""The budget of false alarms becomes thresholds."""

import math

import pytest

from streams.bench import Bench
from streams.monitor import Monitor

WEEK_PANES = 7 * 24 * 360


def monitor(**fields: object) -> Monitor:
    features = {"age": {"type": "number"}, "plan": {"type": "category"}}
    return Monitor.model_validate({"model": "churn", "features": features, **fields})


def thresholds(watched: Monitor) -> dict[tuple[str, str], float]:
    made = Bench(watched).detectors(("", ""), observes="pane", scope="version")
    return {(one.name, one.column): one.params.threshold for one in made}


@pytest.mark.parametrize("per_week", [0.1, 1.0, 20.0])
def test_evidence_must_be_as_strong_as_half_the_budget_allows_each_column(per_week: float) -> None:
    found = thresholds(monitor(false_alarms={"per_week": per_week}))
    wanted = math.log10(3 * WEEK_PANES / (per_week / 2))
    assert found["lasting_shift", "age"] == pytest.approx(wanted)
    assert found["lasting_shift", "plan"] == pytest.approx(wanted)
    assert found["prediction_shift", "prediction"] == pytest.approx(wanted)


def test_a_threshold_of_the_monitor_holds() -> None:
    found = thresholds(monitor(detectors={"lasting_shift": {"threshold": 4}}))
    assert found["lasting_shift", "age"] == 4


def test_windows_have_the_whole_budget_where_no_evidence_adds_up() -> None:
    alone = Bench(monitor(detectors={"lasting_shift": False, "prediction_shift": False}))
    assert Bench(monitor()).alpha == pytest.approx(alone.alpha / 2)


def alphas(watched: Monitor) -> list[tuple[str, str, float]]:
    bench = Bench(watched)
    return [
        (one.name, one.column, one.params.alpha)
        for observes in ("pane", "tick")
        for scope in ("version", "model")
        for one in bench.detectors(("", ""), observes=observes, scope=scope)
        if hasattr(one.params, "alpha")
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"objectives": {"latency_p99_ms": 250, "latency_p50_ms": 100, "error_rate": 0.01}},
        {"detectors": {"psi": False, "hellinger": {}, "adwin": {}}},
        {
            "features": {
                "age": {"type": "number", "expect": {"not_be_null": {"mostly": 0.9}}},
                "plan": {"type": "category"},
            }
        },
    ],
)
def test_all_tests_of_windows_together_keep_within_half_the_budget(fields: dict[str, object]) -> None:
    found = [alpha for _, _, alpha in alphas(monitor(**{"false_alarms": {"per_week": 2.0}, **fields}))]
    assert len(set(found)) == 1
    assert sum(found) * WEEK_PANES == pytest.approx(1.0)


def test_a_probability_of_the_monitor_holds() -> None:
    assert ("missing_rate", "age", 1e-4) in alphas(monitor(detectors={"missing_rate": {"alpha": 1e-4}}))


def test_detectors_of_one_rule_judge_together_whatever_their_names() -> None:
    features = {"age": {"type": "number", "required": True}, "plan": {"type": "category"}}
    bench = Bench(monitor(features=features, detectors={"confidence_drift": {}}))
    made = bench.alike(("", ""), observes="pane", scope="version")
    together = [[(one.name, one.column) for one in each] for each in made]
    assert [("psi", "age"), ("psi", "plan"), ("prediction_drift", "prediction")] in together
    assert [("confidence_drift", "confidence")] in together
    # Other parameters are another group: a required feature may be missing less often.
    assert [("missing_rate", "age")] in together
    assert [("missing_rate", "plan"), ("missing_rate", "prediction")] in together
    everyone = [(one.name, one.column) for each in made for one in each]
    flat = bench.detectors(("", ""), observes="pane", scope="version")
    assert sorted(everyone) == sorted((one.name, one.column) for one in flat)
