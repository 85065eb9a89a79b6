"""Where a receiver refuses for good, its fallback is told as well. group_wait 30 s, group_interval 300 s."""

import asyncio
import json
import logging
from typing import Any

import pytest
from aiohttp import ClientSession, web
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.alert import AlertUpsert, fingerprint
from alerts.config import Config, parse
from alerts.decision import Reason
from alerts.desk import Desk
from alerts.notification import Notification, NotifiedAlert
from alerts.outcome import Failed, Outcome, Retry, Sent
from alerts.receivers.email_message import message
from alerts.receivers.log import line
from alerts.receivers.pagerduty_event import encode
from alerts.receivers.registry import Receivers
from alerts.receivers.slack_blocks import blocks, reply

A = fingerprint({"alertname": "a", "model": "m"})
OPS, BACKUP = "ops/webhook/0", "backup/webhook/0"
NO = Failed("the webhook answered 404; check its address and rights")


def config(**more: Any) -> Config:
    receivers = [
        {"name": name, "webhook_configs": [{"url": f"http://localhost/{name}"}]}
        for name in ("ops", "backup", "last")
    ]
    receivers[0]["fallback"] = "backup"
    receivers[1]["fallback"] = "last"
    root = {"receiver": "ops", "group_by": ["model"], "repeat_interval": "1h"}
    return parse({"route": root, "receivers": receivers, **more})


def told(desk: Any) -> list[tuple[float, str, str]]:
    return [(one.at_s, one.place.partition("/")[0], one.words) for one in desk.tries]


@pytest.fixture
def desk(world: Any) -> Any:
    made = world(config())
    made.outcomes[OPS] = [NO] * 3
    made.upsert("firing", "a")
    return made


def test_the_fallback_is_told_at_once_and_goes_on_while_the_refusal_lasts(desk: Any) -> None:
    desk.run_until(40)
    assert told(desk) == [(30, "ops", "+a"), (30, "backup", "+a")]
    desk.upsert("firing", "b")
    desk.run_until(340)
    assert told(desk)[2:] == [(330, "ops", "+a +b"), (330, "backup", "+a +b")]


def test_once_the_receiver_takes_something_again_the_fallback_hears_only_ends(desk: Any) -> None:
    desk.run_until(700)
    assert told(desk)[-2:] == [(330, "ops", "+a"), (630, "ops", "+a")]
    desk.run_until(940)
    desk.upsert("firing", "c")
    desk.run_until(1300)
    assert told(desk)[-2:] == [(930, "ops", "+a"), (1230, "ops", "+a +c")]
    desk.upsert("resolved", "a")
    desk.run_until(20_000)
    of_backup = [one for one in told(desk) if one[1] == "backup"]
    assert of_backup == [(30, "backup", "+a"), (1530, "backup", "-a")]


def test_a_refusal_after_one_that_was_over_calls_the_fallback_again(desk: Any) -> None:
    desk.outcomes[OPS] = [NO, Sent(), NO]
    desk.run_until(400)
    desk.upsert("firing", "b")
    desk.run_until(640)
    assert told(desk)[2:] == [(330, "ops", "+a"), (630, "ops", "+a +b"), (630, "backup", "+a +b")]


def test_what_a_fallback_refuses_goes_to_nobody_else(desk: Any) -> None:
    desk.outcomes[BACKUP] = [NO]
    desk.run_until(340)
    assert told(desk) == [
        (30, "ops", "+a"), (30, "backup", "+a"), (330, "ops", "+a"), (330, "backup", "+a"),
    ]  # fmt: skip


def test_what_may_succeed_yet_goes_to_no_fallback(desk: Any) -> None:
    desk.outcomes[OPS] = [Retry(0, "down")] * 4
    desk.run_until(300)
    assert {place for _, place, _ in told(desk)} == {"ops"}


def test_the_global_fallback_holds_for_all_but_itself(world: Any) -> None:
    receivers = [
        {"name": name, "webhook_configs": [{"url": "http://localhost/"}]} for name in ("ops", "backup")
    ]
    made = parse({"global": {"fallback": "backup"}, "route": {"receiver": "ops"}, "receivers": receivers})
    assert made.fallbacks() == {"ops": "backup"}
    desk = world(made)
    desk.outcomes[OPS] = [NO]
    desk.upsert("firing", "a")
    desk.run_until(31)
    assert told(desk) == [(30, "ops", "+a"), (30, "backup", "+a")]


@pytest.mark.parametrize(
    ("receiver", "words"),
    [("nobody", "no receiver named 'nobody'; there are: ops"), ("ops", "cannot stand in for itself")],
)
def test_a_fallback_is_another_receiver_that_exists(receiver: str, words: str) -> None:
    only = {"name": "ops", "log_configs": [{}], "fallback": receiver}
    with pytest.raises(ValidationError, match=words):
        parse({"route": {"receiver": "ops"}, "receivers": [only]})


def test_the_history_says_who_refused_and_why(desk: Any) -> None:
    desk.run_until(31)
    noted = [(one.reason, one.where, one.detail) for one in desk.desk.receipts(A)]
    assert (Reason.FELL_BACK, "backup", f"{OPS} refused: {NO.reason}") in noted
    assert (Reason.SENT, BACKUP, "ts 30000") in noted


def test_a_takeover_neither_forgets_the_fallback_nor_tells_it_twice(desk: Any) -> None:
    desk.run_until(31)
    desk.crash()
    desk.run_until(1000)
    desk.upsert("resolved", "a")
    desk.run_until(2000)
    assert [one for one in told(desk) if one[1] == "backup"] == [(30, "backup", "+a"), (1230, "backup", "-a")]


def test_rows_of_before_are_read(desk: Any) -> None:
    desk.outcomes.clear()
    desk.run_until(31)
    for key, row in desk.rows.items():
        if key.startswith("group/"):
            held = json.loads(row)
            desk.rows[key] = json.dumps(
                {name: value for name, value in held.items() if name not in ("refusals", "fallbacks")}
            ).encode()
    desk.crash()
    desk.upsert("resolved", "a")
    desk.run_until(400)
    assert desk.timeline() == [(30, "+a"), (330, "-a")]


def test_a_receiver_that_is_no_longer_a_fallback_still_hears_the_end(desk: Any) -> None:
    desk.run_until(31)
    bare = [
        {"name": name, "webhook_configs": [{"url": f"http://localhost/{name}"}]} for name in ("ops", "backup")
    ]
    desk.reconfigure(config(receivers=bare))
    desk.upsert("firing", "b")
    desk.run_until(400)
    desk.upsert("resolved", "a")
    desk.run_until(1000)
    assert [one for one in told(desk) if one[1] == "backup"] == [(30, "backup", "+a"), (630, "backup", "-a")]


outcomes: st.SearchStrategy[Outcome] = st.sampled_from(
    [NO, NO, Sent(), Retry(0, "down"), Retry(0, "cut", True)]
)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["firing", "firing", "resolved"]), st.sampled_from("abc")),
        st.tuples(st.just("wait"), st.sampled_from([1, 31, 100, 301, 1000])),
        st.tuples(st.just("outcomes"), st.sampled_from([OPS, BACKUP]), st.lists(outcomes, max_size=4)),
        st.tuples(st.just("crash")),
    ),
    max_size=20,
)  # fmt: skip


def believed(desk: Any, place: str) -> set[str]:
    names: set[str] = set()
    for one in desk.tries:
        if one.place == place and one.arrived:
            names = {name for name, status, _ in one.content if status == "firing"}
    return names


@given(steps=steps, refuses=st.booleans())
@settings(max_examples=150)
def test_somebody_believes_what_fires_and_nobody_what_is_over(
    world: Any, steps: list[tuple[Any, ...]], refuses: bool
) -> None:
    desk = world(config())
    for step in steps:
        match step:
            case "wait", seconds:
                desk.run_until(desk.now_ms / 1000 + seconds)
            case "outcomes", place, given_outcomes:
                desk.outcomes.setdefault(place, []).extend(given_outcomes)
            case ("crash",):
                desk.crash()
            case status, name:
                desk.upsert(status, name)
    desk.outcomes.clear()
    desk.outcomes.update({OPS: [NO] * 100} if refuses else {})
    desk.run_until(desk.now_ms / 1000 + 3599)
    firing = {one.upsert.labels["alertname"] for one in desk.desk.alerts.values() if one.firing}
    assert believed(desk, BACKUP) <= firing
    assert firing <= believed(desk, OPS) | believed(desk, BACKUP)
    assert refuses or believed(desk, OPS) == firing
    assert not any(one.place.startswith("last") for one in desk.tries)


NOTE = f"{OPS} refused this notification: {NO.reason}"


def test_every_kind_of_receiver_shows_the_note() -> None:
    alert = NotifiedAlert("f1", "firing", {"alertname": "Drift", "model": "churn"}, {"summary": "s"}, 0, None)
    shown = Notification("{}:{}", "backup", {}, (alert,), Reason.FIRST, "k", notes=(NOTE,))
    one = parse(
        {
            "global": {"smtp_smarthost": "localhost:25", "smtp_from": "d@example.org"},
            "route": {"receiver": "r"},
            "receivers": [
                {
                    "name": "r",
                    "pagerduty_configs": [{"routing_key": "k" * 32}],
                    "email_configs": [{"to": "a@example.org"}],
                }
            ],
        }
    )
    pager, mail = (place.config for place in one.integrations()["r"])
    assert json.loads(encode(shown, pager, "k"))["payload"]["custom_details"]["notes"] == [NOTE]
    text, html = (part.get_content() for part in message(shown, mail, "", 0).iter_parts())
    assert NOTE in text
    assert NOTE in html
    assert NOTE in line(shown, alert)
    assert NOTE in json.dumps(blocks(shown))
    assert NOTE in reply(shown)
    assert NOTE in shown.text


async def test_a_webhook_that_answers_404_is_told_of_by_another_without_its_secret(
    stub: Any, session: ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stub.answers = [web.Response(status=404, text="no such hook: s3cret")]
    hooks = [
        {"name": "ops", "fallback": "backup", "webhook_configs": [{"url": f"{stub.url}/s3cret"}]},
        {"name": "backup", "webhook_configs": [{"url": f"{stub.url}/backup"}]},
    ]
    made = parse({"route": {"receiver": "ops"}, "receivers": hooks})
    desk, receivers = Desk(made), Receivers(made, session)
    labels = {"alertname": "Drift", "model": "churn", "severity": "critical"}
    desk.upsert(AlertUpsert(status="firing", labels=labels, starts_at_ms=0, pane_end_ms=0, sequence=1), 0)
    for at_ms in (30_000, 30_200):
        for delivery in desk.tick(at_ms):
            outcome = await asyncio.wait_for(receivers.send(delivery), 10)
            desk.settled(delivery.id, outcome, at_ms + 100)
    assert [path for path, _, _ in stub.requests] == ["/s3cret", "/backup"]
    body = stub.requests[1][2]
    assert body["receiver"] == "backup"
    assert body["alerts"][0]["annotations"] == {"note": NOTE}
    assert body["commonAnnotations"] == {"note": NOTE}
    logged = [one.getMessage() for one in caplog.records if one.name != "aiohttp.access"]
    assert "s3cret" not in json.dumps(body) + " ".join(logged)
    noted = [one.detail for one in desk.receipts(fingerprint(labels))]
    assert not any("s3cret" in one for one in noted)
