"""The Slack receiver against a stand-in that checks every message against Slack's limits."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import slack_api
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st
from slack_api import check_blocks, check_escapes

from alerts.decision import Reason
from alerts.notification import Notification, NotifiedAlert, rank
from alerts.outcome import Failed, Outcome, Retry, Sent
from alerts.receiver_config import SlackConfig
from alerts.receivers.slack import SlackReceiver
from alerts.receivers.slack_blocks import blocks, escape, fallback, reply

NINE = 1_795_424_400_000
TOKEN = "xoxb-secret-1"


def alert(
    name: str = "Drift", status: Any = "firing", change: Any = "joined", **labels: str
) -> NotifiedAlert:
    given_ = {"alertname": name, "model": "churn", "severity": "critical", **labels}
    annotations = {
        "summary": "age moved & <b>",
        "runbook_url": "/runbooks/Drift",
        "dashboard_url": "https://d.example/churn",
    }
    return NotifiedAlert(
        f"f-{name}", status, given_, annotations, NINE, NINE if status == "resolved" else None, change
    )


def told(*alerts: NotifiedAlert, reason: Reason = Reason.FIRST, **more: Any) -> Notification:
    base = "https://drift.example"
    return Notification(
        "{}:{}", "ops", {"model": "churn"}, rank(alerts), reason, "k-1", external_url=base, **more
    )


def check_request(path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
    slack_api.check_request(path, headers, body, TOKEN)
    assert body["metadata"]["event_payload"]["idempotency_key"] == "k-1"


@pytest.fixture
def slack(stub: Any) -> Any:
    stub.default = lambda path, body: {
        "ok": True,
        "channel": "C024BE91L",
        "ts": body.get("ts", "1503435956.000247"),
    }
    return stub


def receiver(slack: Any, session: ClientSession, **config: Any) -> SlackReceiver:
    given_ = {"channel": "#ml", "token": TOKEN, "api_url": f"{slack.url}/api", **config}
    return SlackReceiver(SlackConfig.model_validate(given_), session)


async def test_the_first_notification_is_one_message(slack: Any, session: ClientSession) -> None:
    outcome = await receiver(slack, session).send(told(alert()), None)
    assert outcome == Sent({"channel": "C024BE91L", "ts": "1503435956.000247"})
    ((path, headers, body),) = slack.requests
    check_request(path, headers, body)
    assert (path, body["channel"]) == ("/api/chat.postMessage", "#ml")
    header, section, context, actions = body["blocks"]
    assert header["text"]["text"] == "CRITICAL: Drift · churn"
    assert "age moved &amp; &lt;b&gt;" in section["text"]["text"]
    assert "since 2026-11-23 09:00:00 UTC" in section["text"]["text"]
    assert context["elements"][0]["text"] == "Group: model=churn"
    assert {button["text"]["text"]: button["url"] for button in actions["elements"]} == {
        "Runbook": "https://drift.example/runbooks/Drift",
        "Dashboard": "https://d.example/churn",
        "Silence": "https://drift.example/silences/new?matcher=alertname%3D%22Drift%22&matcher=model%3D%22churn%22",
    }


async def test_what_follows_updates_the_message_and_replies_in_its_thread(
    slack: Any, session: ClientSession
) -> None:
    reference = {"channel": "C024BE91L", "ts": "1.5"}
    follow_up = told(
        alert("A", change=""), alert("B"), alert("C", "resolved", "resolved"), reason=Reason.JOINED
    )
    assert await receiver(slack, session).send(follow_up, reference) == Sent(reference)
    (update_path, _, update), (reply_path, _, thread) = slack.requests
    for request in slack.requests:
        check_request(*request)
    assert (update_path, update["channel"], update["ts"]) == ("/api/chat.update", "C024BE91L", "1.5")
    assert (reply_path, thread["thread_ts"], thread["reply_broadcast"]) == (
        "/api/chat.postMessage",
        "1.5",
        False,
    )
    joined, over = thread["text"].split("\n")
    assert joined.startswith("*Now also firing:* B · churn")
    assert over.startswith("*Resolved:* C · churn")
    assert "A" not in thread["text"].replace("Also", "")


async def test_a_reminder_is_shown_to_the_whole_channel(slack: Any, session: ClientSession) -> None:
    again = told(alert(change=""), reason=Reason.REPEAT)
    await receiver(slack, session).send(again, {"channel": "C1", "ts": "1.5"})
    thread = slack.requests[1][2]
    assert thread["reply_broadcast"] is True
    assert thread["text"].startswith("*Still firing:* Drift")


async def test_a_message_that_was_deleted_is_posted_anew(slack: Any, session: ClientSession) -> None:
    slack.answers = [web.json_response({"ok": False, "error": "message_not_found"})]
    outcome = await receiver(slack, session).send(told(alert()), {"channel": "C1", "ts": "1.5"})
    assert outcome == Sent({"channel": "C024BE91L", "ts": "1503435956.000247"})
    assert [path for path, _, _ in slack.requests] == ["/api/chat.update", "/api/chat.postMessage"]


async def test_who_looks_after_it_is_shown_in_the_message_and_told_nobody(
    slack: Any, session: ClientSession
) -> None:
    kept = replace(alert(), acknowledged_by="ana <!here>", silenced_by="ben until 2026-11-23T12:00:00.000Z")
    reference = {"channel": "C1", "ts": "1.5"}
    shown = told(kept, reason=Reason.CARE_SHOWN)
    assert await receiver(slack, session).send(shown, reference) == Sent(reference)
    ((path, headers, body),) = slack.requests
    check_request(path, headers, body)
    assert path == "/api/chat.update"
    assert body["blocks"][1]["text"]["text"].endswith(
        "\n:eyes: Acknowledged by ana &lt;!here&gt;\n:no_bell: Silenced by ben until 2026-11-23T12:00:00.000Z"
    )


def test_words_of_ones_own_are_followed_by_who_looks_after_it() -> None:
    kept = [replace(alert(name), acknowledged_by="ana") for name in ("A", "B")]
    built = blocks(told(*kept, alert("C"), wording={"text": "age moved"}))
    check_blocks(built)
    assert [element["text"] for element in built[2]["elements"]] == [
        "Group: model=churn", ":eyes: Acknowledged by ana (2)",
    ]  # fmt: skip


async def test_a_message_that_is_gone_is_not_posted_to_show_it(slack: Any, session: ClientSession) -> None:
    slack.answers = [web.json_response({"ok": False, "error": "message_not_found"})]
    shown, reference = told(alert(), reason=Reason.CARE_SHOWN), {"channel": "C1", "ts": "1.5"}
    assert await receiver(slack, session).send(shown, reference) == Sent(reference)
    assert len(slack.requests) == 1
    assert await receiver(slack, session).send(shown, None) == Sent()
    assert len(slack.requests) == 1


async def test_a_reply_that_is_not_taken_makes_the_whole_be_tried_again(
    slack: Any, session: ClientSession
) -> None:
    limited = web.json_response(
        {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "3"}
    )
    slack.answers = [web.json_response({"ok": True, "channel": "C1", "ts": "1.5"}), limited]
    outcome = await receiver(slack, session).send(told(alert()), {"channel": "C1", "ts": "1.5"})
    assert outcome == Retry(3_000, "Slack asks to wait (ratelimited)")


ANSWERS: list[tuple[dict[str, Any], Outcome | type[Failed], str]] = [
    ({"data": {"ok": False, "error": "ratelimited"}, "status": 429, "headers": {"Retry-After": "30"}},
     Retry(30_000, "Slack asks to wait (ratelimited)"), ""),
    ({"data": {"ok": False, "error": "invalid_auth"}}, Failed, "bot token"),
    ({"data": {"ok": False, "error": "token_revoked"}}, Failed, "bot token"),
    ({"data": {"ok": False, "error": "channel_not_found"}}, Failed, "invite the bot"),
    ({"data": {"ok": False, "error": "missing_scope"}}, Failed, "chat:write"),
    ({"data": {"ok": False, "error": "novel_error"}}, Failed, "novel_error"),
    ({"data": {"ok": False, "error": "internal_error"}},
     Retry(0, "Slack answered internal_error", maybe_delivered=True), ""),
    ({"data": {}, "status": 503}, Retry(0, "Slack answered 503", maybe_delivered=True), ""),
    ({"data": {}, "status": 302, "headers": {"Location": "http://169.254.169.254/"}}, Failed, "redirect"),
    ({"text": "<html>", "content_type": "text/html", "status": 502},
     Retry(0, "Slack answered 502", maybe_delivered=True), ""),
    ({"text": "hello", "content_type": "text/plain"}, Failed, "not Slack's; check api_url"),
    ({"text": "{", "content_type": "application/json"}, Failed, "not Slack's; check api_url"),
    ({"text": "{", "content_type": "application/json", "status": 500},
     Retry(0, "Slack answered 500", maybe_delivered=True), ""),
    ({"data": [1]}, Failed, "not Slack's"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "expected", "words"), ANSWERS)
async def test_an_answer_leads_to_its_outcome_and_never_shows_the_token(
    slack: Any, session: ClientSession, answer: dict[str, Any], expected: Any, words: str
) -> None:
    slack.answers = [web.Response(**answer) if "text" in answer else web.json_response(**answer)]
    outcome = await receiver(slack, session).send(told(alert()), None)
    if expected is Failed:
        assert isinstance(outcome, Failed)
        assert words in outcome.reason
    else:
        assert outcome == expected
    assert TOKEN not in repr(outcome)
    assert len(slack.requests) == 1


async def test_a_slack_that_hangs_runs_into_the_timeout(slack: Any, session: ClientSession) -> None:
    slack.hang = True
    outcome = await receiver(slack, session, timeout="50ms").send(told(alert()), None)
    assert outcome == Retry(0, "Slack did not answer within 50 ms", maybe_delivered=True)


async def test_a_slack_that_is_not_there_has_taken_nothing(session: ClientSession, slack: Any) -> None:
    outcome = await receiver(slack, session, api_url="http://127.0.0.1:1/api/").send(told(alert()), None)
    assert outcome == Retry(0, "Slack cannot be reached (ClientConnectorError)")


async def test_a_broken_connection_may_have_delivered(slack: Any, session: ClientSession) -> None:
    slack.answers = [ConnectionResetError()]
    outcome = await receiver(slack, session).send(told(alert()), None)
    assert isinstance(outcome, Retry)
    assert outcome.maybe_delivered


async def test_the_token_comes_from_its_file(slack: Any, session: ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "token"
    configured = receiver(slack, session, token=None, token_file=str(file))
    assert isinstance(await configured.send(told(alert()), None), Failed)
    file.write_text(f"{TOKEN}\n")
    assert isinstance(await configured.send(told(alert()), None), Sent)
    check_request(*slack.requests[0])


def test_names_can_mention_nobody() -> None:
    evil = alert("<!channel> <@U1> <https://evil|ok>", feature="<!here>")
    everything = json.dumps(blocks(told(evil))) + fallback(told(evil)) + reply(told(evil))
    assert "<" not in everything
    assert "&lt;!channel&gt;" in everything


texts = st.one_of(
    st.text(),
    st.just("&" * 10_000),
    st.just("<!channel>" * 1000),
    st.just("🔥\u202e\u05e9\u05dc\ud800\n" * 500),
)


@given(
    st.lists(
        st.tuples(texts, texts, texts, st.sampled_from(["firing", "resolved"])), min_size=1, max_size=60
    ),
    st.booleans(),
)
def test_any_content_stays_within_slacks_limits(
    alerts: list[tuple[str, str, str, str]], repeat: bool
) -> None:
    made = [
        replace(
            alert(name, status, "joined", feature=feature),
            annotations={"summary": text, "runbook_url": text, "cause": text},
            acknowledged_by=feature,
            silenced_by=text,
        )
        for name, feature, text, status in alerts
    ]
    notification = told(*made, possible_repeat=repeat)
    check_blocks(blocks(notification))
    assert len(fallback(notification)) <= 4000
    assert len(reply(notification)) <= 12_000
    check_escapes(fallback(notification) + reply(notification))


@given(st.text(alphabet="&<>ab ", min_size=1), st.integers(6, 30))
def test_an_escape_is_never_cut_in_the_middle(text: str, limit: int) -> None:
    assert len(escape(text, limit)) <= limit
    check_escapes(escape(text, limit))


def test_the_cause_stands_below_the_sentence_while_it_fires() -> None:
    def sections(status: Any) -> list[str]:
        one = alert(status=status)
        one = replace(one, annotations={**one.annotations, "cause": "12 % new category '<!here>'"})
        check_blocks(blocks(told(one)))
        return [block["text"]["text"] for block in blocks(told(one)) if block["type"] == "section"]

    (text,) = sections("firing")
    assert "\n*Cause:* 12 % new category '&lt;!here&gt;'\n" in text
    assert "Cause" not in sections("resolved")[0]
