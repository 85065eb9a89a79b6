"""How long after a change the alarm comes: every default detector of a column, and the rules of others.

A model of twenty features, panes of a minute. One feature changes, at the start of a pane; chunks begin wherever
they do, and are as long as the product's current window. All are held to one false alarm per model-week. The
product's panes are drawn as counts; chunks of others as events, river's values as means of panes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from judgement_pairs import flip_delay, pair_detector
from judgement_peers import (
    RIVER,
    Usual,
    calibrated,
    category_statistics,
    first_alarm,
    river_calibrated,
)
from judgement_replicas import (
    SEQUENTIAL,
    column_detectors,
    lasting_alarms,
    monitor,
    scores,
    window_alarms,
    windows_of,
)
from judgement_streams import PANES_A_DAY, Counts, Floats, Spec, multinomial, side_by_side, specs
from scipy import special

from detectors.shift_state import Rule
from streams.reference import number_edges

BUDGET = 1.0
FEATURES = 20
WEEK_PANES = 7 * PANES_A_DAY
REFERENCE_EVENTS = 50_000
#: Healthy panes before the change: evidence has what chance gives it.
BEFORE = 200
_RAMP_TO = 0.5
_FLIPPED_PANES = 60
_CHUNKS_PER_REFERENCE = 100
_SHARES = (0.4, 0.3, 0.15, 0.1, 0.05)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many events a pane has, and how many panes a chunk: five minutes, or as many as hold enough events."""

    name: str
    pane_events: int
    chunk_panes: int

    @property
    def chunks_a_week(self) -> int:
        """Chunks of a week."""
        return WEEK_PANES // self.chunk_panes


PACES = (Pace("1/s", 60, 9), Pace("10/s", 600, 5))


@dataclass(frozen=True, slots=True)
class Change:
    """What changes in one feature from a pane on; the latent mean ``shift`` may come slowly."""

    name: str
    horizon: int
    shift: Callable[[Floats], Floats] = field(default=np.zeros_like)
    deviation: float = 1.0
    missing: tuple[float, float] = (0.0, 0.0)
    shares: tuple[float, ...] | None = None
    correlation: float = 0.0


def _by(size: float) -> Callable[[Floats], Floats]:
    return lambda at: np.full_like(at, size)


CHANGES = (
    Change("mean + 0.1 sigma", 2 * PANES_A_DAY, _by(0.1)),
    Change("mean + 0.25 sigma", PANES_A_DAY, _by(0.25)),
    Change("mean + 0.5 sigma", PANES_A_DAY, _by(0.5)),
    Change("mean + 1 sigma", PANES_A_DAY, _by(1.0)),
    Change("category 5 % to 10 %", PANES_A_DAY, shares=(0.375, 0.285, 0.14, 0.1, 0.1)),
    Change("missing 1 % to 3 %", PANES_A_DAY, missing=(0.01, 0.03)),
    Change("variance x 1.5", PANES_A_DAY, deviation=float(np.sqrt(1.5))),
    Change("ramp to 0.5 sigma in a week", WEEK_PANES, lambda at: _RAMP_TO * at / WEEK_PANES),
    # Of two columns, from 0.8 to -0.8: each of them alone is as before.
    Change("correlation flips", PANES_A_DAY, correlation=0.8),
)


def rows(seeds: int, seed: int, *, healthy: int, only: set[str] | None = None) -> Iterator[dict[str, object]]:
    """Yield each rule's delay for each change; ``healthy`` chunks calibrate the rules of others."""
    strict = _river_limits(max(healthy // PACES[-1].chunks_a_week, 1) * 10, np.random.default_rng([seed, 99]))
    chosen = [place for place, change in enumerate(CHANGES) if only is None or change.name in only]
    tasks = ((place, at, seeds, seed, healthy, strict) for place in chosen for at in range(len(PACES)))
    yield from side_by_side(_compared, tasks)


def _compared(
    place: int, at: int, seeds: int, seed: int, healthy: int, strict: dict[str, float]
) -> list[dict[str, object]]:
    change, pace = CHANGES[place], PACES[at]
    rng = np.random.default_rng([seed, place, pace.pane_events])
    ours = _flips(change, pace, seeds, rng) if change.correlation else _ours(change, pace, seeds, rng)
    return list(_told(change, pace, seeds, ours, _theirs(change, pace, seeds, healthy, strict, rng)))


def _told(
    change: Change, pace: Pace, seeds: int, ours: list[int | None], theirs: dict[str, list[int | None]]
) -> Iterator[dict[str, object]]:
    mine = _quartiles(ours, change.horizon)
    medians = {name: _quartiles(delays, change.horizon)[1] for name, delays in theirs.items()}
    best = min(medians, key=medians.__getitem__)
    for name, delays in {"Driftline": ours, **theirs}.items():
        low, middle, high = _quartiles(delays, change.horizon)
        yield {
            "part": "delay",
            "change": change.name,
            "pace": pace.name,
            "rule": name,
            "seeds": seeds,
            "found": sum(delay is not None for delay in delays),
            "horizon_panes": change.horizon,
            "panes": [_known(each, change.horizon) for each in (low, middle, high)],
            "median_events": _known(middle * pace.pane_events, change.horizon * pace.pane_events),
            "least_panes": least_panes(change, pace),
            "best_peer": name == best and medians[best] <= change.horizon,
            "passes": _meets(pace, mine[1], medians[best]) if name == "Driftline" else None,
        }


def least_panes(change: Change, pace: Pace) -> int | None:
    """Return the panes until a chart that knows the change beforehand would alarm, within the same budget.

    Its evidence is the information between the distributions; no rule has a shorter mean delay, as alarms get rare.

    References
    ----------
    Lorden, G. (1971), Procedures for reacting to a change in distribution, Annals of Mathematical Statistics 42(6).
    """
    run_length = FEATURES * WEEK_PANES / BUDGET
    evidence = np.cumsum(_information(change)) * pace.pane_events
    enough = np.flatnonzero(evidence >= np.log(run_length))
    return int(enough[0]) + 1 if enough.size else None


def _information(change: Change) -> Floats:
    """Return the Kullback-Leibler divergence of an event in each pane from the change on to one before, in nats."""
    at = np.arange(change.horizon, dtype=np.float64)
    if change.shares is not None:
        return np.full_like(at, special.rel_entr(change.shares, _SHARES).sum())
    before, after = (np.array([1 - one, one]) for one in change.missing)
    moved = (change.shift(at) ** 2 + change.deviation**2 - 1) / 2 - np.log(change.deviation)
    flipped = 2 * change.correlation**2 / (1 - change.correlation**2)
    return np.asarray(special.rel_entr(after, before).sum() + after[0] * moved + flipped)


def _known(value: float, most: int) -> float | None:
    return None if value > most else value


def _meets(pace: Pace, ours: float, best: float) -> bool:
    """Return whether the target is met."""
    if best > 2 * pace.chunk_panes:
        return ours <= best / 2
    return ours <= best + 1


def _quartiles(delays: list[int | None], horizon: int) -> tuple[float, float, float]:
    found = np.sort([2 * horizon if delay is None else delay for delay in delays])
    low, middle, high = np.quantile(found, [0.25, 0.5, 0.75], method="inverted_cdf")
    return float(low), float(middle), float(high)


def _spec(change: Change) -> Spec:
    if change.shares is not None:
        cuts = np.append(special.ndtri(np.cumsum(_SHARES)[:-1]), np.inf)
        return Spec("changed", "category", cuts, 0.0)
    edges = number_edges(special.ndtri((np.arange(20_000) + 0.5) / 20_000))
    return Spec("changed", "number", np.array(edges), change.missing[0], edges, "normal")


def _shares(change: Change, spec: Spec) -> Floats:
    """Return the shares of the bins, missing values last, in each pane from the change on."""
    if change.shares is not None:
        return np.tile([*change.shares, 0.0, 0.0], (change.horizon, 1))
    moved = Spec(spec.name, spec.kind, spec.cuts, change.missing[1], spec.edges, spec.shape)
    return moved.shares(change.shift(np.arange(change.horizon, dtype=np.float64)), change.deviation)


def _ours(change: Change, pace: Pace, seeds: int, rng: np.random.Generator) -> list[int | None]:
    """Return after how many panes any default detector of the column alarms."""
    spec = _spec(change)
    bench = column_detectors(monitor([spec, *specs()[1:]], BUDGET), spec.name)
    usual, later = spec.shares(np.zeros(1))[0], _shares(change, spec)
    shares = np.concatenate((np.tile(usual, (BEFORE, 1)), later))
    references = [spec.column(rng.multinomial(REFERENCE_EVENTS, usual)) for _ in range(seeds)]
    panes = [multinomial(rng, rng.poisson(pace.pane_events, len(shares)), shares) for _ in range(seeds)]
    lasting = next(one for one in bench if one.name in SEQUENTIAL)
    rules = [Rule.of(one, lasting.params.min_effect) for one in references]
    found = scores(rules, panes, np.array([lasting.params.threshold * np.log(10)]))[0]
    delays: list[int | None] = []
    for run, mine in enumerate(panes):
        windows = windows_of(mine)
        alarms = lasting_alarms(lasting, found[run])
        for detector in bench:
            if detector.name not in SEQUENTIAL:
                alarms += window_alarms(detector, spec, references[run], windows)
        after = [start - BEFORE + 1 for start, _ in alarms if start >= BEFORE]
        delays.append(min(after, default=None))
    return delays


def _flips(change: Change, pace: Pace, seeds: int, rng: np.random.Generator) -> list[int | None]:
    """Return after how many panes pairs alarm, of those within `_FLIPPED_PANES`."""
    detector = pair_detector(monitor(specs(), BUDGET))
    return [
        flip_delay(
            detector,
            change.correlation,
            REFERENCE_EVENTS,
            rng.poisson(pace.pane_events, BEFORE + _FLIPPED_PANES),
            BEFORE,
            rng,
        )
        for _ in range(seeds)
    ]


def _theirs(
    change: Change, pace: Pace, seeds: int, healthy: int, strict: dict[str, float], rng: np.random.Generator
) -> dict[str, list[int | None]]:
    """Return the same of the rules of others, each held to the budget first."""
    found = _chunk_delays(change, pace, seeds, _limits(change, pace, healthy, rng), rng)
    for name, value in strict.items():
        found[name] = [first_alarm(name, value, _means(change, pace, rng), BEFORE) for _ in range(seeds)]
    return found


def _river_limits(weeks: int, rng: np.random.Generator) -> dict[str, float]:
    series = [rng.normal(size=WEEK_PANES) for _ in range(weeks)]
    return {name: river_calibrated(name, series, weeks * BUDGET / FEATURES) for name in RIVER}


def _limits(change: Change, pace: Pace, healthy: int, rng: np.random.Generator) -> dict[str, float]:
    """Return each chunk rule's threshold: that healthy chunks of all features pass once a week."""
    missing, shares = (change.missing[0], change.missing[0]), change.shares and _SHARES
    still = Change(change.name, change.horizon, missing=missing, shares=shares)
    seen: dict[str, list[float]] = {}
    panes = np.zeros(pace.chunk_panes * pace.pane_events, np.int64)
    for place in range(healthy):
        if place % _CHUNKS_PER_REFERENCE == 0:
            judge = _judge(still, rng)
        for name, value in judge(_chunk(still, panes, rng)).items():
            seen.setdefault(name, []).append(value)
    wanted = FEATURES * pace.chunks_a_week / BUDGET
    return {name: calibrated(np.array(values), wanted) for name, values in seen.items()}


def _judge(change: Change, rng: np.random.Generator) -> Callable[[Floats], dict[str, float]]:
    if change.shares is not None:
        usual = rng.multinomial(REFERENCE_EVENTS, _SHARES)
        return lambda chunk: category_statistics(chunk.astype(np.int64), usual)
    values = rng.normal(size=REFERENCE_EVENTS)
    values[rng.random(REFERENCE_EVENTS) < change.missing[0]] = np.nan
    return Usual.of(values).statistics


def _chunk(change: Change, pane: Counts, rng: np.random.Generator) -> Floats:
    """Return a chunk's events, each in its pane since the change (below 0: before it); a category's counts."""
    is_after = pane >= 0
    if change.shares is not None:
        after = int(is_after.sum())
        counts = rng.multinomial(after, change.shares) + rng.multinomial(len(pane) - after, _SHARES)
        return np.asarray(counts, np.float64)
    values = rng.normal(size=len(pane)) * np.where(is_after, change.deviation, 1.0)
    values += np.where(is_after, change.shift(np.maximum(pane, 0).astype(np.float64)), 0.0)
    missing = np.where(is_after, change.missing[1], change.missing[0])
    values[rng.random(len(pane)) < missing] = np.nan
    return values


def _chunk_delays(
    change: Change, pace: Pace, seeds: int, limits: dict[str, float], rng: np.random.Generator
) -> dict[str, list[int | None]]:
    found: dict[str, list[int | None]] = {name: [] for name in limits}
    for _ in range(seeds):
        judge, late = _judge(change, rng), int(rng.integers(pace.chunk_panes))
        delays: dict[str, int | None] = {}
        for first in range(-late, change.horizon, pace.chunk_panes):
            pane = first + np.repeat(np.arange(pace.chunk_panes), pace.pane_events)
            for name, value in judge(_chunk(change, pane, rng)).items():
                if value > limits[name]:
                    delays.setdefault(name, first + pace.chunk_panes)
            if len(delays) == len(limits):
                break
        for name in limits:
            found[name].append(delays.get(name))
    return found


def _means(change: Change, pace: Pace, rng: np.random.Generator) -> Floats:
    """Return the standardised means of panes; of a category and of missing values, of the share that changes."""
    if change.shares is not None or change.missing[1]:
        before, after = (_SHARES[-1], change.shares[-1]) if change.shares else change.missing
        shares = np.repeat([before, after], [BEFORE, change.horizon])
        spread = np.sqrt(pace.pane_events * before * (1 - before))
        return np.asarray((rng.binomial(pace.pane_events, shares) - pace.pane_events * before) / spread)
    values = rng.normal(size=BEFORE + change.horizon)
    values[BEFORE:] *= change.deviation
    values[BEFORE:] += change.shift(np.arange(change.horizon, dtype=np.float64)) * np.sqrt(pace.pane_events)
    return values
