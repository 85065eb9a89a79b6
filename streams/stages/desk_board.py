"""What the desk shows: its alerts, groups and silences, for Redis."""

from collections.abc import Iterable

from pydantic import BaseModel

from alerts.desk import Desk
from streams.desk_views import ALERTS, GROUPS, SILENCES, alert_row, group_row
from streams.projection import Projection

_KEYS = {"alert": ALERTS, "group": GROUPS, "silence": SILENCES}


class DeskBoard:
    """Puts up what changed, by the keys of the desk's own rows."""

    def __init__(self, projection: Projection) -> None:
        self._projection = projection

    def show(self, desk: Desk, changed: Iterable[str], now_ms: int) -> None:
        """Put up what stands behind rows that were written, and take away what is gone."""
        for key in changed:
            kind, _, name = key.partition("/")
            if kind in _KEYS:
                row = _row(desk, kind, name, now_ms)
                text = None if row is None else row.model_dump_json()
                self._projection.put(_KEYS[kind], name, text)

    async def refill(self, desk: Desk, now_ms: int) -> None:
        """Put up everything, and take away what another owner has left; raises what Redis does."""
        current = {"alert": desk.alerts, "group": desk.groups, "silence": desk.silences}
        for kind, key in _KEYS.items():
            held = await self._projection.fields(key)
            self.show(desk, [f"{kind}/{name}" for name in held.keys() | current[kind]], now_ms)


def _row(desk: Desk, kind: str, name: str, now_ms: int) -> BaseModel | None:
    if kind == "alert":
        return alert_row(desk, name, now_ms)
    return desk.silences.get(name) if kind == "silence" else group_row(desk, name)
