"""Templates tried out before there is a message: those that would fail, and those where none is looked for."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from alerts.config import Config, Receiver
from alerts.decision import Reason
from alerts.notification import Notification, NotifiedAlert, rank
from alerts.templates.field import template_fields
from alerts.templates.wording import worded

Loc = tuple[str | int, ...]
_AT_MS = 1_795_424_400_000


def failing(config: Config) -> Iterator[tuple[Loc, str]]:
    """Yield the places of integrations whose templates fail for an ordinary notification, and why."""
    for index, receiver in enumerate(config.receivers):
        for kind in _KINDS:
            for place, section in enumerate(getattr(receiver, kind)):
                _, why = worded(_SAMPLE, section, config.catalogue)
                if why:
                    loc = ("receivers", index, kind, place)
                    yield loc, f"fails for an ordinary alert, which is then told in the built-in words: {why}"


def misplaced(data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    """Yield the places of a file where a template stands that would be sent as it is."""
    for index, receiver in enumerate(_list(data.get("receivers"))):
        for kind, section in _KINDS.items():
            for place, held in enumerate(_list(_mapping(receiver).get(kind))):
                for key, value in _mapping(held).items():
                    if isinstance(value, str) and "{{" in value and key in _literal(section):
                        has = ", ".join(template_fields(section)) or "none of its keys"
                        told = f"is no template and would be sent as it is; templates are: {has}"
                        yield ("receivers", index, kind, place, key), told


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _literal(section: type[BaseModel]) -> set[str]:
    """Return the keys of a section that hold plain text; what is secret may hold anything."""
    templates = template_fields(section)
    return {
        field.alias or name
        for name, field in section.model_fields.items()
        if name not in templates and "Secret" not in repr(field.annotation)
    }


def _sections() -> dict[str, type[BaseModel]]:
    fields = {name: get_args(field.annotation) for name, field in Receiver.model_fields.items()}
    return {
        name: kinds[0]
        for name, kinds in fields.items()
        if kinds and isinstance(kinds[0], type) and issubclass(kinds[0], BaseModel)
    }


_KINDS: Mapping[str, type[BaseModel]] = _sections()


def _alert(feature: str, severity: str, ended: bool = False) -> NotifiedAlert:
    labels = {
        "alertname": "FeatureDrift", "model": "churn", "version": "1.4.2", "feature": feature, "segment": "",
        "severity": severity, "team": "growth",
    }  # fmt: skip
    evidence = {
        "detector": "psi", "score": 0.31, "threshold": 0.2, "samples": 14_203, "value": 0.31, "labels": ["0", "1"],
        "reference": [0.4, 0.6], "current": [0.7, 0.3], "details": {},
    }  # fmt: skip
    annotations = {
        "summary": f"churn 1.4.2: {feature} has moved: PSI 0.31 > 0.2",
        "description": "psi scored 0.31 against a threshold of 0.2 over 14,203 samples.",
        "cause": f"{feature} is missing more often",
        "runbook_url": "https://driftline.example/runbooks/FeatureDrift",
        "dashboard_url": "https://driftline.example/models/churn",
        "evidence": json.dumps(evidence),
    }
    name = f"sample-{feature}"
    if ended:
        return NotifiedAlert(name, "resolved", labels, annotations, _AT_MS, _AT_MS + 600_000, "resolved")
    return NotifiedAlert(name, "firing", labels, annotations, _AT_MS, None, "joined")


_SAMPLE = Notification(
    group_key='{}:{model="churn"}',
    receiver="sample",
    group_labels={"model": "churn"},
    alerts=rank(
        [_alert("age", "critical"), _alert("plan", "warning"), _alert("tenure", "warning", ended=True)]
    ),
    reason=Reason.FIRST,
    idempotency_key="sample",
    external_url="https://driftline.example",
    repeat_interval_ms=4 * 3_600_000,
)
