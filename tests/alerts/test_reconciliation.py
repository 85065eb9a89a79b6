"""A try that may have arrived is asked after where the receiver can be asked. group_wait 30 s, group_interval 300 s."""

import json
from typing import Any

import pytest

from alerts.alert import fingerprint
from alerts.config import parse
from alerts.decision import Reason
from alerts.outcome import Failed, Found, Missing, Retry, Sent, Unknowable

A = fingerprint({"alertname": "a", "model": "m"})
SLACK, HOOK = "ops/slack/0", "ops/webhook/0"
LOST = Retry(0, "no answer", maybe_delivered=True)


@pytest.fixture
def desk(world: Any) -> Any:
    root = {"receiver": "ops", "group_by": ["model"], "repeat_interval": "1h"}
    ops = {
        "name": "ops",
        "slack_configs": [{"channel": "C1", "token": "xoxb-1"}],
        "webhook_configs": [{"url": "http://localhost/"}],
    }
    made = world(parse({"route": root, "receivers": [ops]}))
    made.upsert("firing", "a")
    return made


def tries(desk: Any, place: str = SLACK) -> list[tuple[float, str, Reason]]:
    return [(one.at_s, one.words, one.reason) for one in desk.tries if one.place == place]


def reasons(desk: Any) -> list[Reason]:
    return [one.reason for one in desk.desk.receipts(A) if one.where == SLACK]


def test_what_it_has_is_sent_and_not_sent_again(desk: Any) -> None:
    desk.outcomes[SLACK] = [None, Found({"channel": "C1", "ts": "7"})]
    desk.run_until(31)
    desk.crash()
    desk.run_until(3_000)
    # Not before what was on its way is there.
    assert tries(desk) == [(30, "+a", Reason.FIRST), (35, "+a", Reason.ASKED)]
    assert reasons(desk)[-1] is Reason.RECONCILED
    (ledger,) = [json.loads(row) for key, row in desk.rows.items() if key.endswith(SLACK)]
    assert (ledger["state"], ledger["reference"], ledger["generation"]) == (
        "SENT",
        {"channel": "C1", "ts": "7"},
        1,
    )
    # Repeats count from when it was sent.
    desk.run_until(3_640)
    assert tries(desk)[2:] == [(3_630, "+a", Reason.REPEAT)]


def test_what_it_does_not_have_is_sent_unmarked(desk: Any) -> None:
    desk.outcomes[SLACK] = [None, Missing()]
    desk.run_until(31)
    desk.crash()
    desk.run_until(3_000)
    assert tries(desk) == [(30, "+a", Reason.FIRST), (35, "+a", Reason.ASKED), (35, "+a", Reason.FIRST)]
    first, _, again = (one for one in desk.tries if one.place == SLACK)
    assert first.key == again.key
    assert Reason.NOT_ARRIVED in reasons(desk)


def test_where_it_cannot_be_asked_the_next_is_marked(desk: Any) -> None:
    desk.outcomes[SLACK] = [None, Unknowable("missing scope")]
    desk.run_until(31)
    desk.crash()
    desk.run_until(3_000)
    assert tries(desk)[1:] == [(35, "+a", Reason.ASKED), (35, "+a?", Reason.OUTCOME_UNKNOWN)]
    assert Reason.CANNOT_ASK in reasons(desk)


def test_other_receivers_are_told_again_marked_as_ever(desk: Any) -> None:
    desk.outcomes[HOOK] = [None]
    desk.run_until(31)
    desk.crash()
    desk.run_until(3_000)
    assert tries(desk, HOOK) == [(30, "+a", Reason.FIRST), (31, "+a?", Reason.OUTCOME_UNKNOWN)]


def test_a_connection_that_breaks_is_asked_after_too(desk: Any) -> None:
    desk.outcomes[SLACK] = [LOST, Missing(), LOST, Found({"ts": "7"})]
    desk.run_until(3_000)
    assert tries(desk) == [
        (30, "+a", Reason.FIRST), (35, "+a", Reason.ASKED), (35, "+a", Reason.FIRST), (40, "+a", Reason.ASKED),
    ]  # fmt: skip


def test_an_alert_waits_for_three_questions_at_most(desk: Any) -> None:
    desk.outcomes[SLACK] = [LOST, LOST, Retry(0, "cannot be reached"), LOST]
    desk.run_until(3_000)
    assert [reason for *_, reason in tries(desk)] == [
        Reason.FIRST, Reason.ASKED, Reason.ASKED, Reason.ASKED, Reason.OUTCOME_UNKNOWN,
    ]  # fmt: skip
    assert tries(desk)[-1][0] < 60


@pytest.mark.parametrize("answer", [Failed("token_file: cannot read"), Sent({"ts": "8"})])
def test_any_other_answer_tells_nothing(desk: Any, answer: Any) -> None:
    desk.outcomes[SLACK] = [LOST, answer]
    desk.run_until(3_000)
    assert tries(desk)[-1][1:] == ("+a?", Reason.OUTCOME_UNKNOWN)


def test_what_changed_since_is_told_once_it_is_known(desk: Any) -> None:
    desk.outcomes[SLACK] = [LOST, Found({"ts": "7"})]
    desk.run_until(31)
    desk.upsert("firing", "b")
    desk.upsert("resolved", "a")
    desk.run_until(400)
    assert tries(desk)[2:] == [(35, "-a +b", Reason.JOINED)]


def test_a_crash_while_asking_asks_again_for_the_same(desk: Any) -> None:
    desk.outcomes[SLACK] = [None, None, Found({"ts": "7"})]
    desk.run_until(31)
    desk.crash()
    desk.run_until(36)
    asked = [delivery.asks_for for delivery in desk.out]
    desk.crash()
    desk.run_until(300)
    assert tries(desk)[1:] == [(35, "+a", Reason.ASKED), (36, "+a", Reason.ASKED)]
    assert asked == [next(one.key for one in desk.tries if one.place == SLACK)]


def test_the_groups_turn_waits_for_the_answer(desk: Any) -> None:
    desk.run_until(40)
    desk.outcomes[SLACK] = [None]
    desk.upsert("firing", "b")
    desk.run_until(331)
    desk.crash()
    desk.outcomes[SLACK] = [None, Found({"ts": "7"})]
    desk.run_until(1_000)
    assert [reason for *_, reason in tries(desk)] == [Reason.FIRST, Reason.JOINED, Reason.ASKED]
    desk.settle(desk.out[0], Found({"ts": "7"}))
    desk.run_until(2_000)
    assert len(tries(desk)) == 3


def test_a_finding_nobody_asked_for_is_a_defect(desk: Any) -> None:
    desk.outcomes[SLACK] = [None]
    desk.run_until(31)
    with pytest.raises(TypeError):
        desk.settle(desk.out[0], Missing())
