"""Laws of what detects an incident, and of what is a false alarm."""

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import AlertUpsert
from driftline.replay.matching import Episode, Episodes, Incident, detect, false_alarms
from driftline.replay.trial import Trial

INCIDENT = Incident("upstream bug", "churn", 1_000, 2_000)
GRACE_MS = 300

episodes = st.lists(
    st.builds(
        lambda model, feature, began, wait, length: Episode(
            model, "FeatureDrift", feature, began, began + wait, None if length is None else began + length
        ),
        st.sampled_from(["churn", "fraud"]),
        st.sampled_from(["", "age", "plan"]),
        st.integers(0, 3_000),
        st.integers(0, 500),
        st.none() | st.integers(0, 2_000),
    ),
    max_size=12,
)
incidents = st.builds(
    lambda start, length, features: Incident("x", "churn", start, start + length, features),
    st.integers(0, 3_000),
    st.integers(1, 1_000),
    st.frozensets(st.sampled_from(["age", "plan"])),
)


def alert(began_ms: int, *, told_ms: int | None = None, model: str = "churn", feature: str = "age",
          ended_ms: int | None = None) -> Episode:  # fmt: skip
    return Episode(model, "FeatureDrift", feature, began_ms, told_ms or began_ms, ended_ms)


def upsert(
    status: Literal["firing", "resolved"],
    *,
    at_ms: int,
    starts_at_ms: int | None = None,
    severity: str = "warning",
) -> AlertUpsert:
    return AlertUpsert(
        status=status,
        labels={"alertname": "FeatureDrift", "model": "churn", "feature": "age", "severity": severity},
        starts_at_ms=at_ms if starts_at_ms is None else starts_at_ms,
        ends_at_ms=at_ms if status == "resolved" else None,
        pane_end_ms=at_ms,
        sequence=at_ms,
    )


def test_the_first_alert_told_between_start_and_end_detects_and_the_delay_is_from_the_start() -> None:
    found = detect(INCIDENT, [alert(1_700), alert(1_200, told_ms=1_450), alert(1_300)], GRACE_MS)
    assert found.delay_ms == 300


def test_an_alert_as_late_as_the_grace_detects_and_one_later_does_not() -> None:
    assert detect(INCIDENT, [alert(2_300)], GRACE_MS).delay_ms == 1_300
    assert detect(INCIDENT, [alert(2_301)], GRACE_MS).first is None


def test_an_alert_from_before_detects_nothing_and_is_told_while_it_fires() -> None:
    for ended_ms, fired_before in ((None, True), (1_001, True), (1_000, False)):
        found = detect(INCIDENT, [alert(999, ended_ms=ended_ms)], GRACE_MS)
        assert (found.first, found.fired_before) == (None, fired_before)


def test_alerts_of_other_models_detect_nothing_and_are_false_outside_of_their_own_incidents() -> None:
    other = alert(1_500, model="fraud")
    assert detect(INCIDENT, [other], GRACE_MS).first is None
    assert false_alarms([other], [INCIDENT], GRACE_MS) == [other]


def test_an_alert_about_another_feature_detects_nothing_yet_is_no_false_alarm() -> None:
    about_plan = Incident("plans", "churn", 1_000, 2_000, frozenset({"plan"}))
    consequence = alert(1_500, feature="age")
    assert detect(about_plan, [consequence], GRACE_MS).first is None
    assert false_alarms([consequence], [about_plan], GRACE_MS) == []


@given(incidents, episodes, episodes)
def test_more_alerts_never_detect_an_incident_later(
    incident: Incident, some: list[Episode], more: list[Episode]
) -> None:
    before = detect(incident, some, GRACE_MS).delay_ms
    after = detect(incident, some + more, GRACE_MS).delay_ms
    assert before is None or (after is not None and after <= before)


@given(incidents, episodes)
def test_several_alerts_on_one_incident_are_one_detection(incident: Incident, some: list[Episode]) -> None:
    once = Trial(1.0, some, [incident], GRACE_MS, None)
    twice = Trial(1.0, some + some, [incident], GRACE_MS, None)
    assert twice.detections == once.detections
    assert len(once.detections) == 1


@given(st.lists(incidents, min_size=1, max_size=4), episodes, st.integers(0, 1_000))
def test_what_detects_is_no_false_alarm_and_a_longer_grace_makes_none_more(
    marked: list[Incident], some: list[Episode], longer_ms: int
) -> None:
    wrong = false_alarms(some, marked, GRACE_MS)
    first = [detect(one, some, GRACE_MS).first for one in marked]
    assert not any(one is each for one in first if one is not None for each in wrong)
    assert len(false_alarms(some, marked, GRACE_MS + longer_ms)) <= len(wrong)


@given(episodes, incidents)
def test_the_order_of_alerts_makes_no_difference(some: list[Episode], incident: Incident) -> None:
    one, other = (Trial(1.0, each, [incident], GRACE_MS, 2.0) for each in (some, some[::-1]))
    assert [each.delay_ms for each in one.detections] == [each.delay_ms for each in other.detections]
    assert one.false_alarms == other.false_alarms
    assert one.resolved_share == other.resolved_share


def test_an_alert_is_one_episode_from_its_begin_to_its_end_whatever_is_told_between() -> None:
    taken = Episodes()
    taken.take(upsert("firing", at_ms=1_000), 1_030)
    taken.take(upsert("firing", at_ms=2_000, starts_at_ms=1_000, severity="critical"), 2_030)
    taken.take(upsert("resolved", at_ms=3_000, starts_at_ms=1_000), 3_030)
    taken.take(upsert("resolved", at_ms=3_500, starts_at_ms=1_000), 3_530)
    taken.take(upsert("firing", at_ms=5_000), 5_030)
    assert [(one.began_ms, one.told_ms, one.ended_ms) for one in taken.all] == [
        (1_000, 1_030, 3_000), (5_000, 5_030, None),
    ]  # fmt: skip


def test_shares_are_of_all_alerts_and_unknown_without_any() -> None:
    minute_ms = 60_000
    some = [alert(0, ended_ms=5 * minute_ms), alert(0, ended_ms=6 * minute_ms), alert(0), alert(7)]
    trial = Trial(1.0, some, [], 0, 2.0)
    assert (trial.resolved_share, trial.brief_share) == (0.5, 0.25)
    assert (trial.per_week(len(some)), trial.false_alarms) == (2.0, None)
    none = Trial(1.0, [], [], 0, None)
    assert (none.resolved_share, none.brief_share, none.per_week(0)) == (None, None, None)
