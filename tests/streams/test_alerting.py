"""Alerts in event time: when a signal counts, when it stops, and what the desk hears of it."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from prediction_events import monitor

from alerts.evidence import read
from detectors.base import Evidence, Verdict
from detectors.outcomes.window import OutcomeWindow
from detectors.window import Column, Window
from streams.alert_state import Patience, Signal, SignalState, step
from streams.alerting import AlertBook, Links

SECOND = 1_000
PATIENCE = Patience(for_ms=120 * SECOND, clear_for_ms=20 * SECOND)


def _verdict(status: Any, score: float = 1.0, detector: str = "psi", kind: str = "FeatureDrift") -> Verdict:
    return Verdict(detector, kind, "age", status, score, 0.2, 500, Evidence("age: moved"))


FIRING, OK, INSUFFICIENT = _verdict("firing"), _verdict("ok", 0.05), _verdict("insufficient", 0.0)
NEARLY = _verdict("ok", 0.19)


def _states(verdicts: list[Verdict], patience: Patience = PATIENCE) -> list[SignalState]:
    signal, states = Signal(), []
    for number, verdict in enumerate(verdicts):
        signal = step(signal, verdict, number * 10 * SECOND, patience)
        states.append(signal.state)
    return states


def test_a_signal_fires_once_it_has_held_for_its_time() -> None:
    states = _states([FIRING] * 14)
    assert states[:12] == [SignalState.PENDING] * 12
    assert states[12:] == [SignalState.FIRING] * 2


def test_one_good_verdict_ends_the_waiting() -> None:
    assert SignalState.FIRING not in _states([*[FIRING] * 12, OK, *[FIRING] * 12])


def test_insufficient_changes_nothing() -> None:
    assert _states([FIRING, *[INSUFFICIENT] * 11, FIRING])[-1] is SignalState.FIRING
    assert _states([*[FIRING] * 13, *[INSUFFICIENT] * 100])[-1] is SignalState.FIRING
    assert _states([INSUFFICIENT]) == [SignalState.INACTIVE]


def test_it_stops_only_after_it_has_been_well_for_its_time_and_clearly_so() -> None:
    fired = [FIRING] * 13
    assert _states([*fired, OK, OK])[-1] is SignalState.FIRING
    assert _states([*fired, OK, OK, OK])[-1] is SignalState.INACTIVE
    assert _states([*fired, *[NEARLY] * 50])[-1] is SignalState.FIRING
    assert _states([*fired, OK, OK, NEARLY, OK, OK])[-1] is SignalState.FIRING
    assert _states([*fired, OK, OK, FIRING, OK, OK])[-1] is SignalState.FIRING


GROUP = ("1.4.2", "")


def _book(**detectors: Any) -> AlertBook:
    return AlertBook(monitor(team="growth", detectors=detectors), Links("https://drift.example"))


def test_an_alert_says_who_what_since_when_and_what_to_do() -> None:
    (alert,) = _book().take(GROUP, [FIRING], 70 * SECOND)
    assert alert.status == "firing"
    assert alert.labels == {
        "alertname": "FeatureDrift", "model": "churn", "version": "1.4.2", "feature": "age",
        "severity": "warning", "team": "growth",
    }  # fmt: skip
    assert alert.starts_at_ms == alert.pane_end_ms == 70 * SECOND
    assert alert.annotations["summary"] == "churn 1.4.2: age: moved"
    assert alert.annotations["runbook_url"] == "https://drift.example/runbooks/FeatureDrift"
    assert alert.annotations["dashboard_url"] == "https://drift.example/models/churn"


def test_several_detectors_on_one_column_make_one_alert_that_lasts_until_all_are_well() -> None:
    book = _book()
    ks = _verdict("firing", detector="kolmogorov_smirnov")
    assert len(book.take(GROUP, [FIRING, ks], 0)) == 1
    told = [book.take(GROUP, [OK, ks], at * 10 * SECOND) for at in range(1, 6)]
    assert told == [[]] * 5
    well = _verdict("ok", 0.0, detector="kolmogorov_smirnov")
    told = [book.take(GROUP, [OK, well], at * 10 * SECOND) for at in range(6, 9)]
    assert [[one.status for one in some] for some in told] == [["firing"], [], ["resolved"]]
    assert told[-1][0].ends_at_ms == 80 * SECOND
    assert book.alerts == {}
    assert book.signals == {}


def test_an_alert_that_goes_on_is_told_again_once_a_minute() -> None:
    book = _book()
    told = [at for at in range(0, 300, 10) if book.take(GROUP, [FIRING], at * SECOND)]
    assert told == [0, 60, 120, 180, 240]


def test_a_change_of_severity_is_told_at_once_about_the_same_incident() -> None:
    book = _book(kolmogorov_smirnov={"severity": "critical", "clear_for": "0s"})
    ks = _verdict("firing", detector="kolmogorov_smirnov")
    (first,) = book.take(GROUP, [FIRING], 0)
    (worse,) = book.take(GROUP, [FIRING, ks], 10 * SECOND)
    (better,) = book.take(GROUP, [FIRING, _verdict("ok", 0.0, detector="kolmogorov_smirnov")], 20 * SECOND)
    assert [one.labels["severity"] for one in (first, worse, better)] == ["warning", "critical", "warning"]
    assert first.fingerprint == worse.fingerprint == better.fingerprint
    assert {one.starts_at_ms for one in (first, worse, better)} == {0}
    assert first.sequence < worse.sequence < better.sequence


def test_sequences_grow_over_incidents() -> None:
    book = _book(psi={"clear_for": "0s"})
    sequences = [
        one.sequence
        for at in range(20)
        for one in book.take(GROUP, [FIRING if at % 2 else OK], at * 10 * SECOND)
    ]
    assert sequences == sorted(set(sequences))
    assert len(sequences) == 20 - 1


def test_of_two_objectives_of_one_detector_the_worse_counts() -> None:
    book = _book(latency={"for": "30s"})
    p50 = Verdict("latency", "LatencyHigh", "latency_ms", "firing", 80.0, 50.0, 500, Evidence("p50"))
    p99 = Verdict("latency", "LatencyHigh", "latency_ms", "ok", 90.0, 500.0, 500, Evidence("p99"))
    told = [book.take(GROUP, pair, at * 10 * SECOND) for at in range(4) for pair in ([p50, p99],)]
    assert [len(some) for some in told] == [0, 0, 0, 1]
    assert told[-1][0].annotations["summary"].endswith("p50")
    assert "feature" not in told[-1][0].labels


def test_a_retired_version_resolves_its_alerts_and_no_others() -> None:
    book = _book()
    book.take(GROUP, [FIRING], 0)
    book.take(("2.0", ""), [FIRING], 0)
    (alert,) = book.retire(GROUP, 50 * SECOND)
    assert (alert.status, alert.labels["version"]) == ("resolved", "1.4.2")
    assert "no traffic" in alert.annotations["description"]
    assert [key.version for key in book.alerts] == ["2.0"]
    assert book.retire(GROUP, 60 * SECOND) == []


def test_events_without_a_version_going_away_resolve_nothing_about_the_model_as_a_whole() -> None:
    book = _book()
    silence = Verdict("traffic_silence", "TrafficSilence", "", "firing", 9.0, 1.0, 50, Evidence("silent"))
    book.take(("", ""), [silence, FIRING], 0)
    assert [one.labels["alertname"] for one in book.retire(("", ""), 10 * SECOND)] == ["FeatureDrift"]
    assert [key.kind for key in book.alerts] == ["TrafficSilence"]


def test_what_the_monitor_has_switched_off_resolves_after_a_restart() -> None:
    before, after = _book(), _book()
    before.take(GROUP, [FIRING, _verdict("firing", detector="chi_square")], 0)
    held = before.signals.items(), before.alerts.items(), before.sequences.items()
    after.restore(*held, watched={("psi", "age")})
    assert after.drop_unwatched(10 * SECOND) == []
    after.restore(*held, watched={("psi", "city")})
    (alert,) = after.drop_unwatched(10 * SECOND)
    assert (alert.status, alert.sequence) == ("resolved", 2)
    assert after.alerts == {}


@pytest.mark.parametrize("public_url", ["http://localhost:8080", "https://drift.example/base"])
def test_links_quote_the_models_name(public_url: str) -> None:
    assert Links(public_url).dashboard("a b/ü") == f"{public_url}/models/a%20b%2F%C3%BC"


def test_what_is_told_after_the_clock_was_set_back_is_still_newer() -> None:
    # Simulator, seed 239: the desk went on holding for firing what was over.
    book = _book(psi={"threshold": 0.2, "clear_for": "0s"})
    told = [
        upsert
        for verdict, at_ms in ((FIRING, 100 * SECOND), (OK, 40 * SECOND), (FIRING, 50 * SECOND))
        for upsert in book.take(GROUP, [verdict], at_ms)
    ]
    assert [upsert.status for upsert in told] == ["firing", "resolved", "firing"]
    order = [(upsert.pane_end_ms, upsert.sequence) for upsert in told]
    assert order == sorted(set(order))


def _plans(*counts: int, **new: int) -> Window:
    bins = np.array([*counts, sum(new.values())], np.int64)
    labels = ("free", "pro", "(other)")
    column = Column("plan", "category", count=int(bins.sum()), bins=bins, labels=labels, unlisted=new)
    return Window("churn", features={"plan": column})


def test_an_alert_names_what_drives_it_in_words_and_in_its_evidence() -> None:
    verdict = Verdict("psi", "FeatureDrift", "plan", "firing", 1.0, 0.2, 1000, Evidence("plan: moved"))
    seen = _plans(600, 280, trial=120), _plans(7000, 3000)
    (alert,) = _book().take(GROUP, [verdict], 0, seen)
    assert alert.annotations["cause"].startswith("12 % new category 'trial' (")
    cause = json.loads(alert.annotations["evidence"])["cause"]
    assert cause["sentence"] == alert.annotations["cause"]
    assert cause["drivers"][0]["what"] == "trial"
    assert sum(one["share"] for one in cause["drivers"]) == pytest.approx(1, abs=0.001)


def test_an_alerts_evidence_says_which_event_time_was_judged() -> None:
    verdict = Verdict("psi", "FeatureDrift", "plan", "firing", 1.0, 0.2, 1000, Evidence("plan: moved"))
    window = replace(_plans(600, 280), start_ms=10 * SECOND, end_ms=310 * SECOND)
    (alert,) = _book().take(GROUP, [verdict], 310 * SECOND, (window, _plans(7000, 3000)))
    assert read(alert.annotations["evidence"]).window == "5 min to 1970-01-01 00:05:10 UTC"


def test_an_alert_on_outcomes_says_when_the_predictions_were_made_that_were_judged() -> None:
    verdict = Verdict(
        "performance", "PerformanceDrop", "accuracy", "firing", 1.0, 0.2, 1000, Evidence("worse")
    )
    outcomes = OutcomeWindow(20 * SECOND, 80 * SECOND, {}, 100, 100)
    window = replace(_plans(1), start_ms=10 * SECOND, end_ms=310 * SECOND, outcomes=outcomes)
    (alert,) = _book().take(GROUP, [verdict], 310 * SECOND, (window, None))
    assert json.loads(alert.annotations["evidence"])["window"] == {
        "start_ms": 20 * SECOND,
        "end_ms": 80 * SECOND,
    }


def test_an_alert_on_no_column_has_no_cause() -> None:
    verdict = Verdict("error_rate", "ErrorRateHigh", "", "firing", 0.5, 0.01, 1000, Evidence("50 % failed"))
    (alert,) = _book().take(GROUP, [verdict], 0, (_plans(1), None))
    assert "cause" not in alert.annotations
    assert "cause" not in json.loads(alert.annotations["evidence"])


def test_what_is_taken_back_is_over_at_once_and_says_why() -> None:
    book = _book()
    book.take(GROUP, [FIRING], 70 * SECOND)
    back = msgspec.structs.replace(INSUFFICIENT, withdrawn=True, evidence=Evidence("age: not to be trusted"))
    (alert,) = book.take(GROUP, [back], 80 * SECOND)
    assert (alert.status, alert.ends_at_ms) == ("resolved", 80 * SECOND)
    assert alert.annotations["description"] == "Taken back: age: not to be trusted."
    assert alert.annotations["summary"] == "churn 1.4.2: age: moved"
    assert not book.take(GROUP, [back], 90 * SECOND)
    (again,) = book.take(GROUP, [FIRING], 100 * SECOND)
    assert (again.status, again.starts_at_ms) == ("firing", 100 * SECOND)


def test_what_another_detector_fires_too_goes_on_when_one_takes_it_back() -> None:
    book = _book()
    other = msgspec.structs.replace(FIRING, detector="chi_square")
    book.take(GROUP, [FIRING, other], 70 * SECOND)
    assert not book.take(GROUP, [msgspec.structs.replace(INSUFFICIENT, withdrawn=True), other], 80 * SECOND)
    assert len(book.alerts) == 1


def test_what_cannot_be_judged_any_more_says_since_when_and_fires_on() -> None:
    book = _book()
    book.take(GROUP, [FIRING], 0)
    told = [upsert for at in range(10, 200, 10) for upsert in book.take(GROUP, [INSUFFICIENT], at * SECOND)]
    assert [(one.status, one.annotations.get("no_data_since")) for one in told] == [
        ("firing", "1970-01-01T00:00:10.000Z")
    ] * 3
    assert {one.annotations["summary"] for one in told} == {"churn 1.4.2: age: moved"}
    (again,) = book.take(GROUP, [FIRING], 240 * SECOND)
    assert "no_data_since" not in again.annotations


def test_one_detector_that_can_judge_is_enough_for_data() -> None:
    book = _book()
    ks = _verdict("firing", detector="kolmogorov_smirnov")
    book.take(GROUP, [FIRING, ks], 0)
    (told,) = book.take(GROUP, [INSUFFICIENT, ks], 60 * SECOND)
    assert "no_data_since" not in told.annotations


def test_a_segment_that_is_missing_is_told_once_a_minute_and_is_not_over() -> None:
    book, group = _book(), ("1.4.2", "country=fr")
    book.take(group, [FIRING], 0)
    book.take(GROUP, [_verdict("firing", kind="LatencyHigh", detector="latency")], 0)
    told = [upsert for at in range(10, 200, 10) for upsert in book.miss(group, 5 * SECOND, at * SECOND)]
    assert [(one.status, one.labels["segment"], one.annotations["no_data_since"]) for one in told] == [
        ("firing", "country=fr", "1970-01-01T00:00:05.000Z")
    ] * 3
    (over,) = book.retire(group, 300 * SECOND)
    assert (over.status, "no_data_since" in over.annotations) == ("resolved", False)
