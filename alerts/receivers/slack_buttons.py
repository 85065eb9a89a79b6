"""The buttons below a Slack message, and what a press of one asks of the desk.

Whatever a press needs stands in the button's value, so that it can be read without any state: the group, the
matchers of a silence, and the time zone in which a day ends.
"""

import json
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, ConfigDict, Field

from alerts.book import identify
from alerts.command import Acknowledge, AddSilence, Command
from alerts.matcher import quote
from alerts.notification import Notification, clip
from alerts.silence import MAX_MATCHERS
from alerts.zone import ZoneName, zone

ACKNOWLEDGE = "acknowledge"
TODAY = "silence_today"
#: Links are buttons too, of which Slack tells us although nothing is to be done.
LINK = "open_"
_HOUR_MS = 3_600_000
_FOR_MS: Mapping[str, int] = {"silence_1h": _HOUR_MS, "silence_4h": 4 * _HOUR_MS}
_WORDS = {"silence_1h": "Silence 1h", "silence_4h": "Silence 4h", TODAY: "Silence today"}
_VALUE_LIMIT = 2_000
_NAME_LIMIT = 120


class Press(BaseModel):
    """What Slack posts when somebody presses a button: of its block_actions payload, what is needed.

    References
    ----------
    https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    class Named(BaseModel):
        """A person or a workspace."""

        id: str = Field(min_length=1, max_length=100)
        username: str = ""
        name: str = ""

    class Container(BaseModel):
        """The message with the button."""

        channel_id: str = Field(max_length=100)
        message_ts: str = Field(max_length=100)

    class Action(BaseModel):
        """The button, and when it was pressed."""

        action_id: str = Field(max_length=255)
        action_ts: str = Field(min_length=1, max_length=100)
        value: str = Field(default="", max_length=_VALUE_LIMIT)

    type: Literal["block_actions"]
    user: Named
    team: Named | None = None
    container: Container
    actions: tuple[Action, ...] = Field(min_length=1, max_length=1)

    @property
    def id(self) -> str:
        """One of its own, the same however often Slack posts it."""
        (action,) = self.actions
        where = (self.team.id if self.team else "", self.container.channel_id, self.container.message_ts)
        parts = (*where, self.user.id, action.action_id, action.action_ts)
        return str(uuid5(NAMESPACE_URL, "driftline:" + json.dumps(parts)))

    @property
    def by(self) -> str:
        """Who pressed it."""
        name = clip(self.user.username or self.user.name, _NAME_LIMIT) or self.user.id
        return f"{name} (Slack)"


class _Value(BaseModel):
    """A button's value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    group: str = Field(pattern=r"^[0-9a-f]{16}$")
    matchers: tuple[str, ...] = ()
    location: ZoneName = "UTC"


def buttons(notification: Notification, location: str) -> list[dict[str, Any]]:
    """Return the buttons of a message, for its actions block; none once all is over.

    Acknowledge goes once all that fires is acknowledged.
    Silences hold for the group's labels; where it has none, for what its alerts share. Without either, or where
    that is more than a value holds, only Acknowledge is there.
    """
    if notification.status != "firing":
        return []
    group = identify(notification.group_key)
    first = _button(ACKNOWLEDGE, "Acknowledge", {"group": group}) | {"style": "primary"}
    found = [] if notification.is_acknowledged else [first]
    value = {"group": group, "matchers": _matchers(notification), "location": location}
    if value["matchers"] and len(_text(value)) <= _VALUE_LIMIT:
        found += [_button(action, words, value) for action, words in _WORDS.items()]
    return found


def command(press: Press, now_ms: int) -> Command | None:
    """Return what a press asks of the desk; None if nothing.

    Raises
    ------
    ValueError
        If the button is none of ours, or its value none that we write.
    """
    (action,) = press.actions
    if action.action_id.startswith(LINK):
        return None
    if action.action_id != ACKNOWLEDGE and action.action_id not in _WORDS:
        raise ValueError(f"there is no button {action.action_id[:80]!r}")
    value = _Value.model_validate_json(action.value)
    if action.action_id == ACKNOWLEDGE:
        return Acknowledge(id=press.id, target=value.group, by=press.by)
    is_today = action.action_id == TODAY
    ends_at_ms = day_end_ms(now_ms, value.location) if is_today else now_ms + _FOR_MS[action.action_id]
    return AddSilence(
        id=press.id, matchers=value.matchers, ends_at_ms=ends_at_ms, created_by=press.by,
        comment=f"{_WORDS[action.action_id]}, pressed in Slack",
    )  # fmt: skip


def day_end_ms(now_ms: int, location: str) -> int:
    """Return when the day is over, in epoch ms; in its last hour, when the next one is.

    Examples
    --------
    >>> day_end_ms(1_795_424_400_000, "UTC") - 1_795_424_400_000 == 15 * 3_600_000
    True
    """
    here = zone(location)
    today = datetime.fromtimestamp(now_ms / 1000, here).date()
    ends = (_midnight_ms(today + timedelta(days=days), here) for days in (1, 2))
    return next(end_ms for end_ms in ends if end_ms - now_ms >= _HOUR_MS)


def _midnight_ms(day: Any, here: Any) -> int:
    return round(datetime.combine(day, time(), here).timestamp() * 1000)


def _matchers(notification: Notification) -> list[str]:
    labels: Mapping[str, str] = notification.group_labels
    if not any(labels.values()):
        # Without its severity: a silence ends early for an alert that gets worse.
        shared = notification.common_labels.items()
        labels = {name: value for name, value in shared if name != "severity"}
    lines = [f"{name}={quote(value)}" for name, value in labels.items()]
    return lines if any(labels.values()) and len(lines) <= MAX_MATCHERS else []


def _button(action: str, words: str, value: Mapping[str, Any]) -> dict[str, Any]:
    text = {"type": "plain_text", "text": words, "emoji": False}
    return {"type": "button", "action_id": action, "text": text, "value": _text(value)}


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
