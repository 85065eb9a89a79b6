"""Models of which the truth is known: columns of several shapes, their usual life, and counts of their panes.

Each column is a function of a latent normal variable. A number is an ascending function of it (lognormal, counts,
many zeros, ...), a category the part of it a value falls in. So one shift moves every column alike, and a pane's
counts in the layout's bins are multinomial with shares that follow from the cuts. A healthy column's latent mean
has a daily rhythm and a slow swing (autocorrelation of hours).
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import signal, special, stats

from detectors.window import Column
from streams.reference import number_edges
from streams.spans import LONG_SPANS, SHORT_SPANS

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
#: What was measured, as JSON has it.
Row = dict[str, object]

PANES_A_DAY = 1440
PANE_MS = 60_000
REFERENCE_DAYS = 14
_GRID = np.linspace(-6.0, 6.0, 60_001)

SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "normal": lambda z: z,
    "lognormal": np.exp,
    "uniform": special.ndtr,
    "heavy": lambda z: np.asarray(stats.t.ppf(special.ndtr(z), 3)),
    "humps": lambda z: z + 3 * np.sign(z),
    "zeros": lambda z: np.maximum(z + 0.5, 0.0),
    "counts": lambda z: np.asarray(stats.poisson.ppf(special.ndtr(z), 3.0)),
    "rounded": np.round,
}
SIZES = (2, 3, 5, 8, 12, 20, 40, 4)
MISSING = (0.0, 0.001, 0.01, 0.05, 0.2)


@dataclass(frozen=True)
class Spec:
    """A column: its latent cuts between bins, its share of missing values, and for numbers its values."""

    name: str
    kind: str
    cuts: Floats
    missing: float
    edges: tuple[float, ...] = ()
    shape: str = ""

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the bins; a category's last bin is for all others, here empty."""
        return tuple(f"{self.name}-{place}" for place in range(len(self.cuts) + 1))

    def shares(self, means: Floats, deviation: float = 1.0) -> Floats:
        """Return the shares of the bins and, last, of missing values; shape ``(len(means), bins + 1)``."""
        below = special.ndtr((self.cuts - means[:, None]) / deviation)
        ends = np.zeros((len(means), 1))
        shares = np.diff(np.concatenate((ends, below, ends + 1), axis=1), axis=1) * (1 - self.missing)
        return np.concatenate((shares, ends + self.missing), axis=1)

    def column(self, counts: Counts, spans: tuple[Counts, ...] = ()) -> Column:
        """Return counts, missing values last, as a detector sees them."""
        present = int(counts[:-1].sum())
        return Column(
            self.name,
            "number" if self.kind == "number" else "category",
            count=present,
            missing=int(counts[-1]),
            bins=counts[:-1],
            edges=np.array(self.edges),
            labels=self.labels,
            spans=spans,
        )


@dataclass(frozen=True)
class Scenario:
    """A healthy model's life: events a second, and how far the latent means move (standard deviations)."""

    name: str
    per_second: float
    rhythm: float = 0.0
    swing: float = 0.0
    swing_hours: float = 3.0

    def levels(self, rng: np.random.Generator, panes: int) -> Floats:
        """Return a column's latent mean in each of some panes, one after the other."""
        at = np.arange(panes)
        daily = self.rhythm * np.sin(2 * np.pi * (at / PANES_A_DAY + rng.random()))
        if not self.swing:
            return daily
        memory = float(np.exp(-1 / (60 * self.swing_hours)))
        noise = rng.normal(0.0, self.swing * np.sqrt(1 - memory**2), panes)
        start = rng.normal(0.0, self.swing)
        return np.asarray(daily + signal.lfilter([1.0], [1.0, -memory], noise, zi=[memory * start])[0])


SCENARIOS = (
    Scenario("steady, 1/s", 1),
    Scenario("steady, 10/s", 10),
    Scenario("steady, 100/s", 100),
    Scenario("daily rhythm, 10/s", 10, rhythm=0.2),
    Scenario("slow swings, 10/s", 10, swing=0.1),
    Scenario("rhythm and swings, 1/s", 1, rhythm=0.2, swing=0.1),
    Scenario("rhythm and swings, 100/s", 100, rhythm=0.2, swing=0.1),
)


def specs() -> list[Spec]:
    """Return twenty features, twelve numbers and eight categories, and a score as the prediction."""
    made = []
    names = list(SHAPES)
    for place in range(12):
        shape = names[place % len(names)]
        made.append(_number(f"{shape}_{place}", shape, MISSING[place % len(MISSING)]))
    for place, size in enumerate(SIZES):
        weights = 1 / np.arange(1, size + 1)
        cuts = np.append(special.ndtri(np.cumsum(weights / weights.sum())[:-1]), np.inf)
        missing = MISSING[place % len(MISSING)]
        made.append(Spec(f"category_{place}_of_{size}", "category", cuts, missing))
    made.append(_number("prediction", "uniform", 0.0))
    return made


def _number(name: str, shape: str, missing: float) -> Spec:
    values = SHAPES[shape](_GRID)
    evenly = SHAPES[shape](special.ndtri((np.arange(20_000) + 0.5) / 20_000))
    edges = number_edges(evenly)
    return Spec(name, "number", _GRID[np.searchsorted(values, edges)], missing, edges, shape)


@dataclass(frozen=True, slots=True)
class Life:
    """One column of one model: its reference, and its panes of a healthy time, shape ``(panes, bins + 1)``."""

    reference: Column
    panes: Counts


def life(spec: Spec, scenario: Scenario, rng: np.random.Generator, totals: Counts) -> Life:
    """Draw a reference of two weeks and then the panes with these totals, of one ongoing life.

    The reference's long spans are drawn whole, with the mean shares of their panes; its short ones once more.
    """
    before = REFERENCE_DAYS * PANES_A_DAY
    levels = scenario.levels(rng, before + len(totals))
    shares = spec.shares(levels)
    starts = np.arange(LONG_SPANS) * before // LONG_SPANS
    lengths = np.diff(np.append(starts, before))
    long = np.add.reduceat(shares[:before], starts, axis=0) / lengths[:, None]
    rows = rng.poisson(scenario.per_second * 60 * lengths)
    long_counts = multinomial(rng, rows, long)
    short = shares[np.arange(SHORT_SPANS) * before // SHORT_SPANS]
    short_counts = multinomial(rng, rng.poisson(scenario.per_second * 60, SHORT_SPANS), short)
    reference = spec.column(long_counts.sum(axis=0), (long_counts, short_counts))
    return Life(reference, multinomial(rng, totals, shares[before:]))


def multinomial(rng: np.random.Generator, totals: Counts, shares: Floats) -> Counts:
    """Return a draw for each total, shape ``(totals, values)``."""
    return np.asarray(rng.multinomial(totals, shares / shares.sum(axis=1, keepdims=True)))


def side_by_side(work: Callable[..., list[Row]], tasks: Iterable[tuple[object, ...]]) -> Iterator[Row]:
    """Yield the rows of each task, in their order, worked on by as many processes as there are cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(work, *task) for task in tasks]:
            yield from done.result()
