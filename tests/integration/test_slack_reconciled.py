"""A desk is killed while Slack answers: whoever comes after asks Slack, and nobody is told twice or not at all."""

from collections.abc import AsyncIterator

import pytest
from desks import Desks
from slack_api import SlackApi

ALERTING = """\
global: {{slack_api_url: "{url}", slack_token: "{token}"}}
route: {{receiver: ops, group_by: [alertname], group_wait: 100ms, group_interval: 500ms}}
receivers:
  - name: ops
    slack_configs: [{{channel: C024BE91L}}]
"""


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi() as made:
        yield made


async def test_what_arrived_is_found_and_what_did_not_is_sent_neither_marked(
    desks: Desks, slack: SlackApi
) -> None:
    (desks.home / "alerting.yml").write_text(ALERTING.format(url=slack.url, token=slack.token))
    first = await desks.fleet("desk", "desk/2", "desk/3")

    slack.held = 1
    await desks.send("firing", "arrived")
    await slack.until(lambda: slack.tops and not slack.held, "it has arrived, and nobody has heard so")
    await desks.kill(first)
    second = await desks.owner_after(first)
    await slack.until(lambda: slack.looks, "Slack is asked")
    await desks.until(desks.nothing_under_way, "it is settled")
    (arrived,) = slack.messages
    assert "arrived" in arrived.body["text"]

    slack.dropped = 1
    await desks.send("firing", "dropped")
    await slack.until(lambda: not slack.dropped, "it is lost on its way")
    await desks.kill(second)
    await desks.owner_after(second)
    await slack.until(lambda: len(slack.messages) == 2, "it is sent again")
    await desks.until(desks.nothing_under_way, "it is settled")
    dropped = slack.messages[1]
    assert "dropped" in dropped.body["text"]
    assert "possible repeat" not in (arrived.text + dropped.text).lower()

    # The message that was found is the one that is brought up to date.
    await desks.send("resolved", "arrived", "dropped")
    await slack.until(lambda: len(slack.messages) == 4, "their ends are told")
    assert {one.thread_ts for one in slack.messages[2:]} == {arrived.ts, dropped.ts}
    assert "RESOLVED" in arrived.body["text"]
