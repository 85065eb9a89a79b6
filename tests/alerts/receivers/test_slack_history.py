"""Whether Slack has a message, asked of a stand-in that keeps them as Slack does."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession
from slack_api import SlackApi

from alerts.decision import Reason
from alerts.notification import Notification, NotifiedAlert
from alerts.outcome import Found, Missing, Retry, Sent, Unknowable
from alerts.receiver_config import SlackConfig
from alerts.receivers.slack import SlackReceiver

ALERT = NotifiedAlert("f1", "firing", {"alertname": "Drift"}, {}, 0, None, "joined")
TOLD = Notification("{}:{}", "ops", {"alertname": "Drift"}, (ALERT,), Reason.FIRST, "k-1")
ID = "C024BE91L"


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi() as made:
        yield made
        assert made.mistakes == []


def receiver(slack: SlackApi, session: ClientSession, **config: Any) -> SlackReceiver:
    given = {"channel": ID, "token": slack.token, "api_url": slack.url, **config}
    return SlackReceiver(SlackConfig.model_validate(given), session)


def key(number: int) -> Notification:
    return replace(TOLD, idempotency_key=f"k-{number}")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def test_a_message_is_found_by_its_key_and_no_other_is(slack: SlackApi, session: ClientSession) -> None:
    ours = receiver(slack, session)
    for number in range(5):
        await ours.send(key(number), None)
    assert await ours.find("k-2", None, now_ms()) == Found({"channel": ID, "ts": slack.messages[2].ts})
    assert await ours.find("k-9", None, now_ms()) == Missing()


async def test_it_is_looked_for_on_every_page(slack: SlackApi, session: ClientSession) -> None:
    ours, slack.page = receiver(slack, session), 2
    for number in range(5):
        await ours.send(key(number), None)
    assert await ours.find("k-0", None, now_ms()) == Found({"channel": ID, "ts": slack.messages[0].ts})
    assert slack.looks == 3


async def test_a_channel_in_which_much_was_said_is_not_read_to_its_end(
    slack: SlackApi, session: ClientSession
) -> None:
    ours, slack.page = receiver(slack, session), 1
    for number in range(7):
        await ours.send(key(number), None)
    assert isinstance(await ours.find("k-0", None, now_ms()), Unknowable)
    assert slack.looks == 5


async def test_what_was_said_long_before_is_not_looked_at(slack: SlackApi, session: ClientSession) -> None:
    ours = receiver(slack, session)
    await ours.send(key(1), None)
    assert await ours.find("k-1", None, now_ms() + 120_000) == Missing()


async def test_what_follows_has_arrived_with_its_reply_not_with_the_update(
    slack: SlackApi, session: ClientSession
) -> None:
    ours = receiver(slack, session)
    first = await ours.send(key(1), None)
    assert isinstance(first, Sent)
    slack.held = 1
    cut_off = asyncio.create_task(ours.send(key(2), first.reference))
    await slack.until(lambda: slack.messages[0].updates == 1, "the message is brought up to date")
    cut_off.cancel()
    await asyncio.wait([cut_off])
    assert await ours.find("k-2", first.reference, now_ms()) == Missing()
    assert await ours.send(key(2), first.reference) == first
    assert await ours.find("k-2", first.reference, now_ms()) == Found(first.reference)


async def test_where_the_first_was_deleted_the_one_posted_anew_is_found(
    slack: SlackApi, session: ClientSession
) -> None:
    ours = receiver(slack, session)
    first = await ours.send(key(1), None)
    assert isinstance(first, Sent)
    slack.messages.clear()
    await ours.send(key(2), first.reference)
    assert await ours.find("k-2", first.reference, now_ms()) == Found(
        {"channel": ID, "ts": slack.messages[0].ts}
    )


async def test_without_the_right_or_the_id_it_cannot_be_known_and_says_what_to_do(
    slack: SlackApi, session: ClientSession
) -> None:
    named = await receiver(slack, session, channel="#ml").find("k-1", None, now_ms())
    assert isinstance(named, Unknowable)
    assert "id of channel '#ml'" in named.reason
    assert slack.looks == 0
    slack.may_look = False
    refused = await receiver(slack, session).find("k-1", None, now_ms())
    assert isinstance(refused, Unknowable)
    assert "channels:history" in refused.reason
    elsewhere = await receiver(slack, session).find("k-1", {"channel": "C999", "ts": "1.5"}, now_ms())
    assert isinstance(elsewhere, Unknowable)
    assert slack.token not in repr((named, refused, elsewhere))


async def test_a_slack_that_is_away_is_asked_again(slack: SlackApi, session: ClientSession) -> None:
    away = receiver(slack, session, api_url="http://127.0.0.1:1/api/")
    assert isinstance(await away.find("k-1", None, now_ms()), Retry)
