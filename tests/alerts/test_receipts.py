"""Delivery receipts: every decision about an alert, in order, in bounded room, over a takeover too."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import history as histories
from alerts.alert import AlertUpsert, fingerprint
from alerts.config import Config, parse
from alerts.decision import Decision, Reason, Stage
from alerts.outcome import Failed, Retry, Sent

A = fingerprint({"alertname": "a", "model": "m"})
PLACE = "ops/webhook/0"


def config() -> Config:
    root = {"receiver": "ops", "group_by": ["model"], "repeat_interval": "1h"}
    return parse(
        {
            # Nothing refreshes the alerts of these tests.
            "global": {"no_data_after": "1d"},
            "route": root,
            "receivers": [{"name": "ops", "webhook_configs": [{"url": "http://localhost/"}]}],
            "inhibit_rules": [
                {"source_matchers": ["alertname=down"], "target_matchers": ["alertname=a"]},
            ],
        }
    )


@pytest.fixture
def desk(world: Any) -> Any:
    return world(config())


def receipt(desk: Any) -> tuple[Decision, ...]:
    found: tuple[Decision, ...] = desk.desk.receipts(A)
    return found


def reasons(desk: Any) -> list[str]:
    return [one.reason.name for one in receipt(desk)]


def test_the_whole_way_of_an_alert_stands_in_order(desk: Any) -> None:
    desk.now_ms = 120_000
    upsert = {
        "status": "firing", "labels": {"alertname": "a", "model": "m", "severity": "warning"},
        "starts_at_ms": 120_000, "pending_since_ms": 0, "pane_end_ms": 120_000, "sequence": 1,
    }  # fmt: skip
    desk.upsert("firing", "down")
    desk.take(AlertUpsert.model_validate(upsert))
    desk.run_until(160)
    desk.upsert("resolved", "down")
    desk.outcomes[PLACE] = [Retry(0, "the webhook answered 503", maybe_delivered=True), Sent({"ts": "17.1"})]
    desk.run_until(460)
    desk.ack("a")
    desk.silence(600, "alertname=a")
    desk.run_until(760)
    desk.upsert("resolved", "a")
    desk.run_until(1100)
    assert reasons(desk) == [
        "PENDING", "NEW", "ROUTED", "WAITS_FOR_GROUP", "INHIBITED", "JOINED", "RETRY", "OUTCOME_UNKNOWN", "SENT",
        "ACKNOWLEDGED", "SILENCE_SET", "SILENCED", "RESOLVED", "SOME_RESOLVED", "SENT",
    ]  # fmt: skip
    found = {one.reason: one for one in receipt(desk)}
    assert found[Reason.PENDING].at_ms == 0
    assert "inhibited by" in found[Reason.INHIBITED].detail
    assert found[Reason.RETRY].detail.startswith("the webhook answered 503; next try 1970-01-01T00:07:31")
    assert found[Reason.OUTCOME_UNKNOWN].detail == "try 2, marked as a possible repeat"
    assert [one.at_ms for one in receipt(desk)] == sorted(one.at_ms for one in receipt(desk))


def test_what_is_sent_bears_the_id_its_receiver_gets_and_the_one_it_gave(desk: Any) -> None:
    desk.upsert("firing", "a")
    desk.outcomes[PLACE] = [Sent({"channel": "C1", "ts": "17.1", "told": "x"})]
    desk.run_until(40)
    told, sent = receipt(desk)[-2:]
    assert (told.reason, sent.reason, sent.where) == (Reason.FIRST, Reason.SENT, PLACE)
    assert told.message == sent.message == desk.tries[0].key
    assert sent.detail == "channel C1, ts 17.1"


def test_an_hour_of_tries_is_two_lines_with_the_last_reason(desk: Any) -> None:
    desk.outcomes[PLACE] = [*[Retry(0, "nobody answers")] * 12, Retry(0, "the webhook answered 503")]
    desk.upsert("firing", "a")
    desk.run_until(3600)
    assert len(desk.tries) == 14
    assert reasons(desk)[-3:] == ["FIRST", "RETRY", "SENT"]
    told, again, _ = receipt(desk)[-3:]
    assert (told.times, told.since_ms, told.at_ms) == (14, 30_000, int(desk.tries[-1].at_s * 1000))
    assert again.times == 13
    assert "503" in again.detail


def test_a_refusal_is_told_apart_from_a_try_that_may_have_arrived(desk: Any) -> None:
    desk.outcomes[PLACE] = [Failed("the webhook answered 404; check its address and rights")]
    desk.upsert("firing", "a")
    desk.run_until(40)
    assert reasons(desk)[-2:] == ["FIRST", "FAILED"]
    assert "404" in receipt(desk)[-1].detail


def test_after_a_crash_it_says_that_nobody_knows_what_came_of_a_message(desk: Any) -> None:
    desk.outcomes[PLACE] = [None]
    desk.upsert("firing", "a")
    desk.run_until(40)
    desk.crash()
    desk.run_until(60)
    assert reasons(desk)[-4:] == ["FIRST", "TAKEN_OVER", "OUTCOME_UNKNOWN", "SENT"]
    assert receipt(desk)[-3].message == desk.tries[0].key


def test_it_outlasts_the_alert_by_a_week_and_takeovers(desk: Any) -> None:
    desk.upsert("firing", "a")
    desk.run_until(40)
    desk.upsert("resolved", "a")
    desk.run_until(400)
    before = receipt(desk)
    desk.crash()
    assert receipt(desk) == before
    desk.run_until(7 * 86_400)
    desk.tick()
    assert receipt(desk) == before
    desk.run_until(7 * 86_400 + 400)
    desk.tick()
    assert receipt(desk) == ()


def test_a_week_later_an_alert_that_fires_again_is_told_though_its_judge_began_anew(desk: Any) -> None:
    desk.upsert("firing", "a")
    desk.run_until(40)
    desk.upsert("resolved", "a")
    desk.run_until(400)
    labels = {"alertname": "a", "model": "m", "severity": "warning"}
    old = AlertUpsert(status="firing", labels=labels, starts_at_ms=0, pane_end_ms=0, sequence=1)
    desk.take(old)
    assert not desk.desk.alerts[A].firing
    desk.run_until(4200)
    desk.take(old)
    assert desk.desk.alerts[A].firing
    assert reasons(desk)[-3:] == ["REOPENED", "ROUTED", "WAITS_FOR_GROUP"]


def test_rows_of_before_are_read(desk: Any) -> None:
    desk.upsert("firing", "a")
    key, row = next((key, row) for key, row in desk.rows.items() if key.startswith("alert/"))
    for new in (b',"left_out":0', b',"since_ms":null', b',"message":""', b',"pending_since_ms":null'):
        assert new in row
        row = row.replace(new, b"")
    desk.rows[key] = row
    desk.crash()
    assert reasons(desk) == ["NEW", "ROUTED", "WAITS_FOR_GROUP"]


_DECISIONS = st.lists(
    st.builds(
        Decision,
        at_ms=st.just(0),
        stage=st.sampled_from([Stage.DELIVER, Stage.REMEMBER, Stage.SUPPRESS]),
        reason=st.sampled_from([Reason.FIRST, Reason.SENT, Reason.RETRY, Reason.REFRESHED, Reason.SILENCED]),
        where=st.sampled_from(["", "p", "q"]),
    ),
    max_size=200,
)


@given(_DECISIONS)
def test_a_history_is_bounded_keeps_its_beginning_and_counts_every_decision(
    decisions: list[Decision],
) -> None:
    history: list[Decision] = []
    left_out = 0
    for at_ms, decision in enumerate(decisions):
        given_now = Decision(at_ms, decision.stage, decision.reason, decision.where)
        before = history
        history, more = histories.kept(histories.added(history, given_now))
        left_out += more
        assert len(history) <= histories.HISTORY_KEPT
        assert any(one.at_ms == at_ms and one.reason is decision.reason for one in history)
        assert [one.reason for one in history[:12]][: len(before)] == [one.reason for one in before[:12]]
    assert sum(one.times for one in history) + left_out <= len(decisions)
    if not left_out:
        assert sum(one.times for one in history) == len(decisions)
