"""Which client serves which config class, and the one place deliveries are sent from."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import ClientSession, DummyCookieJar, TCPConnector

from alerts.alertmanager_config import AlertmanagerConfig
from alerts.breaker import Breaker, admit, after
from alerts.config import Config
from alerts.dispatch import Delivery
from alerts.egress import Egress
from alerts.email_config import EmailConfig
from alerts.errors import EgressRefused, UnknownReceiver
from alerts.notification import rfc3339
from alerts.outcome import Failed, Finding, Outcome, Retry, Unknowable
from alerts.pace import SLACK_MS, Pace
from alerts.pagerduty_config import PagerdutyConfig
from alerts.receiver_config import LogConfig, SlackConfig
from alerts.receiver_kinds import ReceiverConfig
from alerts.receivers.alertmanager import AlertmanagerReceiver
from alerts.receivers.base import Askable, Receiver, clock_ms
from alerts.receivers.email import EmailReceiver
from alerts.receivers.gate import ListResolver, keep_to_list, through
from alerts.receivers.log import LogReceiver
from alerts.receivers.pagerduty import PagerdutyReceiver
from alerts.receivers.slack import SlackReceiver
from alerts.receivers.webhook import WebhookReceiver
from alerts.templates.wording import worded
from alerts.webhook_config import WebhookConfig

_logger = logging.getLogger(__name__)

#: Every receiver there is. A new one is its config class, its file, and a line here.
REGISTRY: Mapping[type[ReceiverConfig], Callable[[Any, ClientSession], Receiver]] = {
    LogConfig: lambda config, session: LogReceiver(config),
    WebhookConfig: WebhookReceiver,
    SlackConfig: SlackReceiver,
    PagerdutyConfig: PagerdutyReceiver,
    AlertmanagerConfig: AlertmanagerReceiver,
    EmailConfig: lambda config, session: EmailReceiver(config),
}


def open_session() -> ClientSession:
    """Return the HTTP session all receivers share; the caller closes it.

    Proxies come from the environment; cookies are neither kept nor sent. No connection is used twice: one
    that is kept open may be closed by the other side as we send, and nobody knows then what arrived.
    It keeps to the allow-list of the `Receivers` that send through it.
    """
    return ClientSession(
        headers={"User-Agent": "driftline"},
        cookie_jar=DummyCookieJar(),
        trust_env=True,
        connector=TCPConnector(force_close=True, resolver=ListResolver(), use_dns_cache=False),
        middlewares=[keep_to_list],
    )


def make(config: ReceiverConfig, session: ClientSession, *, slack_buttons: bool = False) -> Receiver:
    """Return the client of one integration."""
    if isinstance(config, SlackConfig):
        return SlackReceiver(config, session, has_buttons=slack_buttons)
    return REGISTRY[type(config)](config, session)


class Receivers:
    """The clients of every integration of a config, each behind a breaker of its own.

    Parameters
    ----------
    slack_buttons
        Whether messages in Slack have buttons: presses reach the web face.

    Raises
    ------
    UnknownReceiver
        By `send`, for a delivery of another config.
    """

    def __init__(
        self,
        config: Config,
        session: ClientSession,
        now_ms: Callable[[], int] = clock_ms,
        *,
        slack_buttons: bool = False,
    ) -> None:
        places = (place for places in config.integrations().values() for place in places)
        self._receivers = {
            place.key: make(place.config, session, slack_buttons=slack_buttons) for place in places
        }
        self._breakers = dict.fromkeys(self._receivers, Breaker())
        self._paces: dict[str, Pace] = {}
        self._catalogue = config.catalogue
        self._egress = Egress(config.defaults.egress_allow)
        self._now_ms = now_ms

    async def send(self, delivery: Delivery) -> Outcome | Finding:
        """Try once to send, or find out. Deliveries are independent: send them concurrently, settle each by itself.

        What is for a receiver that is let rest is not sent, but told to be tried later: see `alerts.breaker`.
        """
        key = delivery.integration.key
        receiver = self._receivers.get(key)
        if receiver is None:
            raise UnknownReceiver(f"no receiver {key!r} in this config; build Receivers anew")
        now_ms = self._now_ms()
        if paced := self._paced(delivery, now_ms):
            return paced
        self._breakers[key], wait_ms = admit(self._breakers[key], now_ms)
        if wait_ms:
            return Retry(wait_ms, f"not sent: {key} is let rest until {rfc3339(now_ms + wait_ms)}")
        outcome = await self._try(receiver, delivery)
        self._breakers[key] = after(self._breakers[key], outcome, self._now_ms())
        return outcome

    def _paced(self, delivery: Delivery, now_ms: int) -> Retry | None:
        """Return until when a message must wait for its turn; what posts none need not."""
        config, notification = delivery.integration.config, delivery.notification
        if not isinstance(config, SlackConfig) or delivery.asks_for or notification.is_quiet:
            return None
        pace = self._paces.setdefault(config.channel, Pace(SLACK_MS))
        wait_ms = pace.wait_ms(f"{delivery.integration.key} {notification.group_key}", now_ms)
        return (
            Retry(wait_ms, "not sent yet: Slack takes one message a second for a channel")
            if wait_ms
            else None
        )

    async def _try(self, receiver: Receiver, delivery: Delivery) -> Outcome | Finding:
        try:
            notification, plain_because = worded(
                delivery.notification, delivery.integration.config, self._catalogue
            )
            with through(self._egress):
                if delivery.asks_for:
                    return await _find(receiver, delivery)
                outcome = await receiver.send(notification, delivery.previous_reference)
            return replace(outcome, plain_because=plain_because) if plain_because else outcome
        except EgressRefused as error:
            return Failed(str(error))
        except Exception as error:
            # A defect of one receiver must neither lose the notification nor stop the others. Only the
            # kind is told, as messages may hold addresses with secrets.
            kind = type(error).__name__
            _logger.error("receiver %s broke with %s; will be tried again", delivery.integration.key, kind)
            return Retry(0, f"the receiver broke ({kind}); please report it", maybe_delivered=True)


async def _find(receiver: Receiver, delivery: Delivery) -> Finding | Retry:
    if not isinstance(receiver, Askable):
        return Unknowable("receivers of this kind cannot be asked")
    return await receiver.find(delivery.asks_for, delivery.previous_reference, delivery.begun_ms)
