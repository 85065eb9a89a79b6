"""PagerDuty as a receiver: one alert per group, opened, kept up to date and resolved by events."""

import json
from collections.abc import Mapping

from aiohttp import ClientSession

from alerts.errors import SecretUnreadable
from alerts.notification import Notification, clip
from alerts.outcome import Failed, Outcome, Sent
from alerts.pagerduty_config import ENQUEUE, PagerdutyConfig
from alerts.receivers.base import judge_status, secret
from alerts.receivers.http import Answer, post
from alerts.receivers.login import hide
from alerts.receivers.pagerduty_event import dedup_key, encode

_WHO = "PagerDuty"
_SAID_LIMIT = 160


class PagerdutyReceiver:
    """Sends events of the Events API v2. A try that arrives twice changes nothing, as both have one dedup_key.

    The reference is ``{"dedup_key"}``.

    When to use: to have somebody woken.

    References
    ----------
    https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
    """

    def __init__(self, config: PagerdutyConfig, session: ClientSession) -> None:
        self.config = config
        self._session = session

    async def send(self, notification: Notification, previous_reference: Mapping[str, str] | None) -> Outcome:
        """Send one event: trigger while anything fires, resolve once all is over; acknowledge, where it is quiet."""
        try:
            key = secret(self.config.routing_key, self.config.routing_key_file)
        except SecretUnreadable as error:
            return Failed(f"routing_key_file: {error}")
        answer = await post(
            self._session,
            self.config.url or ENQUEUE,
            encode(notification, self.config, key),
            {"Content-Type": "application/json"},
            timeout_ms=self.config.timeout_ms,
            who=_WHO,
        )
        if not isinstance(answer, Answer):
            return answer
        if answer.status == 400:
            return Failed(f"{_WHO} refused the event (400){_said(answer, key)}; check routing_key and url")
        refused = judge_status(answer.status, answer.headers, _WHO)
        return refused or Sent({"dedup_key": dedup_key(notification.group_key)})


def _said(answer: Answer, key: str) -> str:
    """Return PagerDuty's own words on what is wrong, without the key; "" if it says none."""
    try:
        data = json.loads(answer.body)
    except ValueError:
        return ""
    errors = data.get("errors") if isinstance(data, dict) else None
    said = "; ".join(text for text in errors if isinstance(text, str)) if isinstance(errors, list) else ""
    return f": {clip(hide(said, [key]), _SAID_LIMIT)}" if said else ""
