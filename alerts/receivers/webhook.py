"""Alertmanager's webhook, version 4: what speaks to Alertmanager speaks to us."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import ClientSession
from pydantic import SecretStr

from alerts.errors import SecretUnreadable
from alerts.notification import Notification, NotifiedAlert, rfc3339
from alerts.outcome import Failed, Outcome, Sent
from alerts.receivers.base import clock_ms, judge_status, secret
from alerts.receivers.http import Answer, post
from alerts.receivers.login import login, trust
from alerts.receivers.signature import SIGNATURE, sign
from alerts.webhook_config import WebhookConfig

#: How Alertmanager writes the end of an alert that has not ended.
NO_END = "0001-01-01T00:00:00Z"
#: The header of a notification that may have arrived before.
POSSIBLE_REPEAT = "Driftline-Possible-Repeat"
_WHO = "the webhook"


class WebhookReceiver:
    """Posts the payload as JSON. ``Idempotency-Key`` is the same for each try of the same content.

    One that may have arrived before carries ``Driftline-Possible-Repeat: true``, as Alertmanager's payload
    has no place for it. With a ``secret`` each try is signed: `alerts.receivers.signature`.

    When to use: for anything that takes Alertmanager's webhooks, and to hand over to your own code.
    """

    def __init__(
        self, config: WebhookConfig, session: ClientSession, now_ms: Callable[[], int] = clock_ms
    ) -> None:
        self.config = config
        self._session = session
        self._now_ms = now_ms

    async def send(self, notification: Notification, previous_reference: Mapping[str, str] | None) -> Outcome:
        """Post once. Redirects are not followed: they could lead inside the network."""
        body = json.dumps(payload(notification, self.config.max_alerts)).encode()
        try:
            url = self._read("url_file", self.config.url, self.config.url_file)
            headers = self._headers(notification) | self._signature(body) | login(self.config.http_config)
            tls = trust(self.config.http_config)
        except SecretUnreadable as error:
            return Failed(str(error))
        answer = await post(
            self._session, url, body, headers, timeout_ms=self.config.timeout_ms, who=_WHO, tls=tls
        )
        if not isinstance(answer, Answer):
            return answer
        return judge_status(answer.status, answer.headers, _WHO) or Sent()

    def _signature(self, body: bytes) -> dict[str, str]:
        if self.config.secret is None and self.config.secret_file is None:
            return {}
        key = self._read("secret_file", self.config.secret, self.config.secret_file)
        return {SIGNATURE: sign(key, body, self._now_ms() // 1000)}

    def _headers(self, notification: Notification) -> dict[str, str]:
        own = {"Content-Type": "application/json", "Idempotency-Key": notification.idempotency_key}
        if notification.possible_repeat:
            own[POSSIBLE_REPEAT] = "true"
        return {name: value.get_secret_value() for name, value in self.config.headers.items()} | own

    @staticmethod
    def _read(key: str, value: SecretStr | None, file: str | None) -> str:
        try:
            return secret(value, file)
        except SecretUnreadable as error:
            raise SecretUnreadable(f"{key}: {error}") from error


def payload(notification: Notification, max_alerts: int = 0) -> dict[str, Any]:
    """Return the version-4 payload; ``max_alerts`` 0 keeps all, else the worst come first and the rest go.

    References
    ----------
    https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
    """
    alerts = notification.alerts[: max_alerts or None]
    return {
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": len(notification.alerts) - len(alerts),
        "status": notification.status,
        "receiver": notification.receiver,
        "groupLabels": dict(notification.group_labels),
        "commonLabels": notification.common_labels,
        "commonAnnotations": notification.common_annotations,
        "externalURL": notification.external_url,
        "alerts": [_alert(notification, alert) for alert in alerts],
    }


def _alert(notification: Notification, alert: NotifiedAlert) -> dict[str, Any]:
    ended = alert.status == "resolved" and alert.ends_at_ms is not None
    return {
        "status": alert.status,
        "labels": dict(alert.labels),
        "annotations": notification.annotations_of(alert),
        "startsAt": rfc3339(alert.starts_at_ms),
        "endsAt": rfc3339(alert.ends_at_ms or 0) if ended else NO_END,
        "generatorURL": notification.generator_of(alert),
        "fingerprint": alert.fingerprint,
    }
