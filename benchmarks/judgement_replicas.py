"""The product's own judgement of many runs at once, and the alerts it comes to.

The evidence of lasting shifts is `detectors.accumulation.advance` over runs and budgets together. A detector
of one window is asked only where a cheap bound shows that its score may come near its threshold; elsewhere it
is well. Alerts are `streams.alert_state`: the product's hysteresis, signals of one kind and column joined.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from judgement_streams import PANE_MS, Counts, Floats, Spec

from detectors.accumulation import advance
from detectors.base import Detector, Evidence, Verdict
from detectors.shift_state import Rule
from detectors.window import Column, Window
from streams.alert_state import CLEAR_RATIO, Patience, Signal, SignalState, step
from streams.bench import Bench
from streams.monitor import Monitor

MODEL = "judged"
WINDOW_PANES = 5
MIN_SAMPLES = 500
PATIENCE = Patience(for_ms=0, clear_for_ms=2 * PANE_MS)
SEQUENTIAL = frozenset({"lasting_shift", "prediction_shift"})
_BLOCK = 240
#: Part of the thresholds from which on a window is looked at in earnest.
NEAR = CLEAR_RATIO
#: Smallest excesses the detectors of rates ask for, by name.
_LEAST_EXCESS = {"missing_rate": 0.02, "new_categories": 0.01}

Alarm = tuple[int, int]


def monitor(specs: Sequence[Spec], per_week: float) -> Monitor:
    """Return a monitor of these columns, with every default detector."""
    features = {one.name: {"type": one.kind} for one in specs if one.name != "prediction"}
    windows = {"pane": f"{PANE_MS}ms", "current": f"{WINDOW_PANES * PANE_MS}ms", "min_samples": MIN_SAMPLES}
    return Monitor.model_validate(
        {
            "model": MODEL,
            "features": features,
            "windows": windows,
            "reference": {"file": "reference.json"},
            "false_alarms": {"per_week": per_week},
        }
    )


def column_detectors(held: Monitor, column: str) -> list[Detector[Any]]:
    """Return the default detectors of one column, as the product makes them."""
    return [
        one
        for one in Bench(held).detectors(("", ""), observes="pane", scope="version")
        if one.column == column
    ]


def scores(rules: Sequence[Rule], panes: Sequence[Counts], log_limits: Floats) -> Floats:
    """Return log10 of the evidence after each pane, shape ``(budgets, runs, panes)``.

    Parameters
    ----------
    rules, panes
        Of each run: its rule, and its panes' counts of shape ``(panes, bins + 1)``.
    log_limits
        Logarithms of the budgets' thresholds, shape ``(budgets,)``.
    """
    length, limits = len(panes[0]), log_limits[:, None]
    log_weights = rules[0].bank.log_weights
    kept = np.zeros((len(log_limits), len(rules), *log_weights.shape))
    found = np.empty((length, len(log_limits), len(rules)))
    for start in range(0, length, _BLOCK):
        pairs = zip(rules, panes, strict=True)
        gains = np.stack([rule.bank.increments(mine[start : start + _BLOCK]) for rule, mine in pairs], axis=1)
        for place, gain in enumerate(gains, start):
            kept, found[place], _ = advance(kept, gain, log_weights, limits)
    return np.moveaxis(found, 0, 2) / math.log(10)


def lasting_alarms(detector: Detector[Any], found: Floats) -> list[Alarm]:
    """Return when the signal of evidence that adds up fires; ``found`` are the scores pane by pane."""
    near = np.flatnonzero(found > NEAR * detector.params.threshold)
    return spells({int(at): detector.verdict(float(found[at]), 1, Evidence("")) for at in near}, len(found))


def windows_of(panes: Counts) -> Counts:
    """Return the counts of the current window at each pane."""
    total = np.concatenate((np.zeros((1, panes.shape[1]), np.int64), np.cumsum(panes, axis=0)))
    starts, ends = window_bounds(panes.sum(axis=1))
    return np.asarray(total[ends] - total[starts])


def window_bounds(events: Counts) -> tuple[Counts, Counts]:
    """Return where the window at each pane starts and ends: five panes, or as many as hold enough events."""
    total = np.concatenate((np.zeros(1, np.int64), np.cumsum(events)))
    ends = np.arange(1, len(total))
    enough = np.searchsorted(total, total[ends] - MIN_SAMPLES, side="right") - 1
    return np.maximum(np.minimum(enough, ends - WINDOW_PANES), 0), ends


def window_alarms(detector: Detector[Any], spec: Spec, reference: Column, windows: Counts) -> list[Alarm]:
    """Return when the signal of a detector of one window fires."""
    detector = of_its_own(detector)
    is_prediction = spec.name == "prediction"
    usual = _window(reference, is_prediction)
    near = np.flatnonzero(_may_be_near(detector, reference, windows))
    looks = ((int(at), _window(spec.column(windows[at]), is_prediction)) for at in near)
    return observed_alarms(detector, looks, usual, len(windows))


def of_its_own(detector: Detector[Any]) -> Detector[Any]:
    """Return such a detector for one run: what it holds back is of the run's reference."""
    return type(detector)(detector.params, detector.column)


def observed_alarms(
    detector: Detector[Any], looks: Iterable[tuple[int, Window]], usual: Window, panes: int
) -> list[Alarm]:
    """Return when the signal fires, by verdicts of the windows of some panes; it is well at all others."""
    verdicts: dict[int, Verdict] = {}
    for at, window in looks:
        verdict = detector.observe(window, usual)
        if verdict.status == "firing" or verdict.score > NEAR * verdict.threshold:
            verdicts[at] = verdict
    return spells(verdicts, panes)


def _window(column: Column, is_prediction: bool) -> Window:
    held = {column.name: column}
    if is_prediction:
        return Window(MODEL, events=column.rows, prediction=held)
    return Window(MODEL, events=column.rows, features=held)


def _may_be_near(detector: Detector[Any], reference: Column, windows: Counts) -> np.ndarray[Any, Any]:
    """Return at which panes the score may be near the threshold: an upper bound of it is."""
    rows = windows.sum(axis=1)
    bins, held = windows[:, :-1], reference.bins
    p = bins / np.maximum(bins.sum(axis=1, keepdims=True), 1)
    q = held / held.sum()
    enough = rows >= MIN_SAMPLES
    if detector.name in ("psi", "prediction_drift"):
        # Pooling bins and smoothing shares bring a divergence down, never up.
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(p == q, 0.0, (p - q) * np.log(p / q))
        return np.asarray(enough & (terms.sum(axis=1) > NEAR * detector.params.threshold))
    if detector.name == "vanished_categories":
        params = detector.params
        few = (q >= params.min_share) & (p <= params.remaining * q)
        return np.asarray(enough & few[:, :-1].any(axis=1))
    if detector.name == "missing_rate":
        excess = windows[:, -1] / np.maximum(rows, 1) - reference.missing / reference.rows
    elif detector.name == "new_categories":
        excess = p[:, -1] - q[-1]
    elif detector.name == "out_of_range":
        return np.zeros(len(windows), bool)
    else:
        raise ValueError(f"no bound is known for the default detector {detector.name!r}")
    return np.asarray(enough & (excess > NEAR * _LEAST_EXCESS[detector.name]))


def spells(verdicts: dict[int, Verdict], panes: int) -> list[Alarm]:
    """Return the spans of panes in which a signal fires; it is well where there is no verdict."""
    found: list[Alarm] = []
    signal, fired, last = Signal(), 0, 0
    for at in [*sorted(verdicts), panes + 1]:
        for quiet in range(last + 1, at):
            if signal.state is SignalState.INACTIVE:
                break
            signal = step(signal, _WELL, quiet * PANE_MS, PATIENCE)
            if signal.state is SignalState.INACTIVE:
                found.append((fired, quiet))
        was, last = signal.state, at
        if at in verdicts:
            signal = step(signal, verdicts[at], at * PANE_MS, PATIENCE)
            if signal.state is SignalState.FIRING and was is not SignalState.FIRING:
                fired = at
            elif signal.state is SignalState.INACTIVE and was is SignalState.FIRING:
                found.append((fired, at))
    return found if signal.state is SignalState.INACTIVE else [*found, (fired, panes)]


_WELL = Verdict("", "", "", "ok", 0.0, 1.0, 0, Evidence(""))


def joined(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Return the spans in which any signal fires: one alert each."""
    whole: list[Alarm] = []
    for start, end in sorted(alarms):
        if whole and start < whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return whole
