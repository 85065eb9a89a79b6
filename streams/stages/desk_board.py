"""What the desk shows: its alerts with their receipts, groups and silences, for Redis."""

from collections.abc import Iterable

from pydantic import BaseModel

from alerts.config import Config
from alerts.desk import Desk
from alerts.outline import outline
from streams.desk_views import (
    ALERTS,
    GROUPS,
    SILENCES,
    STATUS,
    DeskAlertRow,
    DeskStatus,
    alert_row,
    group_row,
    suppressed_by,
)
from streams.projection import Projection
from streams.receipt_views import RECEIPTS, receipt_json

#: Alerts of which `DeskBoard.refresh` looks at most whether something else suppresses them.
LOOKED_AT = 200
_KEYS = {"alert": ALERTS, "group": GROUPS, "silence": SILENCES}


class DeskBoard:
    """Puts up what changed, by the keys of the desk's own rows."""

    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        self._suppressed: dict[str, dict[str, list[str]]] = {}
        self._to_look_at: list[str] = []
        self._config: Config | None = None
        self._since_ms = 0

    def show(self, desk: Desk, changed: Iterable[str], now_ms: int) -> None:
        """Put up what stands behind rows that were written, and take away what is gone."""
        for key in changed:
            kind, _, name = key.partition("/")
            if kind in _KEYS:
                row = _row(desk, kind, name, now_ms)
                text = None if row is None else row.model_dump_json()
                self._projection.put(_KEYS[kind], name, text)
                if kind == "alert":
                    self._keep(name, row)
                    self._projection.put(RECEIPTS, name, receipt_json(desk, name))

    def refresh(self, desk: Desk, now_ms: int) -> None:
        """Put up what changed without a row of its own: the config, and what suppresses alerts.

        An alert begins to inhibit another, or a time interval begins: some are looked at each time, in turn.
        """
        if desk.config is not self._config:
            self._config = desk.config
            self._show_status(desk.config)
        if not self._to_look_at:
            self._to_look_at = [name for name, record in desk.alerts.items() if record.firing]
        chosen, self._to_look_at = self._to_look_at[:LOOKED_AT], self._to_look_at[LOOKED_AT:]
        firing = (name for name in chosen if name in desk.alerts and desk.alerts[name].firing)
        for name in firing:
            if suppressed_by(desk, name, now_ms) != self._suppressed.get(name, {}):
                self.show(desk, [f"alert/{name}"], now_ms)

    async def refill(self, desk: Desk, now_ms: int) -> None:
        """Put up everything, and take away what another owner has left; raises what Redis does."""
        self._suppressed, self._config = {}, desk.config
        self._show_status(desk.config)
        current = {"alert": desk.alerts, "group": desk.groups, "silence": desk.silences}
        for kind, key in _KEYS.items():
            held = await self._projection.fields(key)
            self.show(desk, [f"{kind}/{name}" for name in held.keys() | current[kind]], now_ms)
        for name in await self._projection.names(RECEIPTS):
            self._projection.put(RECEIPTS, name, receipt_json(desk, name))

    def own(self, now_ms: int) -> None:
        """Take note that the desk is ours from now on."""
        self._since_ms = now_ms

    def _show_status(self, config: Config) -> None:
        receivers = [receiver.name for receiver in config.receivers]
        status = DeskStatus(config=outline(config), receivers=receivers, since_ms=self._since_ms)
        self._projection.set(STATUS, status.model_dump_json())

    def _keep(self, fingerprint: str, row: BaseModel | None) -> None:
        if isinstance(row, DeskAlertRow) and row.suppressed:
            self._suppressed[fingerprint] = row.suppressed
        else:
            self._suppressed.pop(fingerprint, None)


def _row(desk: Desk, kind: str, name: str, now_ms: int) -> BaseModel | None:
    if kind == "alert":
        return alert_row(desk, name, now_ms)
    return desk.silences.get(name) if kind == "silence" else group_row(desk, name)
