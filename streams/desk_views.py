"""What Redis holds of the desk: its alerts, groups and silences, beside what `streams.views` lists.

============================================  =======  ====================================================
key                                           type     value
============================================  =======  ====================================================
``driftline:desk:alerts``                     HASH     fingerprint -> `DeskAlertRow`; those that are not closed
``driftline:desk:groups``                     HASH     group id -> `DeskGroupRow`
``driftline:desk:silences``                   HASH     id -> `alerts.silence.Silence`, lately over too
``driftline:desk:status``                     STRING   `DeskStatus`
============================================  =======  ====================================================

The desk's owner writes them once its own rows are confirmed. Whether a silence holds now follows from its times: who
reads asks `DeskAlertRow.silenced_by`.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel

from alerts import standing
from alerts.ack import Ack
from alerts.desk import Desk
from alerts.notification import rfc3339
from alerts.silence import Silence
from alerts.state import Record
from streams.views import AlertRow

ALERTS = "desk:alerts"
GROUPS = "desk:groups"
SILENCES = "desk:silences"
STATUS = "desk:status"

_UNTOLD = {"inhibited": "inhibited by alert", "muted": "muted in", "inactive": "active only in"}


class DeskAlertRow(BaseModel):
    """An alert as the desk holds it; times in epoch ms.

    Parameters
    ----------
    groups
        Ids of the groups it is in.
    silences
        Ids of the silences that match it and were not ended for it by a rise of severity.
    state
        In words, what else there is to know of how it stands: that it flaps, and so counts as firing, or that there
        is no data.
    ends_at_ms
        When it was over; of a pushed one that fires, when it will be unless it is pushed again.
    pushed, generator_url
        Whether others told of it, and where it comes from, as they say.
    suppressed
        What else kept it from being told when this was written, by kind: what it is suppressed by.
    """

    fingerprint: str
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at_ms: int
    ends_at_ms: int | None = None
    updated_at_ms: int
    groups: list[str] = []
    silences: list[str] = []
    state: str = ""
    suppressed: dict[str, list[str]] = {}
    ack: Ack | None = None
    pushed: bool = False
    generator_url: str = ""

    def silenced_by(self, silences: Mapping[str, Silence], now_ms: int) -> list[str]:
        """Return the ids of the silences that hold for it now."""
        return [
            name for name in self.silences if name in silences and silences[name].state(now_ms) == "active"
        ]

    def shown(self) -> AlertRow:
        """Return it as the judge's alerts are shown."""
        over = self.status == "resolved" and self.ends_at_ms is not None
        return AlertRow(
            at=rfc3339(self.updated_at_ms),
            status=self.status,
            labels=self.labels,
            annotations=self.annotations,
            startsAt=rfc3339(self.starts_at_ms),
            endsAt=rfc3339(self.ends_at_ms or 0) if over else None,
        )

    def untold(self, silences: Mapping[str, Silence], now_ms: int) -> list[str]:
        """Return in words what keeps it from being told, as far as the desk has said; nothing once it is over.

        Examples
        --------
        >>> row = DeskAlertRow(fingerprint="a", status="firing", labels={}, annotations={}, starts_at_ms=0,
        ...                    updated_at_ms=0, suppressed={"inhibited": ["0a1b"], "muted": ["nights"]})
        >>> row.untold({}, 0)
        ['inhibited by alert 0a1b', 'muted in nights']
        """
        if self.status != "firing":
            return []
        found = [
            f"{_UNTOLD.get(kind, kind)} {by}"
            for kind, names in sorted(self.suppressed.items())
            for by in names
        ]
        return found + [f"silenced by silence {name}" for name in self.silenced_by(silences, now_ms)]


class DeskGroupRow(BaseModel):
    """A group: its key, the labels its alerts share, and the receiver it is told to."""

    key: str
    labels: dict[str, str]
    receiver: str


class DeskStatus(BaseModel):
    """Who is told what, as others may see it, since when this owner has the desk, and who there is to be told.

    ``config`` is an `alerts.outline.outline`.
    """

    config: str
    receivers: list[str]
    since_ms: int


def suppressed_by(desk: Desk, fingerprint: str, now_ms: int) -> dict[str, list[str]]:
    """Return what keeps an alert from being told but silences, by kind."""
    found: dict[str, list[str]] = {}
    for one in desk.suppressions(fingerprint, now_ms):
        if one.kind != "silenced":
            found.setdefault(one.kind, []).append(one.by)
    return found


def _end(record: Record) -> int | None:
    if record.upsert.status == "firing":
        return None if record.push is None else record.push.ends_at_ms
    return None if record.firing else record.upsert.ends_at_ms


def alert_row(desk: Desk, fingerprint: str, now_ms: int) -> DeskAlertRow | None:
    """Return the row of an alert; None if it is closed, or not held."""
    record = desk.alerts.get(fingerprint)
    if record is None or record.closed_at_ms is not None:
        return None
    upsert = record.upsert
    return DeskAlertRow(
        fingerprint=fingerprint,
        status="firing" if record.firing else "resolved",
        labels=upsert.labels,
        annotations=upsert.annotations,
        starts_at_ms=upsert.starts_at_ms,
        ends_at_ms=_end(record),
        updated_at_ms=upsert.pane_end_ms,
        groups=sorted(name for name, departure in record.groups.items() if departure is None),
        silences=sorted(name for name, held in record.silenced.items() if not held.outgrown),
        state=standing.words(record),
        suppressed=suppressed_by(desk, fingerprint, now_ms) if record.firing else {},
        ack=record.ack,
        pushed=record.push is not None,
        generator_url=record.generator_url,
    )


def group_row(desk: Desk, group_id: str) -> DeskGroupRow | None:
    """Return the row of a group; None if there is none."""
    found = desk.group(group_id)
    return None if found is None else DeskGroupRow(key=found[0], labels=found[1], receiver=found[2])
