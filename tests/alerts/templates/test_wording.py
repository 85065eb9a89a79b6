"""Receivers say what their templates say, or, where one fails, what they say without any."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientSession

from alerts.alert import AlertUpsert
from alerts.config import Config, Integration, parse
from alerts.decision import Reason
from alerts.desk import Desk
from alerts.dispatch import Delivery
from alerts.email_config import EmailConfig
from alerts.notification import Notification
from alerts.outcome import Failed, Retry, Sent
from alerts.receivers.email_message import message
from alerts.receivers.pagerduty_event import encode
from alerts.receivers.registry import Receivers
from alerts.receivers.slack_blocks import blocks, fallback
from alerts.templates.catalogue import Catalogue, Source
from alerts.templates.rehearsal import failing, misplaced
from alerts.templates.wording import worded

FEATURES = "{% macro features() %}{% for a in alerts %}{{ a.labels.feature }} {% endfor %}{% endmacro %}"
CATALOGUE = Catalogue((Source("our.jinja", FEATURES),))
NINE = 1_795_424_400_000


def config(kind: str, **section: Any) -> Config:
    receivers = [{"name": "ops", f"{kind}_configs": [section]}]
    return parse({"route": {"receiver": "ops"}, "receivers": receivers}, CATALOGUE)


def slack(**section: Any) -> Config:
    return config("slack", channel="#ml", token="xoxb-1", **section)


def place(given: Config) -> Integration:
    ((found,),) = given.integrations().values()
    return found


def said(given: Config, told: Notification) -> Notification:
    made, why = worded(told, place(given).config, given.catalogue)
    assert why == ""
    return made


def test_slack_shows_title_and_text(told: Notification) -> None:
    text = "*{{ common_labels.model }}*: {{ features() }}\n<https://wiki.example|wiki>"
    made = said(slack(title="{{ status }} & {{ receiver }}", text=text, fallback="{{ receiver }}!"), told)
    header, section, *_ = blocks(made)
    assert header["text"]["text"] == "firing &amp; ops"
    assert section["text"]["text"] == (
        "*churn &lt;!channel&gt; &amp; co*: age plan zip \n<https://wiki.example|wiki>"
    )
    assert fallback(made) == "ops!"


def test_a_long_text_is_several_sections_within_slacks_limit(told: Notification) -> None:
    text = "{% for i in range(900) %}line {{ i }} & {{ common_labels.model }}\n{% endfor %}"
    sections = [
        block["text"]["text"] for block in blocks(said(slack(text=text), told)) if block["type"] == "section"
    ]
    assert len(sections) == 10
    assert all(0 < len(section) <= 3_000 for section in sections)
    assert "".join(sections)[:20] == "line 0 & churn &lt;!"


def test_pagerduty_has_its_summary_and_details(told: Notification) -> None:
    given = config(
        "pagerduty",
        routing_key="k",
        description="{{ features() }}",
        details={"who": "{{ receiver }}", "none": ""},
    )
    event = json.loads(encode(said(given, told), place(given).config, "k"))  # type: ignore[arg-type]
    assert event["payload"]["summary"] == "age plan zip"
    assert event["payload"]["custom_details"]["who"] == "ops"
    assert "none" not in event["payload"]["custom_details"]


def test_details_that_are_no_templates_are_sent_even_where_a_template_fails(told: Notification) -> None:
    given = config("pagerduty", routing_key="k", details={"tier": "1", "who": "{{ alerts[0].lables }}"})
    made, why = worded(told, place(given).config, given.catalogue)
    assert why.startswith("details.who, line 1: ")
    event = json.loads(encode(made, place(given).config, "k"))  # type: ignore[arg-type]
    assert event["payload"]["custom_details"]["tier"] == "1"
    assert "who" not in event["payload"]["custom_details"]


def test_details_of_any_size_leave_room_for_the_alerts(told: Notification) -> None:
    many = {f"n{n}": "{% for i in range(99) %}" + "é" * 999 + "{% endfor %}" for n in range(9)}
    given = config("pagerduty", routing_key="k", details=many)
    body = encode(said(given, told), place(given).config, "k")  # type: ignore[arg-type]
    assert len(body) <= 512_000
    assert len(json.loads(body)["payload"]["custom_details"]["alerts"]) == 3


def mail(**section: Any) -> Config:
    return config(
        "email", to="a@x.org", smarthost="m:25", require_tls=False, **{"from": "d@x.org"}, **section
    )


def parts(given: Config, told: Notification) -> dict[str, str]:
    section = place(given).config
    assert isinstance(section, EmailConfig)
    built = message(said(given, told), section, "", NINE)
    found = {"subject": str(built["Subject"])}
    for name in ("plain", "html"):
        if body := built.get_body((name,)):
            found[name] = body.get_content()
    return found


def test_an_email_has_its_subject_text_and_html(told: Notification) -> None:
    given = mail(
        subject="{{ status }}\n{{ receiver }}",
        text="{{ features() }}",
        html="<b>{{ common_labels.model }}</b>",
    )
    assert parts(given, told) == {
        "subject": "firing ops",
        "plain": "age plan zip\n",
        "html": "<b>churn &lt;!channel&gt; &amp; co</b>\n",
    }


def test_an_email_with_its_own_text_alone_has_no_html_that_says_something_else(told: Notification) -> None:
    assert set(parts(mail(text="{{ features() }}"), told)) == {"subject", "plain"}
    assert "age moved" in parts(mail(html="<p>x</p>"), told)["plain"]


def test_what_comes_out_empty_is_the_built_in_text(told: Notification) -> None:
    made = said(slack(title="{% if false %}x{% endif %} \n", text="x"), told)
    assert blocks(made)[0]["text"]["text"] == blocks(told)[0]["text"]["text"]


def test_no_control_character_gets_into_a_message(told: Notification) -> None:
    made = said(slack(title="{{ 'a\x00b\u202ec\ud800' }}", text="a\x07b"), told)
    assert (made.wording["title"], made.wording["text"]) == ("abc", "ab")


def test_where_one_template_fails_the_whole_message_is_the_built_in_one(told: Notification) -> None:
    given = slack(title="{{ status }}", text="{{ alerts[0].labels.owner.name }}")
    made, why = worded(told, place(given).config, given.catalogue)
    assert made == told
    assert why.startswith("text, line 1: ")


@pytest.fixture
def delivered(session: ClientSession, stub: Any) -> Callable[..., Any]:
    """Sends one alert of a desk to a Slack that answers, and returns the desk with the outcome."""

    async def run(text: str, answer: dict[str, Any]) -> tuple[Desk, Any, list[str]]:
        stub.default = lambda path, body: answer
        given = slack(text=text, api_url=f"{stub.url}/api/")
        desk = Desk(given)
        upsert = {
            "status": "firing", "labels": {"alertname": "Drift", "severity": "critical"}, "starts_at_ms": 0,
            "annotations": {"summary": "age moved"}, "pane_end_ms": 0, "sequence": 1,
        }  # fmt: skip
        found = AlertUpsert.model_validate(upsert)
        desk.upsert(found, 0)
        delivery: Delivery
        (delivery,) = desk.tick(30_000)
        outcome = await Receivers(given, session).send(delivery)
        desk.settled(delivery.id, outcome, 30_001)
        told = [f"{one.reason.name}: {one.detail}".rstrip(": ") for one in desk.receipts(found.fingerprint)]
        return desk, outcome, told

    return run


async def test_a_template_that_fails_costs_no_try_and_is_in_the_history(delivered: Any, stub: Any) -> None:
    desk, outcome, history = await delivered(
        "{{ alerts[0].lables }}", {"ok": True, "channel": "C", "ts": "1"}
    )
    assert isinstance(outcome, Sent)
    assert outcome.plain_because == "text, line 1: an alert has no 'lables'"
    assert history[-3:] == ["FIRST", f"TEMPLATE_FAILED: {outcome.plain_because}", "SENT: channel C, ts 1"]
    ((_, _, body),) = stub.requests
    assert "age moved" in json.dumps(body["blocks"])
    assert desk.counts[Reason.TEMPLATE_FAILED] == 1


async def test_that_it_failed_is_told_whatever_became_of_the_message(delivered: Any) -> None:
    _, outcome, history = await delivered("{{ alerts[0].lables }}", {"ok": False, "error": "fatal_error"})
    assert isinstance(outcome, Retry)
    assert [line.split(":")[0] for line in history[-2:]] == ["TEMPLATE_FAILED", "RETRY"]
    _, outcome, history = await delivered("{{ alerts[0].lables }}", {"ok": False, "error": "not_in_channel"})
    assert isinstance(outcome, Failed)
    assert [line.split(":")[0] for line in history[-2:]] == ["TEMPLATE_FAILED", "FAILED"]


async def test_a_template_that_works_leaves_no_note(delivered: Any, stub: Any) -> None:
    _, outcome, history = await delivered("we say {{ status }}", {"ok": True, "channel": "C", "ts": "1"})
    assert outcome == Sent({"channel": "C", "ts": "1"})
    assert not any("TEMPLATE" in line for line in history)
    ((_, _, body),) = stub.requests
    assert "we say firing" in json.dumps(body["blocks"])
    assert "age moved" not in json.dumps(body["blocks"])


def test_a_config_with_other_template_files_is_another_config() -> None:
    data = {"route": {"receiver": "ops"}, "receivers": [{"name": "ops", "log_configs": [{}]}]}
    assert parse(data, CATALOGUE) == parse(data, Catalogue((Source("our.jinja", FEATURES),)))
    assert parse(data, CATALOGUE) != parse(data, Catalogue((Source("our.jinja", FEATURES + "\n"),)))


def test_a_template_that_would_fail_for_any_alert_is_found_by_trying_it_out() -> None:
    assert list(failing(slack(text="{{ features() }} {{ common_labels.model }}"))) == []
    ((loc, why),) = failing(slack(text="{{ alerts[0].lables }}"))
    assert loc == ("receivers", 0, "slack_configs", 0)
    assert why.endswith("text, line 1: an alert has no 'lables'")


def test_a_template_where_none_is_looked_for_is_not_sent_as_it_is() -> None:
    section = {"channel": "#{{ team }}", "token": "{{ no template either }}", "title": "{{ title }}"}
    ((loc, why),) = misplaced({"receivers": [{"slack_configs": [section]}]})
    assert loc == ("receivers", 0, "slack_configs", 0, "channel")
    assert why.endswith("templates are: title, text, fallback")
