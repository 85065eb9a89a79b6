"""False alarms per week of healthy models, on the budget: which part of the product is simulated how."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from judgement_pairs import pair_alarms, pair_detector
from judgement_replicas import (
    PATIENCE,
    SEQUENTIAL,
    Alarm,
    column_detectors,
    joined,
    lasting_alarms,
    monitor,
    scores,
    window_alarms,
    windows_of,
)
from judgement_streams import PANES_A_DAY, SCENARIOS, Life, Spec, life, side_by_side, specs
from scipy import stats

from detectors.base import Detector
from detectors.shift_state import Rule

BUDGETS = (0.5, 1.0, 5.0)
WEEK_PANES = 7 * PANES_A_DAY
#: A budget may be exceeded by so much.
ALLOWED = 1.2

#: Events a second up to which pairs are simulated: ten have the least change of a correlation at ten standard errors.
PAIRED_UP_TO = 1

#: Alerts by kind and column, of one run and budget.
Signals = dict[tuple[str, str], list[Alarm]]


def rows(models: int, seed: int, *, days: int = 7, columns: int | None = None) -> Iterator[dict[str, object]]:
    """Yield the alarms of each scenario and budget; ``models`` of ``days`` days each."""
    yield from side_by_side(
        _scenario, ((place, models, seed, days, columns) for place in range(len(SCENARIOS)))
    )


def _scenario(place: int, runs: int, seed: int, days: int, columns: int | None) -> list[dict[str, object]]:
    scenario, judged, panes = SCENARIOS[place], specs()[:columns], days * PANES_A_DAY
    monitors = [monitor(judged, budget) for budget in BUDGETS]
    sources = [np.random.default_rng([seed, place, run]) for run in range(runs)]
    totals = [rng.poisson(scenario.per_second * 60, panes) for rng in sources]
    signals: list[list[Signals]] = [[{} for _ in range(runs)] for _ in BUDGETS]
    by_detector: list[dict[str, int]] = [{} for _ in BUDGETS]
    for spec in judged:
        lives = [life(spec, scenario, rng, total) for rng, total in zip(sources, totals, strict=True)]
        benches = [column_detectors(one, spec.name) for one in monitors]
        for budget, run, detector, alarms in _alarms(spec, lives, benches):
            key = (detector.kind, spec.name)
            signals[budget][run].setdefault(key, []).extend(alarms)
            found = by_detector[budget]
            found[detector.name] = found.get(detector.name, 0) + len(alarms)
    if columns is None and scenario.per_second <= PAIRED_UP_TO:
        for run, total in enumerate(totals):
            ours = [pair_detector(one) for one in monitors]
            for budget, alarms in enumerate(pair_alarms(ours, scenario, total, sources[run])):
                signals[budget][run][ours[budget].kind, ""] = alarms
                found = by_detector[budget]
                found[ours[budget].name] = found.get(ours[budget].name, 0) + len(alarms)
    weeks = runs * panes / WEEK_PANES
    return [
        told(
            scenario.name,
            per_week,
            weeks,
            sum(len(joined(alarms)) for run in mine for alarms in run.values()),
        )
        | {"by_detector": {name: count for name, count in by_detector[budget].items() if count}}
        for budget, (per_week, mine) in enumerate(zip(BUDGETS, signals, strict=True))
    ]


def _alarms(
    spec: Spec, lives: list[Life], benches: list[list[Detector[Any]]]
) -> Iterator[tuple[int, int, Detector[Any], list[Alarm]]]:
    lasting = [next(one for one in bench if one.name in SEQUENTIAL) for bench in benches]
    rules = [Rule.of(one.reference, lasting[0].params.min_effect) for one in lives]
    limits = np.array([one.params.threshold for one in lasting]) * np.log(10)
    found = scores(rules, [one.panes for one in lives], limits)
    windows = [windows_of(one.panes) for one in lives]
    for budget, bench in enumerate(benches):
        for run, one in enumerate(lives):
            yield budget, run, lasting[budget], lasting_alarms(lasting[budget], found[budget, run])
            for detector in bench:
                if detector.name not in SEQUENTIAL:
                    yield budget, run, detector, window_alarms(detector, spec, one.reference, windows[run])


def told(scenario: str, budget: float, weeks: float, alerts: int) -> dict[str, object]:
    """Return a row: alarms per week with their 95 % Poisson interval, held against the budget."""
    low = float(stats.chi2.ppf(0.025, 2 * alerts)) / 2 / weeks if alerts else 0.0
    high = float(stats.chi2.ppf(0.975, 2 * alerts + 2)) / 2 / weeks
    return {
        "part": "alarms",
        "scenario": scenario,
        "budget": budget,
        "model_weeks": round(weeks, 2),
        "alerts": alerts,
        "per_week": round(alerts / weeks, 3),
        "interval": [round(low, 3), round(high, 3)],
        "passes": alerts / weeks <= ALLOWED * budget and low <= budget,
        "clear_for_ms": PATIENCE.clear_for_ms,
    }
