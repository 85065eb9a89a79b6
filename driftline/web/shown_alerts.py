"""Alerts as pages and the API show them: what the judge says of each, and what the desk does about it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

from alerts.alert import fingerprint
from alerts.silence import Silence
from driftline.web.store import Store
from streams.desk_views import DeskAlertRow
from streams.views import AlertRow, rfc3339

_KINDS: dict[str, Literal["inhibited", "muted", "inactive"]] = {
    "inhibited": "inhibited", "muted": "muted", "inactive": "inactive",
}  # fmt: skip


class Untold(BaseModel):
    """One thing that keeps an alert from being told."""

    kind: Literal["inhibited", "silenced", "muted", "inactive"]
    by: str = Field(description="id of the alert that inhibits, of the silence, or names of time intervals")
    text: str


class AckRow(BaseModel):
    """Who looks after an alert, since when."""

    by: str
    comment: str = ""
    at: str


class ShownAlert(AlertRow):
    """An alert, and what the desk does about it. Times are RFC 3339."""

    id: str = Field(description="its fingerprint, by which its receipt is asked for and it is acknowledged")
    untold: list[Untold] = Field(
        default=[], description="what keeps it from being told now; empty: it is told"
    )
    ack: AckRow | None = None
    state: str = Field(
        default="",
        description="in words, what else there is to know of how it stands: that it flaps, or has no data",
    )
    pushed: bool = Field(default=False, description="others told of it, by `POST /api/v2/alerts`")
    generatorURL: str = Field(default="", description="where it comes from, as they say")


@dataclass(frozen=True, slots=True)
class Held:
    """What the desk holds: its alerts by fingerprint, and its silences by id."""

    rows: Mapping[str, DeskAlertRow]
    silences: Mapping[str, Silence]

    def show(self, alert: AlertRow, now_ms: int, name: str = "") -> ShownAlert:
        """Return an alert with what the desk does about it; ``name``: its fingerprint, unless a judge told it."""
        name = name or fingerprint(alert.labels)
        row = self.rows.get(name) if alert.status == "firing" else None
        ack = None if row is None or row.ack is None else row.ack
        return ShownAlert(
            **alert.model_dump(),
            id=name,
            untold=[] if row is None else list(self._untold(row, now_ms)),
            state=self.rows[name].state if name in self.rows else "",
            ack=None if ack is None else AckRow(by=ack.by, comment=ack.comment, at=rfc3339(ack.at_ms)),
            pushed=row is not None and row.pushed,
            generatorURL="" if row is None else row.generator_url,
        )

    def of_others(self, known: Iterable[AlertRow]) -> Iterator[DeskAlertRow]:
        """Yield what fires at the desk and is not among what judges say fires: pushed by others, or flapping."""
        judged = {fingerprint(alert.labels): alert.status for alert in known}
        for name, row in self.rows.items():
            # What a judge has just resolved the desk may not have heard of yet.
            flaps = judged.get(name) == "resolved" and row.state
            if row.status == "firing" and (name not in judged or flaps):
                yield row

    def held_by(self, silence: Silence, now_ms: int) -> list[str]:
        """Return the ids of the alerts that fire and are kept back by a silence now."""
        return [
            name
            for name, row in self.rows.items()
            if row.status == "firing" and silence.id in row.silenced_by(self.silences, now_ms)
        ]

    def _untold(self, row: DeskAlertRow, now_ms: int) -> Iterator[Untold]:
        if row.status != "firing":
            return
        for name, kind in _KINDS.items():
            for by in row.suppressed.get(name, ()):
                yield Untold(kind=kind, by=by, text=self._words(kind, by))
        for by in row.silenced_by(self.silences, now_ms):
            yield Untold(kind="silenced", by=by, text=_silenced(self.silences[by]))

    def _words(self, kind: str, by: str) -> str:
        if kind == "inhibited":
            labels = self.rows[by].labels if by in self.rows else {}
            named = [labels[name] for name in ("severity", "alertname", "model") if labels.get(name)]
            return f"inhibited by {' '.join(named) or 'alert'} ({by})"
        return f"muted in {by}" if kind == "muted" else f"its route is active in {by} only"


async def held(store: Store) -> Held:
    """Return what the desk holds now."""
    rows, silences = await store.desk_alerts(), await store.silences()
    return Held({row.fingerprint: row for row in rows}, silences)


async def firing(store: Store, desk: Held, now_ms: int, model: str | None = None) -> list[ShownAlert]:
    """Return what fires, in no order: of one model, or of all there are and of none."""
    names = [summary.model for summary in await store.summaries()] if model is None else [model]
    found = [alert for rows in (await store.alerts(names)).values() for alert in rows]
    if model is None:
        found += await store.fleet_alerts()
    others = [row for row in desk.of_others(found) if model in (None, row.labels.get("model"))]
    return [
        *(desk.show(alert, now_ms) for alert in found if alert.status == "firing"),
        *(desk.show(row.shown(), now_ms, row.fingerprint) for row in others),
    ]


def _silenced(silence: Silence) -> str:
    return f"silenced by {silence.created_by} until {rfc3339(silence.ends_at_ms)}: {silence.comment}"
