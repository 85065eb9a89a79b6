"""Inhibit rules: which alert inhibits which."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.config import Config, parse
from alerts.inhibition import Inhibition, Inhibitor

CRITICAL, WARNING = ["severity=critical"], ["severity=warning"]


def config(*rules: dict[str, Any]) -> Config:
    return parse({"route": {"receiver": "a"}, "receivers": [{"name": "a"}], "inhibit_rules": list(rules)})


def who_inhibits(alerts: dict[str, dict[str, str]], *rules: dict[str, Any]) -> dict[str, list[Inhibitor]]:
    inhibition = Inhibition(config(*rules).inhibit_rules)
    for fingerprint, labels in alerts.items():
        inhibition.hear(fingerprint, labels)
    return {fingerprint: list(inhibition.inhibitors(fingerprint)) for fingerprint in alerts}


def test_a_source_inhibits_targets_with_equal_labels_only() -> None:
    alerts = {
        "source": {"severity": "critical", "model": "churn"},
        "near": {"severity": "warning", "model": "churn"},
        "far": {"severity": "warning", "model": "fraud"},
    }
    rule = {"source_matchers": CRITICAL, "target_matchers": WARNING, "equal": ["model"]}
    assert who_inhibits(alerts, rule) == {"source": [], "near": [Inhibitor("source", 0)], "far": []}


def test_a_missing_label_equals_an_empty_one() -> None:
    alerts = {
        "source": {"severity": "critical"},
        "empty": {"severity": "warning", "team": ""},
        "other": {"severity": "warning", "team": "growth"},
    }
    rule = {"source_matchers": CRITICAL, "target_matchers": WARNING, "equal": ["team"]}
    assert who_inhibits(alerts, rule) == {"source": [], "empty": [Inhibitor("source", 0)], "other": []}


def test_an_alert_on_both_sides_inhibits_neither_itself_nor_another_on_both_sides() -> None:
    alerts = {"one": {"a": "x", "b": "y"}, "two": {"a": "x", "b": "y"}}
    rule = {"source_matchers": ["a=x"], "target_matchers": ["b=y"]}
    assert who_inhibits(alerts, rule) == {"one": [], "two": []}


def test_an_alert_on_both_sides_inhibits_targets_and_is_inhibited_by_sources() -> None:
    alerts = {"both": {"a": "x", "b": "y"}, "source": {"a": "x"}, "target": {"b": "y"}}
    rule = {"source_matchers": ["a=x"], "target_matchers": ["b=y"]}
    assert who_inhibits(alerts, rule) == {
        "both": [Inhibitor("source", 0)],
        "source": [],
        "target": [Inhibitor("both", 0)],
    }


def test_an_alert_that_is_inhibited_itself_inhibits_others() -> None:
    alerts = {"top": {"n": "1"}, "middle": {"n": "2"}, "bottom": {"n": "3"}}
    rules = [
        {"source_matchers": ["n=1"], "target_matchers": ["n=2"]},
        {"source_matchers": ["n=2"], "target_matchers": ["n=3"]},
    ]
    assert who_inhibits(alerts, *rules) == {
        "top": [],
        "middle": [Inhibitor("top", 0)],
        "bottom": [Inhibitor("middle", 1)],
    }


def test_matchers_written_the_old_ways_mean_the_same() -> None:
    alerts = {
        "source": {"severity": "critical", "model": "churn-eu"},
        "target": {"severity": "warning", "team": "growth"},
        "other": {"severity": "warning", "team": "fraud"},
    }
    old = {
        "source_match": {"severity": "critical"},
        "source_match_re": {"model": "churn.*"},
        "target_match": {"severity": "warning"},
        "target_match_re": {"team": "grow|growth"},
    }
    found = who_inhibits(alerts, old)
    assert found == {"source": [], "target": [Inhibitor("source", 0)], "other": []}


labels = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["", "x", "y"]))
sides = st.lists(
    st.builds(
        "{}{}{}".format, st.sampled_from("abc"), st.sampled_from(["=", "!=", "=~"]), st.sampled_from("xy")
    ),
    max_size=2,
)
rules = st.lists(
    st.fixed_dictionaries(
        {"source_matchers": sides, "target_matchers": sides,
         "equal": st.lists(st.sampled_from(["a", "b", "c"]), unique=True)}
    ),
    max_size=3,
)  # fmt: skip
changes = st.lists(st.tuples(st.sampled_from("pqrst"), st.none() | labels), max_size=20)


@given(rules=rules, changes=changes)
@settings(max_examples=300)
def test_looked_up_is_what_comparing_every_pair_says(
    rules: list[dict[str, Any]], changes: list[tuple[str, dict[str, str] | None]]
) -> None:
    parsed = config(*rules).inhibit_rules
    inhibition, firing = Inhibition(parsed), dict[str, dict[str, str]]()
    for fingerprint, given_labels in changes:
        inhibition.hear(fingerprint, given_labels)
        if given_labels is None:
            firing.pop(fingerprint, None)
        else:
            firing[fingerprint] = given_labels
    for target, target_labels in firing.items():
        wanted = []
        for number, rule in enumerate(parsed):
            is_two_sided = all(m.matches(target_labels) for m in rule.source)
            sources = [
                source
                for source, source_labels in firing.items()
                if all(m.matches(target_labels) for m in rule.target)
                and all(m.matches(source_labels) for m in rule.source)
                and all(source_labels.get(n, "") == target_labels.get(n, "") for n in rule.equal)
                and not (is_two_sided and all(m.matches(source_labels) for m in rule.target))
            ]
            wanted += [Inhibitor(min(sources), number)] if sources else []
        assert list(inhibition.inhibitors(target)) == wanted


def test_the_cost_of_asking_does_not_grow_with_the_alerts() -> None:
    """Counted, not timed: a matcher is asked once per alert and rule, when the alert comes."""
    asked = 0

    class Counting(dict[str, str]):
        def get(self, *arguments: Any) -> Any:
            nonlocal asked
            asked += 1
            return super().get(*arguments)

    rule = {"source_matchers": CRITICAL, "target_matchers": WARNING, "equal": ["model"]}
    inhibition = Inhibition(config(*[rule] * 30).inhibit_rules)
    for number in range(2_000):
        severity = "critical" if number % 2 else "warning"
        inhibition.hear(str(number), Counting(severity=severity, model=str(number // 4)))
    heard, asked = asked, 0
    found = [next(inhibition.inhibitors(str(number)), None) for number in range(2_000)]
    assert sum(one is not None for one in found) == 1_000
    assert (heard <= 2_000 * 30 * 3, asked) == (True, 0)
