from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alerts.config import parse
from alerts.routing import Node, compile_routes


def tree(**route: Any) -> Node:
    receivers = [{"name": name} for name in ("root", "a", "b", "c")]
    return compile_routes(parse({"route": {"receiver": "root", **route}, "receivers": receivers}).route)


def test_the_first_child_that_matches_wins_unless_it_continues() -> None:
    routes = [
        {"receiver": "a", "matchers": ["team=x"], "continue": True},
        {"receiver": "b", "matchers": ["severity=critical"]},
        {"receiver": "c", "matchers": ["team=~.*"]},
    ]
    root = tree(routes=routes)
    assert [n.receiver for n in root.match({"team": "x", "severity": "critical"})] == ["a", "b"]
    assert [n.receiver for n in root.match({"team": "x"})] == ["a", "c"]
    assert [n.receiver for n in root.match({"severity": "critical"})] == ["b"]


def test_matchers_written_the_old_ways_hold_beside_the_new() -> None:
    route = {
        "receiver": "a",
        "match": {"team": "x"},
        "match_re": {"model": "churn|fraud"},
        "matchers": ["b!=c"],
    }
    root = tree(routes=[route])
    assert [n.receiver for n in root.match({"team": "x", "model": "fraud"})] == ["a"]
    for labels in ({"team": "x"}, {"model": "fraud"}, {"team": "x", "model": "fraud", "b": "c"}):
        assert [n.receiver for n in root.match(labels)] == ["root"]
    assert root.children[0].key == '{}/{b!="c", team="x", model=~"churn|fraud"}'


def test_an_alert_no_child_takes_stays_with_the_parent() -> None:
    assert [n.receiver for n in tree(routes=[{"receiver": "a", "matchers": ["x=y"]}]).match({})] == ["root"]


def test_a_route_inherits_what_it_does_not_say() -> None:
    child = {
        "matchers": ["a=b"],
        "group_wait": "0s",
        "routes": [{"matchers": ["c=d"], "repeat_interval": "1h"}],
    }
    leaf = tree(group_by=["model"], group_interval="1m", routes=[child]).match({"a": "b", "c": "d"})[0]
    assert (leaf.receiver, leaf.group_by) == ("root", ("model",))
    assert (leaf.group_wait_ms, leaf.group_interval_ms, leaf.repeat_interval_ms) == (0, 60_000, 3_600_000)


def test_without_words_about_time_alertmanagers_defaults_hold() -> None:
    root = tree()
    assert (root.group_wait_ms, root.group_interval_ms, root.repeat_interval_ms) == (
        30_000,
        300_000,
        14_400_000,
    )


def test_keys_do_not_depend_on_the_position_and_are_unique() -> None:
    one, two = {"receiver": "a", "matchers": ["a=b"]}, {"receiver": "b", "matchers": ["c=d"]}
    alone, later = tree(routes=[one]), tree(routes=[two, one])
    assert alone.children[0].key == later.children[1].key
    twins = tree(routes=[one, one, two])
    assert len({node.key for node in twins.walk()}) == 4


labels = st.dictionaries(st.sampled_from(["model", "feature", "severity", "team"]), st.text(max_size=3))


@given(st.lists(labels), st.sampled_from([["model"], ["model", "feature"], ["..."], []]))
def test_grouping_is_a_partition_by_the_named_labels(
    alerts: list[dict[str, str]], group_by: list[str]
) -> None:
    root = tree(group_by=group_by)
    names = ["feature", "model", "team"] if group_by == ["..."] else group_by
    keys = [root.group_key(root.group_labels(alert)) for alert in alerts]
    shares = [tuple(alert.get(name, "") for name in names) for alert in alerts]
    assert len(set(keys)) == len(set(shares)) == len(set(zip(keys, shares, strict=True)))


def test_a_change_of_severity_stays_in_its_group_of_all_labels() -> None:
    root = tree(group_by=["..."])
    assert root.group_labels({"model": "m", "severity": "critical"}) == {"model": "m"}
