"""One message a second for a channel, and everybody's turn comes."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st
from slack_api import SlackApi

from alerts.config import parse
from alerts.decision import Reason
from alerts.dispatch import Delivery
from alerts.notification import Notification, NotifiedAlert
from alerts.outcome import Retry, Sent
from alerts.pace import Pace
from alerts.receivers.registry import Receivers

ALERT = NotifiedAlert("f1", "firing", {"alertname": "Drift"}, {}, 0, None, "joined")


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi() as made:
        yield made
        assert made.mistakes == []


@given(st.integers(1, 40), st.integers(0, 999))
def test_whoever_comes_back_at_its_turn_goes_then_and_a_second_lies_between(many: int, late_ms: int) -> None:
    pace, waiting, gone = Pace(1_000), {f"g{number}": 10_000 for number in range(many)}, []
    while waiting:
        who = min(waiting, key=lambda name: (waiting[name], name))
        at_ms = waiting.pop(who)
        wait_ms = pace.wait_ms(who, at_ms)
        if wait_ms:
            waiting[who] = at_ms + wait_ms + late_ms
        else:
            gone.append(at_ms)
    assert len(gone) == many
    assert all(later - at >= 1_000 - late_ms for at, later in pairwise(gone))
    assert gone[-1] <= 10_000 + (many - 1) * 1_000 + late_ms


def test_a_clock_set_back_keeps_nobody_waiting_for_long() -> None:
    pace = Pace(1_000)
    assert pace.wait_ms("a", 10_000_000) == 0
    assert pace.wait_ms("b", 1_000) <= 1_000


async def test_one_channel_is_sent_one_message_a_second_by_all_its_receivers(
    slack: SlackApi, session: ClientSession
) -> None:
    config = parse(
        {
            "global": {"slack_api_url": slack.url, "slack_token": slack.token},
            "route": {"receiver": "ops"},
            "receivers": [{"name": "ops", "slack_configs": [{"channel": "#ml"}, {"channel": "#ml"}]}],
        }
    )
    now_ms = 1_000_000
    receivers = Receivers(config, session, lambda: now_ms)
    told = Notification("{}:{}", "ops", {}, (ALERT,), Reason.FIRST, "k-1")

    def delivery(number: int, **more: Any) -> Delivery:
        place = config.integrations()["ops"][number]
        return Delivery(f"d{number}", place, replace(told, **more), None, False, 1)

    assert isinstance(await receivers.send(delivery(0)), Sent)
    waits = await receivers.send(delivery(1))
    assert isinstance(waits, Retry)
    assert (waits.after_ms, waits.maybe_delivered) == (1_000, False)
    # What posts no message has no turn to wait for.
    assert isinstance(await receivers.send(delivery(0, reason=Reason.CARE_SHOWN)), Sent)
    now_ms += 1_000
    assert isinstance(await receivers.send(delivery(1)), Sent)
    assert len(slack.messages) == 2
