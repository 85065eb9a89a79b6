"""Profiles in, alerts out: incidents fire and resolve, quiet streams stay quiet, and restarts show nowhere."""

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from pipeline import Make, Pipeline, transitions
from prediction_events import monitor

from detectors.window import Window
from streams import reference
from streams.layout import Layout
from streams.window import window_of

FEATURES: dict[str, Any] = {
    "age": {"type": "number"},
    "balance": {"type": "number"},
    "plan": {"type": "category"},
}
WINDOWS = {"pane": "10s", "current": "1m", "allowed_lateness": "5s", "min_samples": 200}


def _monitor(**fields: Any) -> Any:
    return monitor(**({"features": FEATURES, "windows": WINDOWS} | fields))


def usual(random: np.random.Generator, number: int, **changes: Any) -> dict[str, Any]:
    """Return an ordinary event."""
    features = {
        "age": round(float(random.normal(40, 10)), 1),
        "balance": round(float(random.lognormal(3, 1)), 2),
        "plan": ["free", "pro", "team"][int(random.integers(0, 3))],
    }
    return {
        "version": "1.4.2",
        "features": features | changes.pop("features", {}),
        "prediction": round(float(random.random()), 4),
        "latency_ms": round(float(random.gamma(2, 5)), 2),
    } | changes


def _changed(**changes: Any) -> Make:
    return lambda random, number: usual(random, number, **changes)


def _unit_change(random: np.random.Generator, number: int) -> dict[str, Any]:
    event = usual(random, number)
    event["features"]["age"] *= 12
    return event


@pytest.fixture(scope="module")
def known() -> tuple[Layout, Window]:
    """The layout and window of a reference file, built of ordinary traffic."""
    before = Pipeline(_monitor())
    before.run(300, usual)
    profile = before.judge.histories[("1.4.2", "")].all(before.judge.layout)
    return before.judge.layout, window_of(profile, version="", segment="", start_ms=0, end_ms=0)


def _warm(known: tuple[Layout, Window], **fields: Any) -> Pipeline:
    pipeline = Pipeline(_monitor(**fields), known[0], reference_file=known[1])
    assert pipeline.run(80, usual) == []
    return pipeline


def test_a_change_of_unit_fires_for_that_feature_alone_and_resolves_after_recovery(
    known: tuple[Layout, Window],
) -> None:
    pipeline = _warm(known)
    fired = pipeline.run(100, _unit_change)
    assert ("firing", "FeatureDrift age") in fired
    assert {name.split()[-1] for _, name in fired} == {"age"}
    assert Counter(fired)[("firing", "FeatureDrift age")] == 1
    recovered = pipeline.run(150, usual)
    assert ("resolved", "FeatureDrift age") in recovered
    assert {status for status, _ in recovered} == {"resolved"}
    assert not pipeline.judge.book.alerts


def test_an_alert_tells_what_drives_it(known: tuple[Layout, Window]) -> None:
    def trials(random: np.random.Generator, number: int) -> dict[str, Any]:
        event = usual(random, number)
        if number % 4 == 0:
            event["features"]["plan"] = "trial"
        event["features"]["age"] += 30
        return event

    pipeline = _warm(known)
    pipeline.run(150, trials)
    last = {alert.labels.get("feature"): alert.annotations for _, alert in pipeline.alerts}
    assert "25 % new category 'trial'" in last["plan"]["cause"]
    before, after = map(float, last["age"]["cause"].split(";")[0].removeprefix("mean ").split(" → "))
    assert (before, after) == (pytest.approx(40, abs=1), pytest.approx(70, abs=1))


def test_a_stationary_stream_of_hours_raises_no_alert() -> None:
    pipeline = Pipeline(_monitor())
    assert pipeline.run(2 * 3600, usual, step_s=5) == []
    assert len(pipeline.layouts) == 1
    assert pipeline.judge.views[("1.4.2", "")].not_judged is None


INCIDENTS: dict[str, tuple[Make, str]] = {
    "errors": (
        lambda random, number: usual(random, number, **({"error": "boom", "prediction": None} if number % 3 else {})),
        "ErrorRateHigh",
    ),
    "latency": (_changed(latency_ms=900.0), "LatencyHigh"),
    "missing values": (_changed(features={"balance": None}), "MissingValues balance"),
    "a new category": (_changed(features={"plan": "enterprise"}), "NewCategories plan"),
    "invalid events": (_changed(features={"age": "old"}), "InvalidEvents"),
}  # fmt: skip


@pytest.mark.parametrize("name", INCIDENTS)
def test_each_incident_fires_once_and_resolves(name: str, known: tuple[Layout, Window]) -> None:
    incident, kind = INCIDENTS[name]
    pipeline = _warm(known, objectives={"latency_p99_ms": 500, "error_rate": 0.01})

    def mixed(random: np.random.Generator, number: int) -> dict[str, Any]:
        return incident(random, number) if number % 2 else usual(random, number)

    assert Counter(pipeline.run(80, mixed))[("firing", kind)] == 1
    assert ("resolved", kind) in pipeline.run(150, usual)
    assert not pipeline.judge.book.alerts


def test_silence_fires_on_the_clock_alone_and_resolves_when_records_come_again(
    known: tuple[Layout, Window],
) -> None:
    pipeline = _warm(known)
    assert pipeline.run(400, usual, rate=0) == [("firing", "TrafficSilence")]
    assert ("resolved", "TrafficSilence") in pipeline.run(120, usual)


def test_old_events_make_a_stale_stream_until_fresh_ones_come() -> None:
    pipeline = Pipeline(_monitor())
    fired = pipeline.run(120, usual, back_s=1_200)
    assert fired == [("firing", "StaleStream")]
    assert ("resolved", "StaleStream") in pipeline.run(60, usual)


def test_bins_are_cut_after_the_warm_up_and_the_model_is_judged_from_then_on() -> None:
    pipeline = Pipeline(_monitor())
    pipeline.run(60, usual)
    assert "warms up" in str(pipeline.judge.views[("1.4.2", "")].not_judged)
    pipeline.run(300, usual)
    (layout,) = pipeline.layouts
    assert reference.is_complete(pipeline.monitor, layout)
    view = pipeline.judge.views[("1.4.2", "")]
    assert view.not_judged is None
    assert view.reference is not None


def test_a_feature_that_never_has_a_value_keeps_no_other_from_being_judged() -> None:
    features = FEATURES | {"unused": {"type": "number"}, "unnamed": {"type": "category"}}
    pipeline = Pipeline(_monitor(features=features))
    pipeline.run(400, usual)
    assert len(pipeline.layouts) == 1
    assert pipeline.judge.views[("1.4.2", "")].not_judged is None
    assert ("firing", "FeatureDrift age") in pipeline.run(150, _unit_change)


def test_a_new_version_is_held_against_the_version_named_as_reference() -> None:
    pipeline = Pipeline(_monitor(reference={"version": "1.4.2"}))
    assert pipeline.run(300, usual) == []

    def canary(random: np.random.Generator, number: int) -> dict[str, Any]:
        if number % 2:
            return usual(random, number)
        return _unit_change(random, number) | {"version": "2.0"}

    pipeline.run(120, canary)
    about = {
        alert.labels.get("version") for _, alert in pipeline.alerts if alert.labels.get("feature") == "age"
    }
    assert about == {"2.0"}


def test_a_trailing_reference_is_made_anew_only_when_it_moves_on(known: tuple[Layout, Window]) -> None:
    pipeline = Pipeline(_monitor(), known[0])
    pipeline.run(300, usual)
    seen = []
    for _ in range(24):
        pipeline.run(5, usual)
        view = pipeline.judge.views[("1.4.2", "")]
        seen.append((view.reference, pipeline.judge.histories[("1.4.2", "")].behind()))
    moved = sum(one[1] is not two[1] for one, two in itertools.pairwise(seen))
    assert 2 <= moved <= 3, "two minutes of panes, one minute a window"
    for (before, held), (after, holds) in itertools.pairwise(seen):
        assert (before is after) == (held is holds)
        assert after is not None
        assert holds is not None
        assert after.events == holds.events
        for name, column in window_of(holds, version="", segment="", start_ms=0, end_ms=0).features.items():
            assert np.array_equal(after.features[name].bins, column.bins)


def test_a_reference_file_is_judged_by_from_the_first_window_on(known: tuple[Layout, Window]) -> None:
    pipeline = Pipeline(_monitor(), known[0], reference_file=known[1])
    fired = pipeline.run(100, _unit_change)
    assert ("firing", "FeatureDrift age") in fired
    assert pipeline.layouts == []


def test_a_segment_is_judged_on_its_own() -> None:
    pipeline = Pipeline(_monitor(segments=["country"]))

    def by_country(random: np.random.Generator, number: int) -> dict[str, Any]:
        return usual(random, number, segments={"country": "de" if number % 4 else "fr"})

    def one_moves(random: np.random.Generator, number: int) -> dict[str, Any]:
        moved = number % 4 == 0
        event = _unit_change(random, number) if moved else usual(random, number)
        return event | {"segments": {"country": "fr" if moved else "de"}}

    assert pipeline.run(400, by_country) == []
    pipeline.run(150, one_moves)
    about = {alert.labels.get("segment") or alert.annotations.get("segments") for _, alert in pipeline.alerts}
    assert about - {None} == {"country=fr"}
    told = {alert.annotations.get("cause", "") for _, alert in pipeline.alerts}
    assert any("likely the traffic of segment country=fr alone: country=de steady" in cause for cause in told)


def test_the_alert_of_a_segment_that_is_gone_has_no_data_and_ends_only_after_an_hour() -> None:
    pipeline = Pipeline(_monitor(segments=["country"]))

    def one_moves(random: np.random.Generator, number: int) -> dict[str, Any]:
        moved = number % 4 == 0
        event = _unit_change(random, number) if moved else usual(random, number)
        return event | {"segments": {"country": "fr" if moved else "de"}}

    def other_alone(random: np.random.Generator, number: int) -> dict[str, Any]:
        return usual(random, number, segments={"country": "de"})

    def by_country(random: np.random.Generator, number: int) -> dict[str, Any]:
        return usual(random, number, segments={"country": "de" if number % 4 else "fr"})

    def of_segment() -> list[Any]:
        return [one for _, one in pipeline.alerts if one.labels.get("segment") == "country=fr"]

    pipeline.run(400, by_country, rate=200, step_s=5)
    pipeline.run(150, one_moves, rate=200, step_s=5)
    pipeline.run(1500, other_alone, rate=200, step_s=10)
    last = of_segment()[-1]
    assert last.status == "firing"
    assert last.annotations["no_data_since"].startswith("2026-")
    pipeline.run(2700, other_alone, rate=50, step_s=10)
    last = of_segment()[-1]
    assert (last.status, "no traffic" in last.annotations["description"]) == ("resolved", True)


def _told(pipeline: Pipeline) -> list[Any]:
    return [
        (at, alert.model_dump(exclude={"annotations"}), alert.annotations.get("cause"))
        for at, alert in pipeline.alerts
    ]


@pytest.mark.parametrize("every_s", [7, 90])
def test_a_judge_restored_at_any_pane_tells_the_same(every_s: int) -> None:
    def incident(random: np.random.Generator, number: int) -> dict[str, Any]:
        return _unit_change(random, number) if 6_000 < number < 8_000 else usual(random, number)

    steady, restarted = Pipeline(_monitor()), Pipeline(_monitor())
    for _ in range(400 // every_s):
        steady.run(every_s, incident, rate=30)
        restarted.run(every_s, incident, rate=30)
        restarted.restart_judge()
    assert _told(steady) == _told(restarted)
    assert ("firing", "FeatureDrift age") in transitions(alert for _, alert in steady.alerts)
    verdicts = [
        [
            (group, at, one.detector, one.column, one.status, pytest.approx(one.score, rel=1e-6, abs=1e-9))
            for group, at, one in judged.verdicts
        ]
        for judged in steady.closed
    ]
    found = [
        [(group, at, one.detector, one.column, one.status, one.score) for group, at, one in judged.verdicts]
        for judged in restarted.closed
    ]
    assert found == verdicts


def test_a_version_that_goes_away_is_let_go_and_its_alerts_resolve(known: tuple[Layout, Window]) -> None:
    pipeline = _warm(known)
    pipeline.run(100, _unit_change)
    assert ("1.4.2", "") in pipeline.judge.histories

    def later(random: np.random.Generator, number: int) -> dict[str, Any]:
        return usual(random, number, version="2.0")

    pipeline.run(3_800, later, step_s=10)
    assert set(pipeline.judge.histories) == {("2.0", "")}
    assert not [key for key in pipeline.judge.book.alerts if key.version == "1.4.2"]
