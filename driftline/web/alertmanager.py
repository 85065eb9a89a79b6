"""Alertmanager's shapes, API version 2, from what the desk holds and back.

References
----------
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts import matcher as matchers
from alerts.command import AddSilence
from alerts.matcher import Matcher, quote
from alerts.notification import rfc3339
from alerts.silence import Holds, Silence, compiled
from driftline.web.times import since_epoch_ms
from streams.desk_views import DeskAlertRow

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_STATES = ("active", "pending", "expired")
#: What Alertmanager tells of alerts without an end.
RESOLVE_TIMEOUT_MS = 5 * 60_000

Holding = Sequence[tuple[str, Holds]]


class PostedMatcher(BaseModel):
    """A matcher as it is posted; ``isEqual`` came later and may be missing."""

    name: str = Field(pattern=_NAME.pattern)
    value: str
    isRegex: bool
    isEqual: bool = True

    @property
    def text(self) -> str:
        """The same in one line."""
        operators = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
        return f"{self.name}{operators[self.isRegex, self.isEqual]}{quote(self.value)}"


class PostedSilence(BaseModel):
    """A silence as it is posted; ``id`` names the one to change."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = None
    matchers: list[PostedMatcher]
    startsAt: AwareDatetime
    endsAt: AwareDatetime
    createdBy: str
    comment: str

    def command(self, command_id: str, now_ms: int) -> AddSilence:
        """Return what the desk is asked; raises ValidationError for what it would not do."""
        starts_at_ms = since_epoch_ms(self.startsAt)
        return AddSilence.model_validate(
            {
                "id": command_id,
                "silence_id": self.id or "",
                "matchers": [matcher.text for matcher in self.matchers],
                # At once, by the desk's clock, where it is not meant to wait.
                "starts_at_ms": starts_at_ms if starts_at_ms > now_ms else None,
                "ends_at_ms": since_epoch_ms(self.endsAt),
                "created_by": self.createdBy,
                "comment": self.comment,
            }
        )


def silence_json(silence: Silence, now_ms: int) -> dict[str, Any]:
    """Return a silence as Alertmanager tells of it."""
    return {
        "id": silence.id,
        "status": {"state": silence.state(now_ms)},
        "updatedAt": rfc3339(silence.updated_at_ms),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": rfc3339(silence.ends_at_ms),
        "startsAt": rfc3339(silence.starts_at_ms),
        "matchers": [_matcher_json(one) for text in silence.matchers for one in matchers.parse(text)],
    }


def _matcher_json(one: Matcher) -> dict[str, Any]:
    return {
        "name": one.name,
        "value": one.value,
        "isRegex": "~" in one.operator,
        "isEqual": not one.operator.startswith("!"),
    }


def in_order(silences: Iterable[Silence], now_ms: int) -> list[Silence]:
    """Return silences as Alertmanager sorts them: those that hold, soonest to end first; those to come; those over."""

    def place(silence: Silence) -> tuple[int, int, str]:
        state = silence.state(now_ms)
        soonest = {"active": silence.ends_at_ms, "pending": silence.starts_at_ms}
        return _STATES.index(state), soonest.get(state, -silence.ends_at_ms), silence.id

    return sorted(silences, key=place)


def filters(texts: Sequence[str]) -> Holding:
    """Return the conditions of ``filter`` parameters; raises MatcherError."""
    return compiled(tuple(texts))


def fits(labels: Mapping[str, str], holding: Holding) -> bool:
    """Return whether labels fit all filters."""
    return all(holds(labels.get(name, "")) for name, holds in holding)


def silence_fits(silence: Silence, holding: Holding) -> bool:
    """Return whether a silence's own matchers fit all filters, each matcher standing for a label."""
    named = [one for text in silence.matchers for one in matchers.parse(text)]
    return fits({one.name: one.value for one in named}, holding)


def alert_json(
    row: DeskAlertRow, silences: Mapping[str, Silence], receivers: Sequence[str], now_ms: int
) -> dict[str, Any]:
    """Return an alert as Alertmanager tells of it.

    Driftline's own have no end while they fire; they are given the one Alertmanager gives to such alerts.
    """
    silenced_by = row.silenced_by(silences, now_ms)
    inhibited_by = row.suppressed.get("inhibited", [])
    muted_by = [*row.suppressed.get("muted", []), *row.suppressed.get("inactive", [])]
    ends_at_ms = row.ends_at_ms or now_ms + RESOLVE_TIMEOUT_MS
    return {
        "annotations": row.annotations,
        "endsAt": rfc3339(ends_at_ms),
        "fingerprint": row.fingerprint,
        "receivers": [{"name": name} for name in receivers],
        "startsAt": rfc3339(row.starts_at_ms),
        "status": {
            "inhibitedBy": inhibited_by,
            "mutedBy": muted_by,
            "silencedBy": silenced_by,
            "state": "suppressed" if silenced_by or inhibited_by or muted_by else "active",
        },
        "updatedAt": rfc3339(row.updated_at_ms),
        "generatorURL": row.generator_url or row.annotations.get("dashboard_url", ""),
        "labels": row.labels,
    }
