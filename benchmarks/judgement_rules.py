"""How often the rules of others alarm on the same healthy models, as they are published, untouched.

Chunks of five minutes, or as many as hold 500 events, a week and a model as one stretch of healthy chunks from each
feature; river's detectors read every event of the numbers. A spell of alarming chunks of one feature is one alarm.
"""

from collections.abc import Iterator

import numpy as np
from judgement_alarms import told
from judgement_peers import Usual, category_statistics, published
from judgement_replicas import MIN_SAMPLES, WINDOW_PANES
from judgement_streams import (
    PANES_A_DAY,
    SCENARIOS,
    SHAPES,
    Floats,
    Scenario,
    Spec,
    multinomial,
    side_by_side,
    specs,
)
from river import drift
from scipy import special

FEATURES = 20
REFERENCE_EVENTS = 50_000
REFERENCE_CHUNKS = 50
RIVER_EVENTS = 100_000
WEEK_S = 7 * 24 * 3600


def rows(chunks: int, seed: int) -> Iterator[dict[str, object]]:
    """Yield the alarms of each rule in each scenario, from so many chunks of each feature."""
    yield from side_by_side(_scenario, ((place, chunks, seed) for place in range(len(SCENARIOS))))


def _scenario(place: int, chunks: int, seed: int) -> list[dict[str, object]]:
    scenario = SCENARIOS[place]
    size = max(WINDOW_PANES * 60 * scenario.per_second, MIN_SAMPLES)
    found: dict[str, int] = {}
    for at, spec in enumerate(specs()[:FEATURES]):
        rng = np.random.default_rng([seed, place, at])
        for name, alarms in _chunk_alarms(spec, scenario, int(size), chunks, rng).items():
            found[name] = found.get(name, 0) + alarms
    weeks = chunks * size / scenario.per_second / WEEK_S
    ours = [_row(scenario, name, weeks, alarms) for name, alarms in found.items()]
    return [*ours, *_river(scenario, np.random.default_rng([seed, place]))]


def _row(scenario: Scenario, rule: str, weeks: float, alarms: int) -> dict[str, object]:
    row = told(scenario.name, 1.0, weeks, alarms)
    return {key: row[key] for key in ("scenario", "model_weeks", "alerts", "per_week", "interval")} | {
        "part": "rules",
        "rule": rule,
    }


def _levels(scenario: Scenario, chunks: int, panes: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return latent means: of the reference's events, and of the chunks, one after the other."""
    before = 14 * PANES_A_DAY
    levels = scenario.levels(rng, before + chunks * panes)
    starts = before + np.arange(chunks) * panes
    return rng.choice(levels[:before], REFERENCE_EVENTS), levels[starts]


def _chunk_alarms(
    spec: Spec, scenario: Scenario, size: int, chunks: int, rng: np.random.Generator
) -> dict[str, int]:
    panes = max(round(size / (60 * scenario.per_second)), 1)
    usual, levels = _levels(scenario, chunks + REFERENCE_CHUNKS, panes, rng)
    if spec.kind == "category":
        held = rng.multinomial(REFERENCE_EVENTS, spec.shares(usual).mean(axis=0))[:-1]
        drawn = multinomial(rng, np.full(len(levels), size), spec.shares(levels))[:, :-1]
        found = [category_statistics(chunk, held) for chunk in drawn]
    else:
        judge = Usual.of(_values(spec, usual, rng))
        found = [judge.statistics(_values(spec, np.full(size, level), rng)) for level in levels]
    alarms = {}
    for name in _defaults(spec):
        series = np.array([one[name] for one in found])
        known, lived = series[:REFERENCE_CHUNKS], series[REFERENCE_CHUNKS:]
        above = lived > published(name, known, size, REFERENCE_EVENTS, len(spec.cuts))
        label = name.split()[0] + (" p < 0.05" if name.endswith(("Smirnov", "chi-square")) else "")
        alarms[label] = int(np.count_nonzero(above & ~np.append(False, above[:-1])))
    return alarms


def _defaults(spec: Spec) -> tuple[str, ...]:
    if spec.kind == "category":
        return "Evidently Jensen-Shannon", "Evidently chi-square", "NannyML Jensen-Shannon"
    return "Evidently Wasserstein", "Evidently Kolmogorov-Smirnov", "NannyML Jensen-Shannon"


def _values(spec: Spec, levels: Floats, rng: np.random.Generator) -> Floats:
    values = SHAPES[spec.shape](levels + rng.normal(size=len(levels)))
    return np.where(rng.random(len(values)) < spec.missing, np.nan, values)


def _river(scenario: Scenario, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    """Yield the alarms of river's defaults on the events of one normal number, taken for each of twenty."""
    minutes = int(np.ceil(RIVER_EVENTS / (60 * scenario.per_second)))
    levels = np.repeat(scenario.levels(rng, minutes), int(60 * scenario.per_second))[:RIVER_EVENTS]
    values = special.ndtr(levels + rng.normal(size=len(levels))).tolist()
    for name, detector in (("river ADWIN", drift.ADWIN()), ("river Page-Hinkley", drift.PageHinkley())):
        alarms = 0
        for value in values:
            detector.update(value)
            alarms += detector.drift_detected
        yield _row(scenario, name, RIVER_EVENTS / scenario.per_second / WEEK_S / FEATURES, alarms)
