"""Axes: where ticks stand, and what they say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from driftline.web.times import moment

_TIME_STEPS_MS = [
    1000 * s
    for s in (1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)
]


@dataclass(frozen=True, slots=True)
class Linear:
    """Maps ``[low, high]`` to ``[start, end]`` in drawing units; what lies outside is clipped."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the drawing coordinate of a value, to a tenth of a unit."""
        span = self.high - self.low
        part = (value - self.low) / span if span > 0 else 0.0
        return round(self.start + min(max(part, 0.0), 1.0) * (self.end - self.start), 1)


def nice_ticks(high: float, count: int = 3) -> list[float]:
    """Return round tick values from 0 to at least `high`, about `count` steps.

    Examples
    --------
    >>> nice_ticks(730), nice_ticks(0.034), nice_ticks(0)
    ([0.0, 200.0, 400.0, 600.0, 800.0], [0.0, 0.01, 0.02, 0.03, 0.04], [0.0, 1.0])
    """
    if not (1e-300 < high < math.inf):
        return [0.0, 1.0]
    rough = high / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in (1, 2, 2.5, 5) if m * power >= rough * 0.8), 10 * power)
    steps = math.ceil(high / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(steps + 1)]


def time_ticks(start_ms: int, end_ms: int, count: int = 5) -> list[tuple[int, str]]:
    """Return at most about `count` ticks at round UTC times, each with its words.

    Examples
    --------
    >>> time_ticks(0, 1_800_000)
    [(0, '00:00'), (600000, '00:10'), (1200000, '00:20'), (1800000, '00:30')]
    """
    span_ms = max(end_ms - start_ms, 1)
    step_ms = next((step for step in _TIME_STEPS_MS if span_ms / step <= count), _TIME_STEPS_MS[-1])
    shape = "%H:%M:%S" if step_ms < 60_000 else "%H:%M" if step_ms < 86_400_000 else "%b %d"
    first_ms = -(-start_ms // step_ms) * step_ms
    return [(at_ms, f"{moment(at_ms):{shape}}") for at_ms in range(first_ms, end_ms + 1, step_ms)]


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions moved apart to at least `gap` within ``[low, high]``, their order kept.

    Examples
    --------
    >>> spread([10, 11, 50], 12, 0, 100), spread([95, 99], 12, 0, 100)
    ([10, 22, 50], [88, 100])
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    placed = [float(p) for p in positions]
    floor = low
    for i in order:
        placed[i] = max(placed[i], floor)
        floor = placed[i] + gap
    ceiling = high
    for i in reversed(order):
        placed[i] = min(placed[i], ceiling)
        ceiling = placed[i] - gap
    return [int(p) if p == int(p) else round(p, 1) for p in placed]
