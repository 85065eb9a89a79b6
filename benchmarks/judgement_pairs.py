"""Pairs of number features, from events: false alarms of `correlation_drift`, and its delay where one flips.

The twelve numbers of `judgement_streams` hang together by one hidden factor, so that correlations of 0 to 0.75 are
healthy. Counts of single columns cannot tell them: events are drawn, and summed as the product sums them.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from judgement_replicas import MODEL, NEAR, Alarm, observed_alarms, of_its_own, window_bounds
from judgement_streams import PANES_A_DAY, REFERENCE_DAYS, Counts, Floats, Scenario, specs
from numpy.typing import NDArray

from detectors.base import Detector
from detectors.pairs import Pairs, correlations, normal_scores
from detectors.window import Window
from streams.bench import Bench
from streams.monitor import Monitor
from streams.pair_spans import SPANS

NUMBERS = [one for one in specs() if one.kind == "number" and one.name != "prediction"]
NAMES = tuple(one.name for one in NUMBERS)
#: How much of each number's variance is the factor's.
LOADINGS = np.linspace(0.0, 0.9, len(NUMBERS))
_BLOCK = 240

#: Counts and grams, as in `detectors.pairs.Pairs`, with leading axes.
Sums = tuple[Counts, Counts]


def pair_detector(held: Monitor) -> Detector[Any]:
    """Return the detector of pairs, as the product makes it."""
    made = Bench(held).detectors(("", ""), observes="pane", scope="version")
    return of_its_own(next(one for one in made if one.name == "correlation_drift"))


def pair_alarms(
    detectors: list[Detector[Any]], scenario: Scenario, totals: Counts, rng: np.random.Generator
) -> list[list[Alarm]]:
    """Return the alarms of each detector in one healthy life: two weeks of reference, then panes of these totals."""
    before = REFERENCE_DAYS * PANES_A_DAY
    levels = np.stack([scenario.levels(rng, before + len(totals)) for _ in NUMBERS], axis=1)
    spans = [
        pane_sums(_healthy(panes, rng.poisson(scenario.per_second * 60, len(panes)), rng), None, rng)
        for panes in np.array_split(levels[:before], SPANS)
    ]
    usual = _usual(_joined(spans))
    live = [
        pane_sums(_healthy(levels[before + low : before + low + _BLOCK], some, rng), some, rng)
        for low in range(0, len(totals), _BLOCK)
        for some in (totals[low : low + _BLOCK],)
    ]
    windows = _windows(_joined(live), totals)
    near = _near(windows, usual, detectors[0].params.threshold)
    return [
        observed_alarms(one, ((int(at), _window(windows, at)) for at in near), usual, len(totals))
        for one in detectors
    ]


def flip_delay(
    detector: Detector[Any],
    correlation: float,
    reference_rows: int,
    totals: Counts,
    begins: int,
    rng: np.random.Generator,
) -> int | None:
    """Return how many panes after ``begins``, where the correlation of two numbers changes sign, the alarm comes."""
    usual = _usual(pane_sums(_pair_of(correlation, reference_rows, rng), None, rng))
    until, since = int(totals[:begins].sum()), int(totals[begins:].sum())
    events = np.concatenate((_pair_of(correlation, until, rng), _pair_of(-correlation, since, rng)))
    windows = _windows(pane_sums(events, totals, rng), totals)
    looks = ((at, _window(windows, at)) for at in range(begins, len(totals)))
    alarms = observed_alarms(of_its_own(detector), looks, usual, len(totals))
    return min((start - begins + 1 for start, _ in alarms), default=None)


def pane_sums(latent: Floats, totals: Counts | None, rng: np.random.Generator) -> Sums:
    """Return the sums of events, shape ``(n, numbers)``, by panes of ``totals`` events; of all of them where None."""
    missing = rng.random(latent.shape) < np.array([one.missing for one in NUMBERS])
    d = len(NUMBERS)
    rows = np.ones((len(latent), 1 + 2 * d))
    for place, spec in enumerate(NUMBERS):
        scores = normal_scores(len(spec.cuts) + 1)
        rows[:, 1 + place] = scores[np.searchsorted(spec.cuts, latent[:, place], side="right")]
    rows[:, 1 : 1 + d][missing] = 0.0
    rows[:, 1 + d :] = rows[:, 1 : 1 + d] ** 2
    held = (~missing).astype(np.float64)
    ends = np.cumsum([len(latent)] if totals is None else totals)
    parts = [slice(end - size, end) for end, size in zip(ends, np.diff(ends, prepend=0), strict=True)]
    found = ([one[part].T @ one[part] for part in parts] for one in (held, rows))
    counts, gram = (np.array(one).astype(np.int64) for one in found)
    return counts, gram


def _healthy(levels: Floats, totals: Counts, rng: np.random.Generator) -> Floats:
    means = np.repeat(levels, totals, axis=0)
    common = rng.normal(size=(len(means), 1)) * np.sqrt(LOADINGS)
    return np.asarray(means + common + rng.normal(size=means.shape) * np.sqrt(1 - LOADINGS))


def _pair_of(correlation: float, rows: int, rng: np.random.Generator) -> Floats:
    """Return events whose first two numbers go together so much."""
    latent = rng.normal(size=(rows, len(NUMBERS)))
    latent[:, 1] = correlation * latent[:, 0] + np.sqrt(1 - correlation**2) * latent[:, 1]
    return latent


def _joined(parts: Iterable[Sums]) -> Sums:
    counts, gram = (np.concatenate(one) for one in zip(*parts, strict=True))
    return counts, gram


def _usual(spans: Sums) -> Window:
    counts, gram = spans
    rows = np.concatenate((counts.reshape(len(counts), -1), gram.reshape(len(gram), -1)), axis=1)
    pairs = Pairs(NAMES, counts.sum(axis=0), gram.sum(axis=0), (rows,) if len(rows) > 1 else ())
    return Window(MODEL, events=int(pairs.gram[0, 0]), pairs=pairs)


def _windows(panes: Sums, totals: Counts) -> Sums:
    starts, ends = window_bounds(totals)
    whole = (np.concatenate((np.zeros_like(one[:1]), np.cumsum(one, axis=0))) for one in panes)
    counts, gram = (one[ends] - one[starts] for one in whole)
    return counts, gram


def _window(windows: Sums, at: int) -> Window:
    counts, gram = (one[at] for one in windows)
    return Window(MODEL, events=int(gram[0, 0]), pairs=Pairs(NAMES, counts, gram))


def _near(windows: Sums, usual: Window, threshold: float) -> NDArray[np.intp]:
    """Return at which panes a pair's change may be near its threshold, which is never below ``threshold``."""
    counts, gram = windows
    pairs = usual.pairs
    assert pairs is not None
    far = [
        np.nanmax(np.abs(now.values - pairs.of_pairs.values), axis=1, initial=0.0)
        for now in _in_blocks(counts, gram)
    ]
    return np.flatnonzero(np.concatenate(far) > NEAR * threshold)


def _in_blocks(counts: Counts, gram: Counts) -> Iterator[Any]:
    for low in range(0, len(counts), _BLOCK):
        yield correlations(counts[low : low + _BLOCK], gram[low : low + _BLOCK])
