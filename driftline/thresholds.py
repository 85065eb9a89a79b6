"""The thresholds in force for one monitor, and in words where they come from."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from alerts import duration
from detectors.attribution_drift import AttributionDrift
from detectors.attributions import Attributions
from detectors.base import Detector
from detectors.confidence import confidence
from detectors.confidence_drift import ConfidenceDrift
from detectors.distribution import DistributionDetector
from detectors.effect import EffectDetector
from detectors.estimated_performance import EstimatedPerformance
from detectors.estimation.losses import LOSSES
from detectors.lasting_shift import LastingShift
from detectors.pairs import Pairs
from detectors.sentence import figure, listing, percent, quantity
from detectors.window import Column, Window
from streams.bench import SEQUENTIAL_SHARE, Bench
from streams.gates import SHUT
from streams.joins.outcome_bench import outcome_bench
from streams.monitor import Monitor
from streams.stages.fleet import Watched

_OBJECTIVES = {"latency", "error_rate"}


def explain(watched: Watched) -> list[dict[str, Any]]:
    """Return a row for each detector and column of a monitor: ``detector, feature, threshold, why``.

    Thresholds that depend on how many events there are, are those of a window of ``min_samples`` events.
    """
    bench = Bench(watched.monitor)
    return [_row(watched, bench, one) for one in _on(watched, bench)]


def _on(watched: Watched, bench: Bench) -> Iterator[Detector[Any]]:
    for observes in ("pane", "tick"):
        for scope in ("version", "model"):
            yield from bench.detectors(("", ""), observes=observes, scope=scope)
    of_outcomes = outcome_bench(watched.monitor, bench.outcome_alpha)
    yield from () if of_outcomes is None else of_outcomes.detectors


def _row(watched: Watched, bench: Bench, one: Detector[Any]) -> dict[str, Any]:
    usual = watched.reference
    threshold, samples = one.params.threshold, watched.monitor.windows.min_samples
    if usual is not None and one.needs_reference and not isinstance(one, LastingShift):
        sample = _thinned(usual, samples)
        threshold = one.observe(replace(sample, pane=sample), usual).threshold
    return {
        "detector": one.name,
        "feature": one.column,
        "threshold": threshold,
        "why": "; ".join(_reasons(watched.monitor, bench, one, usual)),
    }


def _reasons(monitor: Monitor, bench: Bench, one: Detector[Any], usual: Window | None) -> Iterator[str]:
    settings = monitor.settings(one.name)
    is_given = settings is not None and "threshold" in settings.params
    source = "given in the monitor" if is_given else "default"
    if one.name in _OBJECTIVES and not is_given:
        source = "an objective of the monitor" if _has_objective(monitor, one) else source
    if isinstance(one, LastingShift):
        yield source if is_given else _of_the_budget(monitor, bench)
        yield from _of_the_margin(one, usual)
    elif hasattr(one.params, "alpha"):
        floor, alpha = figure(one.params.threshold), f"{one.params.alpha:.1e}"
        yield (
            f"the larger of {floor} ({source}) and what chance alone passes with probability {alpha} "
            f"in a window of {_least(monitor, one)}"
        )
        if isinstance(one, DistributionDetector):
            yield from _of_the_swings(one, usual, monitor.windows.min_samples)
        if isinstance(one, AttributionDrift):
            yield from _of_the_attributions(one, usual, monitor.windows.min_samples)
    else:
        yield source
    if isinstance(one, EstimatedPerformance):
        yield from _of_the_errors(one, usual)
        yield (
            "says nothing while labels show its estimates not to be trusted: outside the interval more often than "
            "the promised 5 % of panes"
        )
    if settings is not None and settings.gate is not None:
        yield (
            f"its alerts stay at {SHUT} while the performance estimated before labels holds, and have their own "
            "severity once it falls or cannot be told (gate: performance)"
        )


def _of_the_errors(one: EstimatedPerformance, usual: Window | None) -> Iterator[str]:
    if one.column not in LOSSES:
        return
    model = None if usual is None else usual.loss_model
    if model is None:
        yield "says nothing: no reference file with a column 'label' says which errors to expect"
    elif model.why:
        yield f"says nothing, because {model.why}"
    else:
        told = percent(max(float(model.skill[LOSSES[one.column]]), 0.0))
        names = listing([repr(column.name) for column in model.columns])
        yield (
            f"expects errors by the bins of {names}, which tell {told} of their variance in held-out rows, from "
            f"{quantity(model.labels, 'label')} of {model.source}"
        )


def _least(monitor: Monitor, one: Detector[Any]) -> str:
    if one.observes == "outcome":
        return quantity(one.params.min_samples, "label")
    return quantity(monitor.windows.min_samples, "event")


def _of_the_budget(monitor: Monitor, bench: Bench) -> str:
    weekly = f"{figure(monitor.false_alarms.per_week)} false alarms a week"
    pane = duration.format(monitor.windows.pane)
    return (
        f"log10 of {bench.run_length:,.0f} panes of {pane} from one false alarm to the next, for each of "
        f"{quantity(bench.sequential_streams, 'column')}: {figure(100 * SEQUENTIAL_SHARE)} % of {weekly}"
    )


def _of_the_margin(one: LastingShift, usual: Window | None) -> Iterator[str]:
    column = None if usual is None else usual.column(one.column)
    furthest = None if column is None else one.furthest_usual(column)
    if furthest is None:
        yield f"lets pass shifts below {figure(one.params.min_effect)} standard deviations"
        return
    effect, name = furthest
    least = figure(one.params.min_effect)
    if effect <= one.params.min_effect:
        yield f"lets pass shifts below {least} standard deviations; the reference shows no wandering beyond sampling"
    else:
        yield (
            f"lets pass shifts below {least} standard deviations, and what the reference itself wanders: "
            f"at most {figure(effect, 2)} ({name})"
        )


def _of_the_swings(one: DistributionDetector[Any], usual: Window | None, rows: int) -> Iterator[str]:
    column = None if usual is None else usual.column(one.column)
    if usual is not None and isinstance(one, ConfidenceDrift):
        folded = confidence(usual.prediction)
        column = None if isinstance(folded, str) else folded
    furthest = None if column is None else one.furthest_usual(column, rows)
    if furthest is None:
        return
    if not furthest:
        yield "the reference shows no swings beyond sampling"
        return
    unit = "effect (Cohen's w)" if isinstance(one, EffectDetector) else one.measure_name
    yield (
        f"lets pass what the reference itself swings, {unit} up to {figure(furthest, 2)}, and chance on top"
    )


def _has_objective(monitor: Monitor, one: Detector[Any]) -> bool:
    return one.name == "latency" or monitor.objectives.error_rate is not None


def _thinned_pairs(pairs: Pairs, ratio: float) -> Pairs:
    counts, gram = (np.rint(one * ratio).astype(np.int64) for one in (pairs.counts, pairs.gram))
    return Pairs(pairs.names, counts, gram)


def _thinned_attributions(usual: Attributions, events: int) -> Attributions:
    ratio = events / max(usual.events, 1)
    return Attributions(usual.names, events, usual.sums * ratio)


def _of_the_attributions(one: AttributionDrift, usual: Window | None, rows: int) -> Iterator[str]:
    held = None if usual is None else usual.attributions
    if held is None:
        yield "says nothing where neither events nor reference carry attributions"
        return
    limit = one.value_limit(_thinned_attributions(held, rows), held)
    yield (
        "chance is what the changes of rank that are seen may cost by it; for change of value the larger of "
        f"{figure(one.params.value_threshold)} and chance, {figure(limit)} in such a window; both let pass what the "
        "reference itself swings"
    )


def _thinned(usual: Window, events: int) -> Window:
    """Return a window of so many events with the reference's shares."""

    def thin(column: Column) -> Column:
        ratio = events / max(column.rows, 1)
        bins = np.rint(column.bins * ratio).astype(np.int64)
        count = int(bins.sum()) if bins.size else round(column.count * ratio)
        return replace(column, bins=bins, count=count, missing=max(events - count, 0))

    attributions = usual.attributions
    return replace(
        usual,
        events=events,
        all_zero=round(usual.all_zero * events / max(usual.vectors, 1)),
        vectors=events if usual.vectors else 0,
        attributions=None if attributions is None else _thinned_attributions(attributions, events),
        pairs=None if usual.pairs is None else _thinned_pairs(usual.pairs, events / max(usual.events, 1)),
        features={name: thin(one) for name, one in usual.features.items()},
        prediction={name: thin(one) for name, one in usual.prediction.items()},
    )
