"""The fleet page's sparklines: events per pane of each model, remembered between page views."""

from collections import OrderedDict
from collections.abc import Sequence

from driftline.web.store import Store, pane_lines
from driftline.web.timeline import totals
from driftline.web.times import epoch_ms


class Pulse:
    """Remembers each model's latest events per pane, and reads only what closed since.

    A pane's row carries every feature, so that reading dozens of rows of a hundred models at each
    refresh would cost megabytes. Closed panes do not change, which makes remembering them exact; the
    newest one is read again, since rows of its other versions may still have been on their way.

    Parameters
    ----------
    panes
        Panes kept per model.
    models
        Models remembered; the longest unseen is forgotten first.
    """

    def __init__(self, store: Store, *, panes: int = 32, models: int = 5000) -> None:
        self._store = store
        self._panes = panes
        self._models = models
        self._events: OrderedDict[str, dict[int, int]] = OrderedDict()

    async def of(self, names: Sequence[str]) -> dict[str, list[int]]:
        """Return events per pane of each model, oldest first; empty where no pane has closed."""
        since = {name: max(self._events.get(name, {}), default=None) for name in names}
        for name, rows in (await self._store.tails(since, self._panes)).items():
            known = self._events.setdefault(name, {})
            known.update({epoch_ms(line.end): line.events for line in totals(pane_lines(rows))})
            for end_ms in sorted(known)[: -self._panes]:
                del known[end_ms]
            self._events.move_to_end(name)
        pulses = {name: [events for _, events in sorted(self._events[name].items())] for name in names}
        while len(self._events) > self._models:
            self._events.popitem(last=False)
        return pulses
