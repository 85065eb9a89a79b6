"""Published average run lengths of CUSUM and EWMA charts, and the same by the harness that times our evidence.

Two-sided CUSUM, reference value 0.5: Montgomery, Introduction to Statistical Quality Control, table 9.4, after Hawkins
and Olwell (1998), Cumulative Sum Charts and Charting for Quality Improvement. EWMA with steady limits: Lucas and
Saccucci (1990), Exponentially weighted moving average control schemes, Technometrics 32(1), table 3.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from judgement_streams import Counts, Floats, specs

from detectors.accumulation import advance
from detectors.shift_state import Rule

#: How far a simulated run length may lie from the published one.
TOLERANCE = 0.02

#: What takes a step of some runs at once: their states in, and out with whether each alarms.
Step = Callable[[Floats], tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, the shift it is shown (standard deviations), and its published mean run length."""

    name: str
    parameters: tuple[float, float]
    shift: float
    published: float


CHARTS = tuple(
    Chart(name, parameters, shift, published)
    for name, parameters, row in (
        ("CUSUM", (0.5, 4.0), {0.0: 168, 0.25: 74.2, 0.5: 26.6, 1.0: 8.38, 2.0: 3.34}),
        ("CUSUM", (0.5, 5.0), {0.0: 465, 0.25: 139, 0.5: 38.0, 1.0: 10.4, 2.0: 4.01}),
        ("EWMA", (0.25, 2.998), {0.0: 500, 0.25: 170, 0.5: 48.2, 1.0: 11.1, 2.0: 3.6}),
        ("EWMA", (0.1, 2.814), {0.0: 500, 0.25: 106, 0.5: 31.3, 1.0: 10.3, 2.0: 4.4}),
    )
    for shift, published in row.items()
)


def run_lengths(states: Floats, step: Step, most: int = 1_000_000) -> Counts:
    """Return after how many steps each run alarms; ``most`` where it has not by then.

    ``states`` has the runs in its first dimension.
    """
    lengths = np.full(len(states), most)
    running = np.arange(len(states))
    for taken in range(1, most):
        states, alarms = step(states)
        if alarms.any():
            lengths[running[alarms]] = taken
            running, states = running[~alarms], states[~alarms]
            if not len(running):
                break
    return lengths


def chart_run_lengths(chart: Chart, runs: int, rng: np.random.Generator) -> Counts:
    """Return the run lengths of a chart over independent normal values."""
    return run_lengths(np.zeros((runs, 2)), (_cusum if chart.name == "CUSUM" else _ewma)(chart, rng))


def _cusum(chart: Chart, rng: np.random.Generator) -> Step:
    slack, limit = chart.parameters

    def step(sums: Floats) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        values = rng.normal(chart.shift, 1.0, len(sums))
        sums = np.maximum(sums + np.stack((values - slack, -values - slack), axis=1), 0.0)
        return sums, sums.max(axis=1) > limit

    return step


def _ewma(chart: Chart, rng: np.random.Generator) -> Step:
    weight, width = chart.parameters
    limit = width * np.sqrt(weight / (2 - weight))

    def step(means: Floats) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        values = rng.normal(chart.shift, 1.0, len(means))[:, None]
        means = (1 - weight) * means + weight * values
        return means, np.abs(means[:, 0]) > limit

    return step


def evidence_run_lengths(run_length: float, runs: int, rng: np.random.Generator) -> Counts:
    """Return the run lengths of our evidence on a steady normal number, 100 events a pane."""
    spec = specs()[0]
    usual = spec.shares(np.zeros(1))[0]
    rule = Rule.of(spec.column(rng.multinomial(1_000_000, usual)), 0.05)
    log_weights = rule.bank.log_weights

    def step(kept: Floats) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        gains = rule.bank.increments(rng.multinomial(100, usual, size=len(kept)))
        kept, evidence, _ = advance(kept, gains, log_weights, float(np.log(run_length)))
        return kept, evidence > np.log(run_length)

    return run_lengths(np.zeros((runs, *log_weights.shape)), step, most=int(20 * run_length))


def rows(runs: int, seed: int) -> Iterator[dict[str, object]]:
    """Yield each published run length beside the simulated one, and our evidence's beside its bound."""
    for place, chart in enumerate(CHARTS):
        lengths = chart_run_lengths(chart, runs, np.random.default_rng([seed, place]))
        mean, error = float(lengths.mean()), float(lengths.std() / np.sqrt(runs))
        # A published figure is rounded, by half a unit in its last place.
        rounding = 0.05 if chart.published < 5 and chart.name == "EWMA" else 0.005
        allowed = TOLERANCE * chart.published + max(rounding if chart.published < 10 else 0.0, 3 * error)
        yield {
            "part": "tables",
            "chart": chart.name,
            "parameters": chart.parameters,
            "shift": chart.shift,
            "published": chart.published,
            "simulated": round(mean, 3),
            "standard_error": round(error, 3),
            "off_by": round(mean / chart.published - 1, 4),
            "passes": bool(abs(mean - chart.published) <= allowed),
        }
    few, bound = max(runs // 200, 20), 200.0
    lengths = evidence_run_lengths(bound, few, np.random.default_rng([seed, len(CHARTS)]))
    mean, error = float(lengths.mean()), float(lengths.std() / np.sqrt(few))
    yield {
        "part": "tables",
        "chart": "evidence",
        "parameters": (bound,),
        "shift": 0.0,
        "published": bound,
        "simulated": round(mean, 1),
        "standard_error": round(error, 1),
        "off_by": round(mean / bound - 1, 4),
        "passes": mean >= bound - 2 * error,
    }
