"""Another Alertmanager as a receiver: alerts are handed over, and it decides who is told.

There, labels are an alert's whole identity, ``severity`` with them, and one that fires without an end is over
after a while. So each alert that fires is given an end far ahead, and one whose severity changes is ended
under the severity it was handed over with.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from aiohttp import ClientSession

from alerts.alertmanager_config import AlertmanagerConfig
from alerts.errors import SecretUnreadable
from alerts.notification import SEVERITY_RANK, Notification, NotifiedAlert, clip, rfc3339
from alerts.outcome import Failed, Outcome, Sent
from alerts.receivers.base import clock_ms, judge_status
from alerts.receivers.http import Answer, post
from alerts.receivers.login import hide, login, secrets_of, trust

_WHO = "Alertmanager"
_REPEATS_MISSED = 3
_SAID_LIMIT = 160


class AlertmanagerReceiver:
    """Posts to ``/api/v2/alerts``. The same alert twice is one there, so a repeated try changes nothing.

    The reference is ``{"told"}``: JSON of the fingerprints that were handed over as firing, by severity.

    When to use: where a team runs an Alertmanager already.

    References
    ----------
    https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
    """

    def __init__(
        self, config: AlertmanagerConfig, session: ClientSession, now_ms: Callable[[], int] = clock_ms
    ) -> None:
        self.config = config
        self._session = session
        self._now_ms = now_ms

    async def send(self, notification: Notification, previous_reference: Mapping[str, str] | None) -> Outcome:
        """Hand over what fires and what is over."""
        told = _unpacked((previous_reference or {}).get("told", ""))
        alerts = list(handed_over(notification, told, self.config, self._now_ms()))
        try:
            headers = login(self.config.http_config)
            tls = trust(self.config.http_config)
        except SecretUnreadable as error:
            return Failed(str(error))
        url = self.config.url.get_secret_value().rstrip("/") + "/api/v2/alerts"
        answer = await post(
            self._session,
            url,
            json.dumps(alerts).encode(),
            {"Content-Type": "application/json"} | headers,
            timeout_ms=self.config.timeout_ms,
            who=_WHO,
            tls=tls,
        )
        if not isinstance(answer, Answer):
            return answer
        if answer.status == 400:
            # It has kept the good ones.
            said = _said(answer, secrets_of(self.config.url.get_secret_value(), headers))
            return Failed(f"{_WHO} refused an alert (400){said}; check its labels and links")
        refused = judge_status(answer.status, answer.headers, _WHO)
        return refused or Sent({"told": _packed(_known(notification, told))})


def handed_over(
    notification: Notification, told: Mapping[str, str], config: AlertmanagerConfig, now_ms: int
) -> Iterator[dict[str, Any]]:
    """Yield the alerts as Alertmanager takes them.

    Parameters
    ----------
    told
        Fingerprint -> severity under which it was last handed over as firing.
    """
    until_ms = now_ms + max(config.stands_for_ms, _REPEATS_MISSED * notification.repeat_interval_ms)
    for alert in notification.alerts:
        over = alert.status == "resolved"
        ended_ms = now_ms if alert.ends_at_ms is None else alert.ends_at_ms
        yield _alert(notification, alert, config.labels, alert.severity, ended_ms if over else until_ms)
        for severity in sorted(_others(notification, alert, told)):
            yield _alert(notification, alert, config.labels, severity, ended_ms if over else now_ms)


def _others(notification: Notification, alert: NotifiedAlert, told: Mapping[str, str]) -> set[str]:
    """Return the severities under which it may stand there too, and does not any more."""
    stale = {told[alert.fingerprint]} if alert.fingerprint in told else set()
    # What a try that may have arrived said is not known any more.
    stale |= set(SEVERITY_RANK) if notification.possible_repeat else set()
    return stale - {alert.severity}


def _alert(
    notification: Notification,
    alert: NotifiedAlert,
    labels: Mapping[str, str],
    severity: str,
    ends_at_ms: int,
) -> dict[str, Any]:
    return {
        "labels": {**labels, **alert.labels, "severity": severity},
        "annotations": notification.annotations_of(alert),
        "startsAt": rfc3339(alert.starts_at_ms),
        "endsAt": rfc3339(max(ends_at_ms, alert.starts_at_ms)),
        "generatorURL": notification.generator_of(alert),
    }


def _known(notification: Notification, told: Mapping[str, str]) -> dict[str, str]:
    over = {alert.fingerprint for alert in notification.resolved}
    kept = {fingerprint: severity for fingerprint, severity in told.items() if fingerprint not in over}
    return kept | {alert.fingerprint: alert.severity for alert in notification.firing}


def _packed(told: Mapping[str, str]) -> str:
    by_severity: dict[str, list[str]] = {}
    for fingerprint, severity in sorted(told.items()):
        by_severity.setdefault(severity, []).append(fingerprint)
    return json.dumps({severity: " ".join(names) for severity, names in sorted(by_severity.items())})


def _unpacked(text: str) -> dict[str, str]:
    by_severity: dict[str, str] = json.loads(text) if text else {}
    return {name: severity for severity, names in by_severity.items() for name in names.split()}


def _said(answer: Answer, secrets: Iterable[str]) -> str:
    try:
        said = json.loads(answer.body)
    except ValueError:
        return ""
    text = said.get("message") if isinstance(said, dict) else said
    return f": {clip(hide(text, secrets), _SAID_LIMIT)}" if isinstance(text, str) and text else ""
