"""PagerDuty against a stand-in that checks every field and limit of the Events API v2."""

import json
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.config import parse
from alerts.decision import Reason
from alerts.notification import Notification, NotifiedAlert, rank
from alerts.outcome import Failed, Sent
from alerts.pagerduty_config import PagerdutyConfig
from alerts.receivers.pagerduty import PagerdutyReceiver
from alerts.receivers.pagerduty_event import dedup_key, encode

NINE = 1_795_424_400_000
KEY = "0123456789abcdef0123456789abcdef"
EVENT = {"routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links", "images"}
PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}


def alert(name: str = "Drift", status: Any = "firing", **labels: str) -> NotifiedAlert:
    given_ = {"alertname": name, "model": "churn", "severity": "critical", **labels}
    annotations = {
        "summary": "age moved",
        "runbook_url": f"/runbooks/{name}",
        "dashboard_url": "https://d.example/c",
    }
    ends_at_ms = NINE + 60_000 if status == "resolved" else None
    return NotifiedAlert(f"f-{name}", status, given_, annotations, NINE, ends_at_ms, "joined")


def told(*alerts: NotifiedAlert, **more: Any) -> Notification:
    given_: dict[str, Any] = {"external_url": "https://drift.example", **more}
    return Notification("{}:{}", "ops", {"model": "churn"}, rank(alerts), Reason.FIRST, "k-1", **given_)


def check_event(body: bytes) -> dict[str, Any]:
    """Refuse what PagerDuty would refuse; return the event."""
    assert len(body) <= 512_000
    event: dict[str, Any] = json.loads(body)
    assert set(event) <= EVENT
    assert re.fullmatch(r"[0-9a-f]{32}", event["routing_key"])
    assert event["event_action"] in ("trigger", "acknowledge", "resolve")
    assert 1 <= len(event["dedup_key"]) <= 255
    payload = event["payload"]
    assert set(payload) <= PAYLOAD
    assert 1 <= len(payload["summary"]) <= 1024
    assert payload["source"]
    assert payload["severity"] in ("critical", "error", "warning", "info")
    assert datetime.fromisoformat(payload["timestamp"])
    assert isinstance(payload["custom_details"], dict)
    for link in event.get("links", []):
        assert set(link) <= {"href", "text"}
        assert re.match(r"https?://", link["href"])
    for image in event.get("images", []):
        assert set(image) <= {"src", "href", "alt"}
        assert image["src"].startswith("https://")
    return event


@pytest.fixture
def pagerduty(stub: Any) -> Any:
    def take(path: str, body: Any) -> dict[str, Any]:
        event = check_event(json.dumps(body).encode())
        return {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}

    stub.default = take
    return stub


def receiver(stub: Any, session: ClientSession, **config: Any) -> PagerdutyReceiver:
    given_ = {"routing_key": KEY, "url": f"{stub.url}/v2/enqueue", **config}
    return PagerdutyReceiver(PagerdutyConfig.model_validate(given_), session)


def event(notification: Notification, **config: Any) -> dict[str, Any]:
    return check_event(
        encode(notification, PagerdutyConfig.model_validate({"routing_key": KEY, **config}), KEY)
    )


async def test_a_group_is_opened_kept_up_and_resolved_under_one_key(
    pagerduty: Any, session: ClientSession
) -> None:
    pager = receiver(pagerduty, session)
    over = alert("Gone", "resolved")
    steps = [told(alert(), alert("Gone")), told(alert(), over), told(alert("Drift", "resolved"), over)]
    outcomes = [await pager.send(step, None) for step in steps]
    bodies = [body for _, _, body in pagerduty.requests]
    assert [path for path, *_ in pagerduty.requests] == ["/v2/enqueue"] * 3
    assert [body["event_action"] for body in bodies] == ["trigger", "trigger", "resolve"]
    assert {body["dedup_key"] for body in bodies} == {dedup_key("{}:{}")}
    assert outcomes == [Sent({"dedup_key": dedup_key("{}:{}")})] * 3


async def test_an_ack_at_the_desk_is_one_at_pagerduty(stub: Any, session: ClientSession) -> None:
    shown = replace(told(alert()), reason=Reason.CARE_SHOWN)
    assert await receiver(stub, session).send(shown, None) == Sent({"dedup_key": dedup_key("{}:{}")})
    ((_, _, body),) = stub.requests
    assert body == {"routing_key": KEY, "event_action": "acknowledge", "dedup_key": dedup_key("{}:{}")}


def test_the_event_says_what_where_how_bad_and_what_to_do() -> None:
    sent = event(
        told(alert(team="growth")),
        client="Drift of growth",
        details={"tier": "1"},
        links=[{"href": "https://wiki.example", "text": "Wiki"}],
        images=[{"src": "https://pics.example/a.png", "alt": "age"}],
    )
    payload = sent["payload"]
    assert payload["summary"] == "CRITICAL: Drift · churn | age moved"
    assert (payload["source"], payload["component"], payload["class"], payload["group"]) == (
        "churn", "churn", "Drift", "growth",
    )  # fmt: skip
    assert (payload["severity"], payload["timestamp"]) == ("critical", "2026-11-23T09:00:00.000Z")
    assert (sent["client"], sent["client_url"]) == ("Drift of growth", "https://drift.example")
    silence = "https://drift.example/silences/new?matcher=alertname%3D%22Drift%22&matcher=model%3D%22churn%22"
    assert sent["links"] == [
        {"href": "https://wiki.example", "text": "Wiki"},
        {"href": "https://drift.example/runbooks/Drift", "text": "Runbook: Drift"},
        {"href": "https://d.example/c", "text": "Dashboard: Drift"},
        {"href": f"{silence}&matcher=team%3D%22growth%22", "text": "Silence these alerts"},
    ]
    assert sent["images"] == [{"src": "https://pics.example/a.png", "alt": "age"}]
    details = payload["custom_details"]
    assert (details["tier"], details["firing"], details["resolved"]) == ("1", 1, 0)
    (shown,) = details["alerts"]
    assert (shown["sentence"], shown["labels"]["team"]) == ("age moved", "growth")
    assert "cut" not in details


@pytest.mark.parametrize(
    ("label", "severity"),
    [("critical", "critical"), ("error", "error"), ("warning", "warning"), ("info", "info"),
     ("page", "critical"), ("", "error")],
)  # fmt: skip
def test_the_severity_is_one_pagerduty_knows(label: str, severity: str) -> None:
    sent = event(told(alert(severity=label)), severities={"page": "critical"})
    assert sent["payload"]["severity"] == severity


def test_what_may_have_arrived_says_so() -> None:
    assert event(told(alert(), possible_repeat=True))["payload"]["custom_details"]["possible_repeat"] is True


def test_an_event_too_large_leaves_out_the_least_bad_and_names_what_was_cut() -> None:
    many = [alert(f"D{n:04}", severity="info", note="é" * 900) for n in range(900)]
    details = event(told(alert(), *many))["payload"]["custom_details"]
    shown = len(details["alerts"])
    assert 0 < shown < 901
    assert details["alerts"][0]["severity"] == "critical"
    assert details["cut"][-1] == f"{901 - shown} of 901 alerts, the least bad, are left out"
    assert (details["firing"], details["resolved"]) == (901, 0)


def test_long_texts_are_shortened_before_an_alert_is_left_out() -> None:
    details = event(told(alert(), alert("Long", note="x" * 600_000)))["payload"]["custom_details"]
    assert len(details["alerts"]) == 2
    assert details["cut"] == ["texts are shortened to 1000 characters"]


@settings(max_examples=60)
@given(
    st.lists(st.dictionaries(st.text(max_size=20), st.text(max_size=3000), max_size=6), min_size=1, max_size=8),
    st.integers(1, 60),
)  # fmt: skip
def test_whatever_the_labels_are_pagerduty_takes_the_event(sets: list[dict[str, str]], times: int) -> None:
    alerts = [
        NotifiedAlert(f"f{n}", "firing", labels, labels, NINE, None) for n, labels in enumerate(sets * times)
    ]
    event(told(*alerts, external_url=""))


async def test_a_refused_event_is_told_in_pagerdutys_words_without_the_key(
    stub: Any, session: ClientSession
) -> None:
    said = {"status": "invalid event", "errors": [f"'routing_key' {KEY} is unknown", 3]}
    stub.answers = [web.json_response(said, status=400), web.Response(status=400, body=b"[")]
    pager = receiver(stub, session)
    assert await pager.send(told(alert()), None) == Failed(
        "PagerDuty refused the event (400): 'routing_key' … is unknown; check routing_key and url"
    )
    assert await pager.send(told(alert()), None) == Failed(
        "PagerDuty refused the event (400); check routing_key and url"
    )


async def test_the_key_is_read_from_its_file_each_time(
    pagerduty: Any, session: ClientSession, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    pager = receiver(pagerduty, session, routing_key=None, routing_key_file=str(file))
    missing = await pager.send(told(alert()), None)
    assert isinstance(missing, Failed)
    assert missing.reason.startswith("routing_key_file: cannot read")
    for key in (KEY, KEY[::-1]):
        file.write_text(f"{key}\n")
        await pager.send(told(alert()), None)
    assert [body["routing_key"] for _, _, body in pagerduty.requests] == [KEY, KEY[::-1]]


def test_the_address_comes_from_global_unless_the_receiver_has_its_own() -> None:
    eu, own = "https://events.eu.pagerduty.com/v2/enqueue", "https://own.example/v2/enqueue"
    sections = [{"routing_key": KEY}, {"routing_key": KEY, "url": own}]
    config = parse(
        {
            "global": {"pagerduty_url": eu},
            "route": {"receiver": "ops"},
            "receivers": [{"name": "ops", "pagerduty_configs": sections}],
        }
    )
    assert [place.config.url for place in config.integrations()["ops"]] == [eu, own]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("section", "place", "message"),
    [
        ({}, (), "either routing_key or routing_key_file"),
        ({"routing_key": KEY, "routing_key_file": "f"}, (), "either routing_key or routing_key_file"),
        ({"routing_key": f"{KEY}\n2"}, ("routing_key",), "line break"),
        ({"routing_key": KEY, "url": "events.pagerduty.com"}, ("url",), "write http://"),
        ({"routing_key": KEY, "severities": {"page": "high"}}, ("severities", "page"), "'critical'"),
        ({"routing_key": KEY, "images": [{"src": "http://a/b.png"}]}, ("images", 0, "src"), "https://"),
        ({"routing_key": KEY, "links": [{"text": "x"}]}, ("links", 0, "href"), "required"),
        ({"service_key": KEY}, ("service_key",), "Events API v2 integration"),
        ({"routing_key": KEY, "routing": KEY}, ("routing",), "unknown key 'routing'"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(
    section: dict[str, Any], place: tuple[str | int, ...], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        parse({"route": {"receiver": "ops"}, "receivers": [{"name": "ops", "pagerduty_configs": [section]}]})
    errors = {error["loc"]: error["msg"] for error in caught.value.errors()}
    assert message in errors["receivers", 0, "pagerduty_configs", 0, *place]
    assert KEY not in str(caught.value)
