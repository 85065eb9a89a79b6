"""The buttons of a Slack message: when there are any, and what a press of one asks of the desk."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from slack_api import check_blocks

from alerts.book import identify
from alerts.command import Acknowledge, AddSilence
from alerts.decision import Reason
from alerts.notification import Notification, NotifiedAlert, rank
from alerts.receivers.slack_blocks import blocks
from alerts.receivers.slack_buttons import Press, buttons, command, day_end_ms

NINE = 1_795_424_400_000
HOUR = 3_600_000
LABELS = {"alertname": "Drift", "model": "churn"}


def alert(status: Any = "firing", **labels: str) -> NotifiedAlert:
    over = NINE if status == "resolved" else None
    return NotifiedAlert("f1", status, {**LABELS, "severity": "critical", **labels}, {}, NINE, over, "joined")


def told(*alerts: NotifiedAlert, labels: dict[str, str] | None = None) -> Notification:
    group = LABELS if labels is None else labels
    return Notification("{}:{}", "ops", group, rank(alerts), Reason.FIRST, "k-1")


def press(button: dict[str, Any], **more: Any) -> Press:
    action = {"action_ts": "1795424400.000100", **button, **more.pop("action", {})}
    given_ = {
        "type": "block_actions", "user": {"id": "U1", "username": "ana"}, "team": {"id": "T1"},
        "container": {"channel_id": "C1", "message_ts": "1.5"}, "actions": [action],
    }  # fmt: skip
    return Press.model_validate(given_ | more)


def by_words(notification: Notification, location: str = "UTC") -> dict[str, dict[str, Any]]:
    return {button["text"]["text"]: button for button in buttons(notification, location)}


def test_a_group_that_fires_can_be_acknowledged_and_silenced() -> None:
    found = by_words(told(alert()))
    assert list(found) == ["Acknowledge", "Silence 1h", "Silence 4h", "Silence today"]
    check_blocks(blocks(told(alert()), buttons(told(alert()), "UTC")))
    asked = command(press(found["Acknowledge"]), NINE)
    assert isinstance(asked, Acknowledge)
    assert (asked.target, asked.by) == (identify("{}:{}"), "ana (Slack)")


def test_what_is_all_acknowledged_can_only_be_silenced() -> None:
    acknowledged = replace(alert(), acknowledged_by="ana")
    assert list(by_words(told(acknowledged))) == ["Silence 1h", "Silence 4h", "Silence today"]
    assert "Acknowledge" in by_words(told(acknowledged, alert(feature="age")))


def test_what_is_over_has_no_button_but_links() -> None:
    assert buttons(told(alert("resolved")), "UTC") == []


@pytest.mark.parametrize(
    ("words", "ends_at_ms"),
    [("Silence 1h", NINE + HOUR), ("Silence 4h", NINE + 4 * HOUR), ("Silence today", NINE + 14 * HOUR)],
)
def test_a_silence_holds_for_the_groups_labels(words: str, ends_at_ms: int) -> None:
    asked = command(press(by_words(told(alert()), "Europe/Berlin")[words]), NINE)
    assert isinstance(asked, AddSilence)
    assert asked.matchers == ('alertname="Drift"', 'model="churn"')
    assert (asked.ends_at_ms, asked.created_by, asked.starts_at_ms) == (ends_at_ms, "ana (Slack)", None)


@pytest.mark.parametrize("labels", [{}, {"team": ""}])
def test_a_group_of_no_labels_is_silenced_by_what_its_alerts_share_but_severity(
    labels: dict[str, str],
) -> None:
    shown = by_words(told(alert(feature="age"), alert(feature="plan"), labels=labels))
    asked = command(press(shown["Silence 1h"]), NINE)
    assert isinstance(asked, AddSilence)
    assert asked.matchers == ('alertname="Drift"', 'model="churn"')


def test_alerts_that_share_nothing_and_names_too_long_can_only_be_acknowledged() -> None:
    nothing = told(alert(), alert(alertname="Other", model="other"), labels={})
    assert list(by_words(nothing)) == ["Acknowledge"]
    assert list(by_words(told(alert(), labels={"model": "x" * 2_000}))) == ["Acknowledge"]


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=900), max_size=6))
def test_whatever_the_labels_are_slack_takes_the_buttons(labels: dict[str, str]) -> None:
    notification = told(alert(**LABELS), labels=labels)
    check_blocks(blocks(notification, buttons(notification, "America/Argentina/ComodRivadavia")))


def test_a_value_with_quotes_comes_back_as_it_was() -> None:
    name = 'a "b"\\ c=~'
    asked = command(press(by_words(told(alert(), labels={"model": name}))["Silence 1h"]), NINE)
    assert isinstance(asked, AddSilence)
    (matcher,) = asked.matchers
    assert json.loads(matcher.removeprefix("model=")) == name


def test_the_same_press_has_one_id_and_another_press_another() -> None:
    button = by_words(told(alert()))["Acknowledge"]
    first = command(press(button), NINE)
    again = command(press(button, response_url="https://hooks.slack.com/2", trigger_id="t2"), NINE + 5_000)
    later = command(press(button, action={"action_ts": "1795424401.000100"}), NINE)
    other = command(press(button, user={"id": "U2", "username": "ben"}), NINE)
    assert first is not None
    assert again is not None
    assert first.id == again.id
    assert len({one.id for one in (first, later, other) if one}) == 3


def test_a_link_asks_nothing() -> None:
    assert command(press({"action_id": "open_runbook"}), NINE) is None


@pytest.mark.parametrize(
    "action",
    [
        {"action_id": "drop_table"},
        {"action_id": "acknowledge", "value": "{}"},
        {"action_id": "acknowledge", "value": '{"group": "../../x"}'},
        {"action_id": "silence_1h", "value": '{"group": "0123456789abcdef"}'},
        {"action_id": "silence_1h", "value": '{"group": "0123456789abcdef", "matchers": [".*"]}'},
        {"action_id": "silence_today", "value": '{"group": "0123456789abcdef", "location": "Mars/Base"}'},
        {"action_id": "acknowledge", "value": '{"group": "0123456789abcdef", "more": 1}'},
    ],
)
def test_what_we_did_not_write_is_refused(action: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        command(press(action), NINE)


@pytest.mark.parametrize(
    "more", [{"type": "view_submission"}, {"actions": []}, {"user": {"id": ""}}, {"container": {}}]
)
def test_what_is_no_press_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        press({"action_id": "acknowledge"}, **more)


@pytest.mark.parametrize(
    ("now", "location", "end"),
    [
        ("2026-11-23T09:00", "UTC", "2026-11-24T00:00"),
        ("2026-11-23T23:00", "UTC", "2026-11-24T00:00"),
        ("2026-11-23T23:01", "UTC", "2026-11-25T00:00"),
        ("2026-11-23T20:00", "America/New_York", "2026-11-24T00:00"),
        ("2026-10-24T12:00", "Europe/Berlin", "2026-10-25T00:00"),
        # The day on which clocks are put back has 25 hours.
        ("2026-10-25T00:30", "Europe/Berlin", "2026-10-26T00:00"),
    ],
)
def test_the_day_ends_at_midnight_there_the_next_one_in_its_last_hour(
    now: str, location: str, end: str
) -> None:
    here = ZoneInfo(location)
    now_ms = round(datetime.fromisoformat(now).replace(tzinfo=here).timestamp() * 1000)
    found = datetime.fromtimestamp(day_end_ms(now_ms, location) / 1000, UTC).astimezone(here)
    assert found.isoformat()[:16] == end
