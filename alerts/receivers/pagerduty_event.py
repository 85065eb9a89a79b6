"""A notification as an event of PagerDuty's Events API v2, within its limits."""

import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from alerts.notification import Notification, NotifiedAlert, clip, rfc3339
from alerts.pagerduty_config import PagerdutyConfig
from alerts.pictures import plot_of

#: PagerDuty refuses a summary, or an event, that is larger.
SUMMARY_LIMIT = 1_024
EVENT_LIMIT_BYTES = 512_000
_VALUE_LIMIT = 1_000
_LABELS_SHOWN = 50
_LINKS_SHOWN = 20
_IMAGES_SHOWN = 3
_OWN_DETAILS_LIMIT = 50_000
_SEVERITIES: Mapping[str, str] = {name: name for name in ("critical", "error", "warning", "info")}


def dedup_key(group_key: str) -> str:
    """Return what PagerDuty knows a group by, the same for all its events, and as Alertmanager makes it.

    Examples
    --------
    >>> dedup_key('{}:{model="churn"}')[:16]
    '8c73f12671a11778'
    """
    return sha256(group_key.encode("utf-8", "surrogatepass")).hexdigest()


def encode(notification: Notification, config: PagerdutyConfig, routing_key: str) -> bytes:
    """Return the event as JSON of at most 512,000 bytes.

    Where all does not fit, values are shortened first, then the least bad alerts are left out;
    ``custom_details.cut`` names both. A group that is over resolves; every other event triggers, which adds
    to the alert that is open already. A quiet notification acknowledges it: PagerDuty then stops escalating.
    """
    if notification.is_quiet:
        event = {"event_action": "acknowledge", "dedup_key": dedup_key(notification.group_key)}
        return json.dumps({"routing_key": routing_key, **event}, separators=(",", ":")).encode()
    base = _base(notification, config, routing_key)
    for alerts, cut in _ever_less(notification):
        base["payload"]["custom_details"] |= {"alerts": alerts} | ({"cut": cut} if cut else {})
        body = json.dumps(base, separators=(",", ":")).encode()
        if len(body) <= EVENT_LIMIT_BYTES:
            break
    return body


def _ever_less(notification: Notification) -> Iterator[tuple[list[dict[str, Any]], list[str]]]:
    alerts = notification.alerts
    yield [_alert(notification, alert, str) for alert in alerts], []
    short = [_alert(notification, alert, lambda text: clip(text, _VALUE_LIMIT)) for alert in alerts]
    shortened = f"texts are shortened to {_VALUE_LIMIT} characters"
    yield short, [shortened]
    shown = len(short)
    while shown:
        shown //= 2
        left_out = f"{len(short) - shown} of {len(short)} alerts, the least bad, are left out"
        yield short[:shown], [shortened, left_out]


def _base(notification: Notification, config: PagerdutyConfig, routing_key: str) -> dict[str, Any]:
    given: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if notification.status == "resolved" else "trigger",
        "dedup_key": dedup_key(notification.group_key),
        "client": clip(config.client, _VALUE_LIMIT),
        "client_url": config.client_url or notification.external_url,
        "payload": _payload(notification, config),
        "links": _links(notification, config),
        "images": _images(notification, config),
    }
    return {name: value for name, value in given.items() if value}


def _images(notification: Notification, config: PagerdutyConfig) -> list[dict[str, str]]:
    """Return the config's pictures, then those of the evidence, worst alert first; PagerDuty takes https alone."""
    found = [image.model_dump(exclude_none=True) for image in config.images]
    for alert in notification.firing:
        address = plot_of(notification, alert)
        if address.startswith("https://") and len(found) < _IMAGES_SHOWN + len(config.images):
            href = {"href": dashboard} if (dashboard := notification.dashboard_of(alert)) else {}
            found.append({"src": address, "alt": clip(alert.sentence, _VALUE_LIMIT), **href})
    return found


def _payload(notification: Notification, config: PagerdutyConfig) -> dict[str, Any]:
    first, common = notification.alerts[0], notification.common_labels
    severities = {**_SEVERITIES, **config.severities}
    model = clip(common.get("model", ""), _VALUE_LIMIT)
    given = {
        "summary": clip(_summary(notification), SUMMARY_LIMIT),
        "source": model or "driftline",
        "severity": severities.get(first.severity, "error"),
        "timestamp": rfc3339(min(alert.starts_at_ms for alert in notification.alerts)),
        "component": model,
        "group": clip(common.get("team", ""), _VALUE_LIMIT),
        "class": clip(common.get("alertname", ""), _VALUE_LIMIT),
        "custom_details": _details(notification, config),
    }
    return {name: value for name, value in given.items() if value}


def _summary(notification: Notification) -> str:
    built_in = f"{notification.title} | {notification.alerts[0].sentence}"
    return notification.wording.get("description", built_in)


def _own_details(notification: Notification, config: PagerdutyConfig) -> dict[str, str]:
    """Return what the config's templates made, in order, as far as there is room; plain ones even where one failed."""
    found: dict[str, str] = {}
    room = _OWN_DETAILS_LIMIT
    for name, written in config.details.items():
        as_it_is = "" if "{" in written else written
        text = notification.wording.get(f"details.{name}", as_it_is)[:room]
        found |= {name: text} if text else {}
        room -= len(text)
    return found


def _details(notification: Notification, config: PagerdutyConfig) -> dict[str, Any]:
    labels = list(notification.group_labels.items())[:_LABELS_SHOWN]
    given: dict[str, Any] = {
        "status": notification.status,
        "firing": len(notification.firing),
        "resolved": len(notification.resolved),
        "receiver": clip(notification.receiver, _VALUE_LIMIT),
        "group": {clip(name, _VALUE_LIMIT): clip(value, _VALUE_LIMIT) for name, value in labels},
        "why": str(notification.reason),
    }
    given |= (
        {"notes": [clip(note, _VALUE_LIMIT) for note in notification.notes]} if notification.notes else {}
    )
    given |= {"top_features": notification.top_features} if notification.top_features else {}
    given |= {"possible_repeat": True} if notification.possible_repeat else {}
    return {**_own_details(notification, config), **given}


def _alert(notification: Notification, alert: NotifiedAlert, shown: Callable[[str], str]) -> dict[str, Any]:
    given = {
        "what": alert.subject,
        "status": alert.status,
        "severity": shown(alert.severity),
        "sentence": alert.sentence,
        "evidence": alert.facts,
        "cause": alert.cause,
        "features": ", ".join(alert.features),
        "when": alert.since,
        "runbook": notification.runbook_of(alert),
        "dashboard": notification.dashboard_of(alert),
        "plot": plot_of(notification, alert),
        "labels": _shown(alert.labels, shown),
        "annotations": _shown(alert.annotations, shown),
        "fingerprint": alert.fingerprint,
    }
    return {name: value for name, value in given.items() if value}


def _shown(texts: Mapping[str, str], shown: Callable[[str], str]) -> dict[str, str]:
    return {shown(name): shown(value) for name, value in texts.items()}


def _links(notification: Notification, config: PagerdutyConfig) -> list[dict[str, str]]:
    found: dict[str, str] = {}
    for alert in notification.alerts:
        kind = clip(alert.labels.get("alertname") or "alert", 100)
        found.setdefault(notification.runbook_of(alert), f"Runbook: {kind}")
        found.setdefault(notification.dashboard_of(alert), f"Dashboard: {kind}")
    found.pop("", None)
    links = list(found.items())
    if notification.firing and notification.silence_url:
        # After the worst alert's own, and never cut off.
        links.insert(2, (notification.silence_url, "Silence these alerts"))
    own = [link.model_dump(exclude_none=True) for link in config.links]
    return [*own, *({"href": href, "text": text} for href, text in links[:_LINKS_SHOWN])]
