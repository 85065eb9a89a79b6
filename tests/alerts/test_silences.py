"""Silences: what is told, and when, with group_wait 30 s, group_interval 300 s and repeat_interval 3600 s."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts import silence as silences
from alerts.alert import fingerprint
from alerts.command import AddSilence
from alerts.config import Config, parse
from alerts.decision import Reason
from alerts.errors import MatcherError
from alerts.pattern import whole
from alerts.silence import EXPIRED_KEPT_MS, Silence

A = fingerprint({"alertname": "a", "model": "m"})


def config(**hook: Any) -> Config:
    root = {"receiver": "ops", "group_by": ["model"], "repeat_interval": "1h"}
    hooks = [{"url": "http://localhost/", **hook}]
    return parse({"route": root, "receivers": [{"name": "ops", "webhook_configs": hooks}]})


@pytest.fixture
def desk(world: Any) -> Any:
    return world(config())


def reasons(desk: Any, name: str = "a") -> list[Reason]:
    return [one.reason for one in desk.desk.receipts(fingerprint({"alertname": name, "model": "m"}))]


def test_an_alert_that_is_silenced_is_not_told_and_shown_with_the_reason(desk: Any) -> None:
    answer = desk.silence(7200, "alertname=a")
    desk.upsert("firing", "a")
    desk.upsert("firing", "b")
    desk.run_until(4000)
    assert desk.timeline() == [(30, "+b"), (3630, "+b")]
    found = desk.desk.suppressions(A, desk.now_ms)
    assert [(one.kind, one.by) for one in found] == [("silenced", answer.subject)]
    assert "deploy" in found[0].text
    assert Reason.SILENCED in reasons(desk)
    assert desk.desk.alerts[A].firing


def test_when_a_silence_ends_what_fires_is_told_at_the_next_turn(desk: Any) -> None:
    desk.silence(100, "alertname=a")
    desk.upsert("firing", "a")
    desk.run_until(2000)
    assert desk.timeline() == [(330, "+a")]


def test_one_that_was_told_before_the_silence_is_told_again_after_it(desk: Any) -> None:
    desk.upsert("firing", "a")
    desk.run_until(60)
    desk.silence(400, "alertname=a")
    desk.run_until(3600)
    assert desk.timeline() == [(30, "+a"), (630, "+a")]
    assert desk.tries[-1].reason is Reason.TOLD_AGAIN


def test_a_silence_that_is_expired_by_hand_ends_at_once(desk: Any) -> None:
    name = desk.silence(7200, "alertname=a").subject
    desk.upsert("firing", "a")
    desk.run_until(100)
    assert desk.expire(name).code == "done"
    desk.run_until(1000)
    assert desk.timeline() == [(330, "+a")]
    assert desk.expire(name).code == "refused"
    assert desk.expire("silence-unknown").code == "unknown"


def test_the_end_of_what_was_told_is_told_though_silenced(desk: Any) -> None:
    desk.upsert("firing", "a")
    desk.upsert("firing", "b")
    desk.run_until(60)
    desk.silence(7200, "alertname=a")
    desk.upsert("firing", "c")
    desk.run_until(400)
    desk.upsert("resolved", "a")
    desk.run_until(2000)
    assert desk.timeline() == [(30, "+a +b"), (330, "+b +c"), (630, "-a +b +c")]


def test_what_began_and_ended_in_silence_is_never_told(desk: Any) -> None:
    desk.silence(7200, "alertname=a")
    desk.upsert("firing", "a")
    desk.run_until(400)
    desk.upsert("resolved", "a")
    desk.run_until(9000)
    assert desk.timeline() == []


def test_a_silence_ends_early_for_an_alert_that_gets_worse_and_for_it_alone(desk: Any) -> None:
    name = desk.silence(7200, "model=m").subject
    desk.upsert("firing", "a")
    desk.upsert("firing", "b")
    desk.run_until(400)
    desk.upsert("firing", "a", "critical")
    desk.run_until(1000)
    desk.upsert("firing", "a", "warning")
    desk.run_until(5000)
    assert desk.timeline() == [(630, "+a"), (4230, "+a")]
    assert Reason.SILENCE_OUTGROWN in reasons(desk)
    assert desk.desk.suppressions(A, desk.now_ms) == ()
    assert desk.desk.silences[name].state(desk.now_ms) == "active"


def test_it_is_the_severity_when_the_silence_begins_that_counts(desk: Any) -> None:
    desk.upsert("firing", "a")
    desk.silence(7200, "model=m", start_s=100)
    desk.run_until(60)
    desk.upsert("firing", "a", "critical")
    desk.run_until(2000)
    # Told as warning, then critical while the silence held already: it had begun at critical.
    assert desk.timeline() == [(30, "+a")]


def test_a_silence_of_one_severity_does_not_match_another(desk: Any) -> None:
    desk.silence(7200, "alertname=a", "severity=warning")
    desk.upsert("firing", "a")
    desk.run_until(100)
    desk.upsert("firing", "a", "critical")
    desk.run_until(1000)
    assert desk.timeline() == [(330, "+a")]


def test_one_that_begins_later_holds_from_then_on(desk: Any) -> None:
    desk.silence(900, "alertname=a", start_s=60)
    desk.upsert("firing", "a")
    desk.upsert("firing", "b")
    desk.run_until(40)
    desk.upsert("firing", "c")
    desk.run_until(400)
    assert desk.timeline() == [(30, "+a +b"), (330, "+b +c")]


@pytest.mark.parametrize("at_s", [10, 60, 200])
def test_silences_survive_a_takeover(desk: Any, at_s: float) -> None:
    desk.upsert("firing", "a")
    name = desk.silence(500, "alertname=a").subject
    desk.run_until(at_s)
    desk.crash()
    assert [one.by for one in desk.desk.suppressions(A, desk.now_ms)] == [name]
    desk.run_until(2000)
    assert [words for _, words in desk.timeline()] == ["+a"]


def test_a_command_that_comes_twice_changes_nothing_and_has_the_same_answer(desk: Any) -> None:
    command = AddSilence(
        id="8d2c7f5e-0000", matchers=("alertname=a",), ends_at_ms=500_000, created_by="ana", comment="x"
    )
    first = desk.command(command)
    desk.run_until(100)
    desk.expire(first.subject)
    desk.crash()
    assert desk.command(command) == first
    assert desk.desk.silences[first.subject].state(desk.now_ms) == "expired"


def test_changing_an_end_keeps_the_silence_other_matchers_make_another(desk: Any) -> None:
    name = desk.silence(500, "alertname=a").subject
    desk.run_until(100)
    assert desk.silence(5000, "alertname=a", silence_id=name).subject == name
    held = desk.desk.silences[name]
    assert (held.starts_at_ms, held.ends_at_ms) == (0, 5_100_000)
    other = desk.silence(5000, "alertname=b", silence_id=name).subject
    assert other != name
    assert desk.desk.silences[name].state(desk.now_ms) == "expired"
    assert desk.silence(500, "alertname=a", silence_id="silence-unknown").code == "unknown"


def test_an_end_that_is_not_in_the_future_is_refused(desk: Any) -> None:
    desk.run_until(1000)
    answer = desk.silence(0, "alertname=a")
    assert (answer.code, desk.desk.silences) == ("refused", {})
    assert "is not after" in answer.sentence


def test_a_command_that_waited_too_long_is_not_carried_out(desk: Any) -> None:
    command = AddSilence(
        id="8d2c7f5e-0001", matchers=("alertname=a",), ends_at_ms=900_000, created_by="ana", comment="x"
    )
    desk.run_until(400)
    answer = desk.desk.command(command, desk.now_ms, asked_at_ms=desk.now_ms - 300_001)
    assert (answer.code, desk.desk.silences) == ("refused", {})


def test_what_is_long_over_is_forgotten_with_its_row(desk: Any) -> None:
    desk.upsert("firing", "a")
    name = desk.silence(10, "alertname=a").subject
    desk.run_until(EXPIRED_KEPT_MS / 1000)
    assert name in desk.desk.silences
    desk.run_until(EXPIRED_KEPT_MS / 1000 + 400)
    assert name not in desk.desk.silences
    assert f"silence/{name}" not in desk.rows
    assert desk.desk.alerts[A].silenced == {}
    assert not [key for key in desk.rows if key.startswith("answer/")]


def test_full_of_silences_that_hold_no_more_are_taken(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silences, "MAX_SILENCES", 2)
    first, _ = desk.silence(10, "alertname=a").subject, desk.silence(500, "alertname=b")
    assert desk.silence(500, "alertname=c").code == "refused"
    desk.run_until(20)
    assert desk.silence(500, "alertname=c").code == "done"
    assert first not in desk.desk.silences


@pytest.mark.parametrize(
    ("matchers", "said"),
    [
        ([], "at least 1"), (['team=""'], "nearly all"), (["alertname=~.*"], "nearly all"), (["a b"], "matcher"),
        (["alertname=~(?=x)a"], "RE2"), (["a=b,c=d"], "each on its own"), (["alertname=~" + "x" * 1001], "1000"),
    ],
)  # fmt: skip
def test_matchers_that_cannot_be_meant_are_refused(matchers: list[str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AddSilence.model_validate(
            {"id": "command-1", "matchers": matchers, "ends_at_ms": 1, "created_by": "a", "comment": "b"}
        )


def test_a_pattern_made_to_hang_does_not() -> None:
    assert not whole("(a+)+b")("a" * 5_000)


def test_a_parenthesis_too_many_does_not_close_ours() -> None:
    with pytest.raises(MatcherError):
        whole("a)|(.*")


words = st.text(st.sampled_from("aä.*|+?()[]{}^$\\\"'-_/:"), max_size=8)


@given(words, words)
def test_a_silence_matches_by_each_operator_as_a_missing_label_is_empty(value: str, other: str) -> None:
    def matches(operator: str, labels: dict[str, str]) -> bool:
        quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        if "~" in operator:
            quoted = re.escape(value).replace("\\", "\\\\").replace('"', '\\"')
        texts = ("alertname=a", f'team{operator}"{quoted}"')
        silence = Silence(
            id="s", matchers=texts, starts_at_ms=0, ends_at_ms=1, created_by="a", comment="", updated_at_ms=0
        )
        return silence.matches({"alertname": "a", **labels})

    for labels, team in (({}, ""), ({"team": value}, value), ({"team": other}, other)):
        assert matches("=", labels) is matches("=~", labels) is (team == value)
        assert matches("!=", labels) is matches("!~", labels) is (team != value)


@pytest.mark.parametrize("rows_before_death", range(6))
def test_an_owner_that_dies_while_it_writes_leaves_no_answer_without_what_it_did(
    owners: Any, rows_before_death: int
) -> None:
    desk = owners(config())
    desk.upsert("firing", "a")
    desk.cut_after = rows_before_death
    command = AddSilence(
        id="8d2c7f5e-0002", matchers=("alertname=a",), ends_at_ms=400_000, created_by="ana", comment="x"
    )
    desk.or_take_over(lambda: desk.command(command))
    desk.command(command)
    assert [one.by for one in desk.desk.suppressions(A, desk.now_ms)] == [command.id]
    assert list(desk.desk.silences) == [command.id]
