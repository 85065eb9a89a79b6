"""Pushed alerts: what is told, and when, with group_wait 30 s, group_interval 300 s and resolve_timeout 300 s."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts import alert as judged
from alerts.answer import Answer
from alerts.command import PushAlerts
from alerts.config import Config, parse
from alerts.decision import Reason
from alerts.pushed import MAX_BYTES, Pushed, Span, fingerprint, merge


def config(resolve_timeout: str = "5m", **route: Any) -> Config:
    return parse(
        {
            "global": {"resolve_timeout": resolve_timeout},
            "route": {"receiver": "ops", "group_by": ["model"], "repeat_interval": "1h"} | route,
            "receivers": [{"name": "ops", "webhook_configs": [{"url": "http://localhost/"}]}],
            "inhibit_rules": [
                {
                    "source_matchers": ["alertname=down"],
                    "target_matchers": ["alertname=slow"],
                    "equal": ["model"],
                }
            ],
        }
    )


@pytest.fixture
def desk(world: Any) -> Any:
    return world(config())


def alert(
    name: str = "a", *, start_s: float | None = None, end_s: float | None = None, **more: Any
) -> Pushed:
    labels = {"alertname": name, "model": "m", "severity": "warning"} | more.pop("labels", {})
    return Pushed(
        labels=labels,
        starts_at_ms=None if start_s is None else int(start_s * 1000),
        ends_at_ms=None if end_s is None else int(end_s * 1000),
        **more,
    )


def push(desk: Any, *alerts: Pushed) -> Answer:
    desk.asked += 1
    answer: Answer = desk.command(PushAlerts(id=f"command-{desk.asked}", alerts=alerts))
    return answer


def a_of(**more: Any) -> str:
    return alert(**more).fingerprint


A = a_of()


def test_one_without_an_end_is_over_when_it_is_not_pushed_again(desk: Any) -> None:
    assert push(desk, alert()).code == "done"
    desk.run_until(200)
    push(desk, alert())
    desk.run_until(3000)
    # Pushed last at 200 s, so over at 500 s; told at the group's next turn.
    assert desk.timeline() == [(30, "+a"), (630, "-a")]
    record = desk.desk.alerts[A]
    assert (record.upsert.starts_at_ms, record.upsert.ends_at_ms) == (0, 500_000)
    assert [one.reason for one in desk.desk.receipts(A)].count(Reason.EXPIRED) == 1


def test_one_with_an_end_is_over_then(desk: Any) -> None:
    push(desk, alert(end_s=100))
    desk.run_until(99)
    assert desk.desk.alerts[A].firing
    desk.run_until(1000)
    assert desk.timeline() == [(30, "+a"), (330, "-a")]


def test_one_that_is_pushed_as_over_is_over_at_once(desk: Any) -> None:
    push(desk, alert(start_s=0))
    desk.run_until(60)
    push(desk, alert(start_s=0, end_s=60))
    assert not desk.desk.alerts[A].firing
    desk.run_until(1000)
    assert desk.timeline() == [(30, "+a"), (330, "-a")]


def test_what_is_over_and_was_never_known_is_told_to_nobody(desk: Any) -> None:
    desk.run_until(100)
    assert push(desk, alert(end_s=50)).code == "done"
    assert desk.desk.alerts == {}
    desk.run_until(1000)
    assert desk.timeline() == []


def test_an_end_without_a_start_begins_there(desk: Any) -> None:
    push(desk, alert(end_s=400))
    assert desk.desk.alerts[A].upsert.starts_at_ms == 400_000


def test_the_newest_annotations_and_the_earliest_start_count(desk: Any) -> None:
    push(desk, alert(start_s=0, annotations={"summary": "x", "more": "y"}, generator_url="http://p/1"))
    desk.run_until(20)
    push(desk, alert(annotations={"summary": "z"}, generator_url="http://p/2"))
    upsert = desk.desk.alerts[A].upsert
    assert (upsert.starts_at_ms, upsert.annotations) == (0, {"summary": "z"})
    desk.run_until(40)
    assert desk.desk.alerts[A].generator_url == "http://p/2"


def test_severities_are_two_alerts(desk: Any) -> None:
    push(desk, alert(), alert(labels={"severity": "critical"}))
    desk.run_until(60)
    push(desk, alert(end_s=60), alert(labels={"severity": "critical"}))
    desk.run_until(340)
    assert desk.timeline() == [(30, "+a +a"), (330, "+a -a")]
    assert desk.tries[-1].content == (("a", "firing", "critical"), ("a", "resolved", "warning"))


def test_a_judges_alert_and_a_pushed_one_with_its_labels_are_two(desk: Any) -> None:
    desk.upsert("firing", "a")
    push(desk, alert(end_s=100))
    desk.run_until(400)
    assert desk.timeline() == [(30, "+a +a"), (330, "+a -a")]
    assert judged.fingerprint({"alertname": "a", "model": "m"}) in desk.desk.firing


def test_one_that_has_fired_for_long_is_told_at_once_as_its_group_is_new(desk: Any) -> None:
    desk.run_until(1000)
    push(desk, alert(start_s=100), alert("b"))
    desk.run_until(1400)
    push(desk, alert("c", start_s=100), alert("d"))
    desk.run_until(1500)
    push(desk, alert("e", start_s=100))
    desk.run_until(1700)
    # All were over at 1,300 s, so the group began anew; at 1,500 s it had been told, and has its turns.
    assert desk.timeline() == [(1000, "+a +b"), (1300, "-a -b"), (1400, "+c +d"), (1700, "-c -d +e")]


def test_pushed_alerts_are_inhibited_silenced_and_acknowledged_as_others_are(desk: Any) -> None:
    desk.upsert("firing", "down")
    push(desk, alert("slow"), alert("b"), alert("c"))
    desk.silence(7200, "alertname=b")
    desk.run_until(60)
    assert desk.timeline() == [(30, "+c +down")]
    kinds = {
        name: [one.kind for one in desk.desk.suppressions(a_of(name=name), desk.now_ms)]
        for name in ("slow", "b")
    }
    assert kinds == {"slow": ["inhibited"], "b": ["silenced"]}


@pytest.mark.parametrize("died_at_s", [10, 60, 310])
def test_pushed_alerts_and_their_ends_survive_a_takeover(desk: Any, died_at_s: float) -> None:
    push(desk, alert(end_s=900, generator_url="http://p/1"), alert("b"))
    desk.run_until(died_at_s)
    desk.crash()
    assert desk.desk.alerts[A].generator_url == "http://p/1"
    desk.run_until(3000)
    told = [words for _, words in desk.timeline()]
    # Before the first word, b is over late: for resolve_timeout after a takeover nothing ends by itself.
    assert (told[0], told[-1], len(told)) == ("+a +b", "-a", 3)


def test_what_ended_while_no_desk_was_there_to_be_told_may_be_pushed_again_first(desk: Any) -> None:
    push(desk, alert())
    desk.run_until(60)
    desk.now_ms = 1_000_000
    desk.crash()
    desk.run_until(1100)
    push(desk, alert(start_s=0))
    desk.run_until(1390)
    assert [words for _, words in desk.timeline()] == ["+a"]
    desk.run_until(3000)
    assert [words for _, words in desk.timeline()] == ["+a", "-a"]


def test_a_push_that_is_read_again_changes_nothing(desk: Any) -> None:
    command = PushAlerts(id="command-x", alerts=(alert(end_s=100),))
    first = desk.command(command)
    desk.run_until(400)
    desk.crash()
    assert desk.command(command) == first
    assert not desk.desk.alerts[A].firing


def test_rows_of_alerts_that_nobody_pushed_have_nothing_new_and_load(desk: Any) -> None:
    desk.upsert("firing", "a")
    push(desk, alert())
    own = judged.fingerprint({"alertname": "a", "model": "m"})
    assert "push" not in json.loads(desk.rows[f"alert/{own}"])
    assert json.loads(desk.rows[f"alert/{A}"])["push"]["timeout"] is True
    desk.crash()
    assert (desk.desk.alerts[own].push, desk.desk.alerts[A].push.ends_at_ms) == (None, 300_000)


def test_there_is_room_for_some_and_the_others_are_named_and_the_judges_are_taken(world: Any) -> None:
    desk = world(config(), max_alerts=6)
    answer = push(desk, *[alert(name, end_s=9000) for name in "abcdefg"])
    assert answer.code == "refused"
    assert "2 of 7 alerts not taken: the desk holds 5, and takes pushed ones up to 5" in answer.sentence
    assert '"alertname": "f"' in answer.sentence
    assert push(desk, alert("a", end_s=9000, annotations={"summary": "again"})).code == "done"
    desk.upsert("firing", "own")
    assert len(desk.desk.firing) == 6
    desk.run_until(40)
    push(desk, alert("a", end_s=40), alert("b", end_s=40))
    # That they are over is still to be told.
    assert push(desk, alert("f")).code == "refused"
    desk.run_until(400)
    assert push(desk, alert("f")).code == "done"


def test_labels_made_to_hit_one_of_driftlines_own_do_not_change_it(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.upsert("firing", "a")
    own = judged.fingerprint({"alertname": "a", "model": "m"})
    monkeypatch.setattr("alerts.pushed.fingerprint", lambda labels: own)
    assert push(desk, alert(end_s=0)).code == "refused"
    assert desk.desk.alerts[own].firing


def test_nothing_is_due_once_all_that_was_pushed_is_over(desk: Any) -> None:
    push(desk, alert(end_s=3000))
    assert desk.desk.next_due_ms() == 30_000
    desk.run_until(3400)
    assert desk.desk.next_due_ms() is None


# The words of a push.


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"labels": {}}, "no label"), ({"labels": {"a": ""}}, "no label"),
        ({"labels": {"a-b": "c"}}, "cannot be a name"), ({"labels": {"1a": "c"}}, "cannot be a name"),
        ({"labels": {"a": "b"}, "annotations": {"": "x"}}, "cannot be a name"),
        ({"labels": {"a": "\ud800"}}, "surrogate"), ({"labels": {"a": 1}}, "string"),
        ({"labels": {"a": "b"}, "starts_at_ms": 2, "ends_at_ms": 1}, "ends before it starts"),
        ({"labels": {"a": "b"}, "annotations": {"x": "y" * MAX_BYTES}}, "shorten"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_alert_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Pushed.model_validate(given)


def test_empty_labels_are_left_out_whatever_their_name() -> None:
    assert Pushed(labels={"a": "b", "c-d": ""}).labels == {"a": "b"}


def test_fingerprints_are_alertmanagers() -> None:
    """As Alertmanager 0.25 gave it."""
    assert fingerprint({"severity": "critical", "job": "é", "alertname": "Down"}) == "e8851133a373487b"


# Two pushes of one alert.

times = st.integers(0, 20)
spans = st.builds(
    lambda start, length, timeout: Span(start, start + length, timeout), times, times, st.booleans()
)


@given(spans, spans, times)
def test_a_merge_begins_no_later_and_ends_as_the_newer_says_unless_a_later_end_was_named(
    held: Span, pushed: Span, now: int
) -> None:
    merged = merge(held, pushed, now)
    assert merged.starts_at_ms <= pushed.starts_at_ms
    assert merged.ends_at_ms in (held.ends_at_ms, pushed.ends_at_ms)
    if not held.overlaps(pushed):
        assert merged == pushed
        return
    assert merged.starts_at_ms == min(held.starts_at_ms, pushed.starts_at_ms)
    assert merged.ends_at_ms >= pushed.ends_at_ms
    if pushed.over(now):
        assert merged.over(now)
    if held.timeout and not pushed.over(now):
        assert merged.ends_at_ms == pushed.ends_at_ms


@given(spans, times)
def test_the_same_push_again_changes_nothing(one: Span, now: int) -> None:
    assert merge(one, one, now) == one
