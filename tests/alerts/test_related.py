"""One failure upstream is one group. group_wait 30 s, group_interval 300 s, related within 10 min."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.alert import AlertUpsert, fingerprint
from alerts.config import Config, parse
from alerts.decision import Reason
from alerts.outline import outline


def config(group_by: Any = ("related",), **more: Any) -> Config:
    root = {"receiver": "ops", "group_by": list(group_by), "repeat_interval": "1h", **more}
    return parse(
        {
            "route": root,
            "receivers": [{"name": "ops", "webhook_configs": [{"url": "http://localhost/"}]}],
        }
    )


def fire(
    desk: Any, at_s: float, kind: str, model: str, status: Any = "firing", *, excess: float = 0, **labels: str
) -> str:
    """Have a model's alert begin or end, and return its fingerprint."""
    desk.run_until(at_s)
    desk.sequence += 1
    given_labels = {"alertname": kind, "model": model, "severity": "warning", **labels}
    evidence = json.dumps({"score": excess * 0.2, "threshold": 0.2}) if excess else ""
    desk.take(
        AlertUpsert(
            status=status, labels=given_labels, annotations={"evidence": evidence}, starts_at_ms=desk.now_ms,
            pane_end_ms=desk.now_ms, sequence=desk.sequence, ends_at_ms=desk.now_ms if status == "resolved" else None,
        )
    )  # fmt: skip
    return fingerprint(given_labels)


def groups(desk: Any) -> list[set[str]]:
    """The models (and features) of each group."""
    found: dict[str, set[str]] = {}
    for record in desk.desk.alerts.values():
        of = record.upsert.labels
        for group_id, departure in record.groups.items():
            if departure is None:
                found.setdefault(group_id, set()).add(f"{of['model']} {of.get('feature', '')}".strip())
    return sorted(found.values(), key=sorted)


def test_one_failure_that_moves_many_models_and_features_is_one_page(world: Any) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [None]
    for number, model in enumerate(("churn", "fraud", "ltv")):
        for place, feature in enumerate(("age", "plan")):
            fire(desk, number, "FeatureDrift", model, feature=feature, excess=2 + number + 3 * place)
    fire(desk, 5, "PredictionDrift", "ltv", feature="age", segment="country=fr", excess=40)
    desk.run_until(60)
    (delivery,) = desk.out
    shown = delivery.notification
    assert shown.notes == (
        "One incident of 7 alerts. 3 models: ltv 40x, fraud 6x, churn 5x; 2 features: age 40x, plan 7x; "
        "1 segment: country=fr 40x.",
    )
    assert [alert.labels["model"] for alert in shown.alerts][:3] == ["ltv", "ltv", "fraud"]


def test_the_note_names_five_of_each_and_counts_the_rest(world: Any) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [None]
    for number in range(12):
        fire(desk, 0, "FeatureDrift", "churn", feature=f"f{number:02}", excess=20 - number)
    desk.run_until(60)
    (note,) = desk.out[0].notification.notes
    assert note.endswith("12 features: f00 20x, f01 19x, f02 18x, f03 17x, f04 16x and 7 more.")


@pytest.mark.parametrize(
    ("kind", "model", "labels"),
    [
        ("FeatureDrift", "fraud", {"feature": "balance"}),
        ("MissingRate", "fraud", {"feature": "age"}),
        ("LatencyHigh", "fraud", {"source": "crm"}),
    ],
)
def test_kind_feature_or_source_relate_alerts(
    world: Any, kind: str, model: str, labels: dict[str, str]
) -> None:
    desk = world(config())
    fire(desk, 0, "FeatureDrift", "churn", feature="age", source="crm")
    name = fire(desk, 500, kind, model, **labels)
    assert len(groups(desk)) == 1
    assert Reason.RELATED in [one.reason for one in desk.desk.receipts(name)]


@pytest.mark.parametrize(
    ("at_s", "kind", "labels"), [(601, "FeatureDrift", {"feature": "age"}), (10, "LatencyHigh", {})]
)
def test_what_shares_nothing_or_begins_later_is_another_incident(
    world: Any, at_s: float, kind: str, labels: dict[str, str]
) -> None:
    desk = world(config())
    fire(desk, 0, "FeatureDrift", "churn", feature="age")
    fire(desk, at_s, kind, "fraud", **labels)
    assert len(groups(desk)) == 2


def test_an_incident_goes_on_while_others_join_it(world: Any) -> None:
    desk = world(config())
    for number in range(4):
        fire(desk, 550 * number, "FeatureDrift", f"m{number}", feature="age")
    assert groups(desk) == [{"m0 age", "m1 age", "m2 age", "m3 age"}]


def test_an_alert_stays_where_it_is_though_it_fires_anew_or_its_founder_is_over(world: Any) -> None:
    desk = world(config())
    fire(desk, 0, "FeatureDrift", "churn", feature="age")
    fire(desk, 10, "FeatureDrift", "fraud", feature="age")
    desk.run_until(100)
    fire(desk, 110, "FeatureDrift", "churn", "resolved", feature="age")
    desk.run_until(1000)
    (held,) = groups(desk)
    assert held == {"fraud age"}
    fire(desk, 1000, "FeatureDrift", "fraud", severity="critical", feature="age")
    assert groups(desk) == [{"fraud age"}]
    desk.crash()
    assert groups(desk) == [{"fraud age"}]
    desk.run_until(2000)
    assert [words for _, words in desk.timeline()] == [
        "+FeatureDrift +FeatureDrift", "+FeatureDrift -FeatureDrift", "+FeatureDrift",
    ]  # fmt: skip


def test_routes_are_walls(world: Any) -> None:
    desk = world(config(routes=[{"matchers": ["team=growth"]}]))
    fire(desk, 0, "FeatureDrift", "churn", feature="age", team="growth")
    fire(desk, 0, "FeatureDrift", "fraud", feature="age")
    assert len(groups(desk)) == 2


def test_a_reload_that_turns_it_on_or_off_regroups(world: Any) -> None:
    desk = world(config(("model",)))
    for model in ("churn", "fraud"):
        fire(desk, 0, "FeatureDrift", model, feature="age")
    assert len(groups(desk)) == 2
    desk.reconfigure(config())
    assert len(groups(desk)) == 1
    desk.reconfigure(config(("model",)))
    assert len(groups(desk)) == 2


def test_it_stands_alone_in_group_by_and_in_what_others_see() -> None:
    with pytest.raises(ValidationError, match="stands alone"):
        config(("related", "model"))
    assert json.loads(outline(config()))["route"]["group_by"] == ["related"]


def test_evidence_that_says_nothing_is_no_obstacle(world: Any) -> None:
    desk = world(config())
    desk.outcomes["ops/webhook/0"] = [None]
    fire(desk, 0, "FeatureDrift", "churn", feature="age", excess=float("inf"))
    fire(desk, 0, "FeatureDrift", "fraud", feature="age")
    desk.run_until(60)
    assert desk.out[0].notification.notes == (
        "One incident of 2 alerts. 2 models: churn, fraud; 1 feature: age.",
    )


begun = st.lists(
    st.tuples(
        st.sampled_from(["firing", "firing", "resolved"]),
        st.sampled_from(["FeatureDrift", "LatencyHigh"]),
        st.sampled_from(["churn", "fraud"]),
        st.sampled_from(["age", "plan"]),
        st.sampled_from([1, 31, 301, 700]),
    ),
    max_size=20,
)


@given(begun=begun, crash=st.integers(0, 20))
@settings(max_examples=80)
def test_no_alert_is_lost_nor_moved_by_a_restart(
    world: Any, begun: list[tuple[str, str, str, str, int]], crash: int
) -> None:
    whole, broken = world(config()), world(config())
    for number, (status, kind, model, feature, seconds) in enumerate(begun):
        for desk in (whole, broken):
            fire(desk, desk.now_ms / 1000, kind, model, status, feature=feature)
            desk.run_until(desk.now_ms / 1000 + seconds)
        if number == crash:
            broken.crash()
    for desk in (whole, broken):
        desk.run_until(desk.now_ms / 1000 + 3000)
    assert broken.tries == whole.tries
    assert broken.rows == whole.rows
    for record in whole.desk.alerts.values():
        homes = [name for name, departure in record.groups.items() if departure is None]
        assert len(homes) == (1 if record.firing else 0)
