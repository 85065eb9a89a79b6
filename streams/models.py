"""Which models stage 1 watches: their monitors, and the layout each of their panes is counted in."""

from collections.abc import Mapping, Sequence

from streams.layout import Layout, unmonitored_layout
from streams.matching import MatchKey, pattern_keys
from streams.monitor import Monitor, Windows
from streams.segment_values import known_values
from streams.watermark import NEVER_MS

LAYOUTS_KEPT = 3

_UNMONITORED_WINDOWS = Windows()


class Models:
    """Monitors by model, and layouts by model and pane; a model without a monitor has windows and a layout too.

    Parameters
    ----------
    models
        Monitor and first layout by model name.
    """

    def __init__(self, models: Mapping[str, tuple[Monitor, Layout]]) -> None:
        self._monitors = {name: monitor for name, (monitor, _) in models.items()}
        self._patterns = {name: pattern_keys(monitor, layout) for name, (monitor, layout) in models.items()}
        self._layouts = {name: [(NEVER_MS, layout)] for name, (_, layout) in models.items()}

    def __contains__(self, model: str) -> bool:
        return model in self._monitors

    def windows(self, model: str) -> Windows:
        """Return a model's windows."""
        monitor = self._monitors.get(model)
        return _UNMONITORED_WINDOWS if monitor is None else monitor.windows

    def segments(self, model: str) -> Sequence[str]:
        """Return the names a watched model is segmented by."""
        return tuple(self._monitors[model].segments)

    def segment_values(self, model: str, pane_start_ms: int) -> Mapping[str, tuple[str, ...] | None]:
        """Return the values that have statistics of their own in a pane, as `segment_values.known_values`."""
        return known_values(self._monitors[model], self.layout(model, pane_start_ms))

    def patterns(self, model: str) -> Sequence[MatchKey]:
        """Return the patterns that a model's texts are held against; none without a monitor."""
        return self._patterns.get(model, ())

    def label_sample(self, model: str) -> float:
        """Return the share of a watched model's ids that is joined with labels (0 to 1)."""
        labels = self._monitors[model].labels
        return 0.0 if labels is None else labels.sample

    def layout(self, model: str, pane_start_ms: int) -> Layout:
        """Return the layout in force for a model's pane."""
        held = self._layouts.get(model)
        if held is None:
            return unmonitored_layout(model)
        return next((layout for from_ms, layout in reversed(held) if from_ms <= pane_start_ms), held[0][1])

    def relayout(self, layout: Layout, from_ms: int) -> None:
        """Have a model's panes from ``from_ms`` on counted in a new layout."""
        held = self._layouts.get(layout.model)
        if held is not None and held[-1][1].hash != layout.hash:
            held.append((from_ms, layout))
            del held[:-LAYOUTS_KEPT]
