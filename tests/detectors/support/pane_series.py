"""Series of pane means, for the detectors of a mean shift."""

from typing import Any

import numpy as np
from detector_windows import make, pane, window

from detectors.base import Verdict
from detectors.registry import AnyDetector
from detectors.window import Column, Window

PANE_VALUES = 200
USUAL = window(Column("x", "number", count=10_000, mean=100.0, variance=25.0))


def shifted(size: float, at: int, panes: int, seed: int = 0) -> list[Window]:
    """Return panes of values with mean 100 and standard deviation 5; from pane ``at`` on moved by ``size`` of it."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(panes):
        level = 100.0 + (5.0 * size if index >= at else 0.0)
        mean = float(rng.normal(level, 5.0 / PANE_VALUES**0.5))
        made.append(pane(index, Column("x", "number", count=PANE_VALUES, mean=mean, variance=25.0)))
    return made


def run(
    name: str, windows: list[Window], reference: Window | None = USUAL, **params: Any
) -> tuple[AnyDetector, list[Verdict]]:
    """Return a detector and its verdicts on the windows."""
    detector = make(name, "number", **params)
    return detector, [detector.observe(current, reference) for current in windows]
