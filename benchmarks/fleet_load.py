"""Fleets of any size for `scale.py`: so many models of so many features, their monitors, layouts and events."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from streams.layout import Layout, compile_layout
from streams.monitor import Monitor

START_MS = 1_795_000_000_000
#: Of ten features, so many are numbers; the others are categories.
NUMBERS_OF_TEN = 9
VALUES = ("basic", "free", "pro", "team")
EDGES = (-12.0, -8.0, -5.0, -2.0, 0.0, 2.0, 5.0, 8.0, 12.0)
#: Features of events are taken from so many rows in turn.
DISTINCT_ROWS = 500


@dataclass(frozen=True)
class Load:
    """``models`` of ``features`` each; together they get ``per_second`` events a second from ``start_ms`` on."""

    models: int
    features: int
    per_second: int
    start_ms: int = START_MS

    @property
    def names(self) -> list[str]:
        """The models' names."""
        return [f"model-{number:04d}" for number in range(self.models)]

    def watched(self) -> Mapping[str, tuple[Monitor, Layout]]:
        """Return every model's monitor and layout, with the ten bins a reference gives each number."""
        return {name: self._watched(name) for name in self.names}

    def _watched(self, name: str) -> tuple[Monitor, Layout]:
        declared: dict[str, object] = {
            feature: {"type": "number"}
            if self._is_number(position)
            else {"type": "category", "values": VALUES}
            for position, feature in enumerate(self._features())
        }
        monitor = Monitor.model_validate({"model": name, "features": declared})
        numbers = [feature for position, feature in enumerate(self._features()) if self._is_number(position)]
        categories = [feature for feature in self._features() if feature not in numbers]
        layout = compile_layout(
            monitor, edges=dict.fromkeys(numbers, EDGES), values=dict.fromkeys(categories, VALUES)
        )
        return monitor, layout

    def _features(self) -> list[str]:
        return [f"feature_{position:03d}" for position in range(self.features)]

    @staticmethod
    def _is_number(position: int) -> bool:
        return position % 10 < NUMBERS_OF_TEN

    def events(self, seconds: int, seed: int = 1) -> Iterator[tuple[int, str, bytes]]:
        """Yield event time (epoch ms), model and JSON of each event, the models in turn."""
        source = np.random.default_rng(seed)
        rows = [self._row(source) for _ in range(DISTINCT_ROWS)]
        names = self.names
        for number in range(seconds * self.per_second):
            ts_ms = self.start_ms + number * 1000 // self.per_second
            model = names[number % len(names)]
            yield (
                ts_ms,
                model,
                b'{"id":"%d","model":"%s","version":"1","ts":%d,"features":%s,"prediction":%.4f,"latency_ms":%.1f}'
                % (
                    number, model.encode(), ts_ms, rows[number % DISTINCT_ROWS],
                    number % 997 / 997, 5 + number % 89,
                ),
            )  # fmt: skip

    def _row(self, source: np.random.Generator) -> bytes:
        values: dict[str, object] = {
            feature: round(float(source.normal(0.0, 10.0)), 3)
            if self._is_number(position)
            else str(source.choice(VALUES))
            for position, feature in enumerate(self._features())
        }
        return json.dumps(values, separators=(",", ":")).encode()
