import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.errors import MatcherError
from alerts.matcher import Matcher, Operator, parse

names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True)
operators: st.SearchStrategy[Operator] = st.sampled_from(["=", "!="])


@given(st.lists(st.builds(Matcher, names, operators, st.text()), min_size=1, max_size=4))
def test_matchers_are_read_back_as_written(matchers: list[Matcher]) -> None:
    assert parse("{" + ", ".join(map(str, matchers)) + "}") == tuple(matchers)


@given(names, st.text(), st.dictionaries(names, st.text(), max_size=3))
def test_unequal_is_the_opposite_of_equal(name: str, value: str, labels: dict[str, str]) -> None:
    assert Matcher(name, "=", value).matches(labels) != Matcher(name, "!=", value).matches(labels)


@pytest.mark.parametrize(
    ("text", "labels", "holds"),
    [
        ('severity="critical"', {"severity": "critical"}, True),
        ("severity=critical", {"severity": "critical"}, True),
        ('model=~"churn|fraud"', {"model": "fraud"}, True),
        ('model=~"churn|fraud"', {"model": "my-fraud"}, False),
        ('model=~"a|b"', {"model": "ab"}, False),
        ('model!~"test.*"', {"model": "testing"}, False),
        ('model!~"test.*"', {"model": "a-testing"}, True),
        ('team=""', {}, True),
        ('team!=""', {}, False),
        ('team=~".*"', {}, True),
        ('team=~".+"', {}, False),
        ('team!~".+"', {}, True),
        ('feature="a,\\"b\\" {c}"', {"feature": 'a,"b" {c}'}, True),
    ],
)
def test_a_matcher_is_anchored_and_takes_a_missing_label_as_empty(
    text: str, labels: dict[str, str], holds: bool
) -> None:
    assert all(matcher.matches(labels) for matcher in parse(text)) is holds


@pytest.mark.parametrize(
    "text", ["", "{}", "severity", "=x", 'a="b', '1a="b"', 'a=="b"', 'a="b" c="d"', "a=b c"]
)
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(MatcherError, match="matcher"):
        parse(text)


def test_a_bad_regular_expression_is_refused_with_its_text() -> None:
    with pytest.raises(MatcherError, match=r"'\(churn' is not a regular expression"):
        parse('model=~"(churn"')
