"""Alertmanager's ``POST /api/v2/alerts``: what was posted, as commands for the desk, and what is wrong with the rest.

References
----------
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (``postableAlerts``)
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import MINYEAR
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from alerts.command import MAX_PUSHED, PushAlerts
from alerts.notification import clip
from alerts.pushed import Pushed
from driftline.commands import new_id
from driftline.web.times import since_epoch_ms

#: What one command holds at most, in bytes; a record has about 1 MB.
MAX_COMMAND_BYTES = 256 * 1024
#: Mistakes that are told one by one.
TOLD = 20


class PostedAlert(BaseModel):
    """An alert as it is posted; the year 1 stands for a time that is not given."""

    model_config = ConfigDict(extra="ignore")

    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    startsAt: AwareDatetime | None = None
    endsAt: AwareDatetime | None = None
    generatorURL: str | None = None

    @property
    def pushed(self) -> Pushed:
        """The same for the desk; raises ValidationError."""
        return Pushed(
            labels=self.labels,
            annotations=self.annotations or {},
            starts_at_ms=_given(self.startsAt),
            ends_at_ms=_given(self.endsAt),
            generator_url=self.generatorURL or "",
        )


def _given(at: AwareDatetime | None) -> int | None:
    return None if at is None or at.year == MINYEAR else since_epoch_ms(at)


@dataclass(frozen=True, slots=True)
class Post:
    """The good alerts of a post, and a sentence on each of the others."""

    alerts: list[Pushed]
    mistakes: list[str]

    @property
    def told(self) -> str:
        """The first mistakes, one a line, and how many more there are."""
        more = len(self.mistakes) - TOLD
        return "\n".join([*self.mistakes[:TOLD], *([f"and {more:,} more"] if more > 0 else [])])


def read(body: bytes) -> Post:
    """Return what was posted.

    Raises
    ------
    ValueError
        If it is no list of alerts at all.
    """
    try:
        posted = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is no JSON: {error}") from error
    if not isinstance(posted, list):
        raise ValueError("the body is no list; post a list of alerts, each with labels")
    post = Post([], [])
    for number, one in enumerate(posted, 1):
        try:
            post.alerts.append(PostedAlert.model_validate(one).pushed)
        except ValidationError as error:
            post.mistakes.append(f"alert {number} {_name(one)}: {_reasons(error)}")
    return post


def commands(alerts: Iterable[Pushed]) -> Iterator[PushAlerts]:
    """Yield the commands that push alerts, in order, each small enough for one record."""
    held: list[Pushed] = []
    size = 0
    for alert in alerts:
        more = len(alert.model_dump_json().encode())
        if held and (size + more > MAX_COMMAND_BYTES or len(held) == MAX_PUSHED):
            yield PushAlerts(id=new_id(), alerts=tuple(held))
            held, size = [], 0
        held.append(alert)
        size += more
    if held:
        yield PushAlerts(id=new_id(), alerts=tuple(held))


def _name(posted: Any) -> str:
    labels = posted.get("labels") if isinstance(posted, dict) else None
    return clip(json.dumps(labels), 300)


def _reasons(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    reasons = (
        ": ".join([*[".".join(str(part)[:80] for part in one["loc"])] * bool(one["loc"]), one["msg"]])
        for one in found
    )
    return "; ".join(reason.replace("Value error, ", "") for reason in list(reasons)[:5])
