"""The fleet page's sparklines: events per pane of each model, remembered between page views."""

from collections import OrderedDict
from collections.abc import Sequence

from driftline.web.store import Store, Tail, pane_lines
from driftline.web.timeline import totals
from driftline.web.times import epoch_ms
from streams.views import ModelSummary

#: A bound on what the first look at a model of many versions may read.
_VERSIONS = 6


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

    async def of(self, models: Sequence[ModelSummary]) -> dict[str, list[int]]:
        """Return events per pane of each model, oldest first; empty where no pane has closed."""
        names = [model.model for model in models]
        tails = {model.model: self._tail(model) for model in models}
        for name, rows in (await self._store.tails(tails)).items():
            known = self._events.setdefault(name, {})
            known.update({epoch_ms(line.end): line.events for line in totals(pane_lines(rows))})
            for end_ms in sorted(known)[: -self._panes]:
                del known[end_ms]
            self._events.move_to_end(name)
        pulses = {name: [events for _, events in sorted(self._events[name].items())] for name in names}
        while len(self._events) > self._models:
            self._events.popitem(last=False)
        return pulses

    def _tail(self, model: ModelSummary) -> Tail:
        """Each version has a row of its own in a pane, and so have events that carry none."""
        since_ms = max(self._events.get(model.model, {}), default=None)
        return Tail(since_ms, rows=self._panes * min(len(model.versions) + 1, _VERSIONS))
