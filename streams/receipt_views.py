"""What Redis holds of each alert's way through the desk: its delivery receipt.

==================================  ========  ==============================================================
key                                 type      value
==================================  ========  ==============================================================
``driftline:desk:receipts``         HASH      fingerprint -> `ReceiptRow`; those lately over too
==================================  ========  ==============================================================
"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, Field

from alerts.ack import Ack
from alerts.decision import Decision
from alerts.desk import Desk
from alerts.state import Record

RECEIPTS = "desk:receipts"
#: Annotations that a receipt shows; evidence is with the alert itself, and large.
_SHOWN = ("summary", "description", "cause", "runbook_url", "dashboard_url")


class Step(BaseModel):
    """One decision of the desk about an alert; times in epoch ms."""

    at_ms: int = Field(description="when it was decided; where it was several times, the last")
    since_ms: int | None = Field(default=None, description="where it was several times, the first")
    times: int = 1
    stage: str = Field(description="the stage that decided, such as group or deliver")
    reason: str = Field(description="what it decided, as a word for programs, such as sent")
    text: str = Field(description="the same for people")
    where: str = Field(
        default="",
        description="what it is about: a group's key, an integration, a silence, or the alert that inhibits",
    )
    detail: str = ""
    message: str = Field(default="", description="id of the notification, its Idempotency-Key")


class ReceiptRow(BaseModel):
    """An alert's way through the desk, decision by decision; times in epoch ms."""

    fingerprint: str
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    pending_since_ms: int | None = Field(
        default=None, description="first verdict that led to it (event time)"
    )
    starts_at_ms: int = Field(description="when it began to fire (event time)")
    ends_at_ms: int | None = Field(default=None, description="when it was over (event time)")
    groups: list[str] = Field(default=[], description="keys of the groups it is in")
    ack: Ack | None = None
    left_out: int = Field(default=0, description="decisions there was no room for, after the first dozen")
    steps: list[Step] = Field(description="oldest first")


def receipt_json(desk: Desk, fingerprint: str) -> str | None:
    """Return the row of an alert as JSON, in the shape of a `ReceiptRow`; None if the desk does not know it."""
    record = desk.alerts.get(fingerprint)
    if record is None:
        return None
    row = {
        name: value for name, value in _row(desk, fingerprint, record) if value not in (None, {}, [], 0, "")
    }
    return msgspec.json.encode({"steps": [], "starts_at_ms": 0} | row).decode()


def _row(desk: Desk, fingerprint: str, record: Record) -> Iterator[tuple[str, Any]]:
    upsert = record.upsert
    yield "fingerprint", fingerprint
    yield "status", "firing" if record.firing else "resolved"
    yield "labels", upsert.labels
    yield "annotations", {name: upsert.annotations[name] for name in _SHOWN if upsert.annotations.get(name)}
    yield "pending_since_ms", upsert.pending_since_ms
    yield "starts_at_ms", upsert.starts_at_ms
    yield "ends_at_ms", None if record.firing else upsert.ends_at_ms
    groups = (desk.group(name) for name, departure in sorted(record.groups.items()) if departure is None)
    yield "groups", [group[0] for group in groups if group is not None]
    yield "ack", record.ack
    yield "left_out", record.left_out
    yield "steps", [_step(decision) for decision in record.history]


def _step(decision: Decision) -> dict[str, Any]:
    step: dict[str, Any] = {
        "at_ms": decision.at_ms,
        "stage": decision.stage.value,
        "reason": decision.reason.name.lower(),
        "text": decision.reason.value,
    }
    if decision.times > 1:
        step |= {"times": decision.times, "since_ms": decision.since_ms}
    given = {"where": decision.where, "detail": decision.detail, "message": decision.message}
    return step | {name: value for name, value in given.items() if value}
