"""Windows and columns from plain arrays, binned as a layout would."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.attributions import Attributions
from detectors.estimation.calibration import Calibration, calibration_of
from detectors.estimation.scored import Scored
from detectors.outcomes.losses import PaneLoss
from detectors.outcomes.metrics import metrics
from detectors.outcomes.task import Task, score_bin
from detectors.outcomes.window import OutcomeWindow
from detectors.pairs import Pairs, normal_scores
from detectors.registry import DETECTORS, AnyDetector, build
from detectors.window import Column, Window

PANE_MS = 10_000
SCORE_EDGES = np.round(np.arange(1, 20) * 0.05, 2)
EDGES = np.array([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5])
PLANS = ("free", "pro", "team")


def number(
    values: ArrayLike,
    *,
    name: str = "x",
    edges: NDArray[np.float64] = EDGES,
    missing: int = 0,
    low: float = -np.inf,
    high: float = np.inf,
) -> Column:
    """Return a number's column; the sketch holds the values to two decimals."""
    array = np.asarray(values, dtype=np.float64)
    distinct, counts = np.unique(np.round(array, 2), return_counts=True)
    return Column(
        name,
        "number",
        count=array.size,
        missing=missing,
        out_of_range=int(np.sum((array < low) | (array > high))),
        mean=float(array.mean()) if array.size else float("nan"),
        variance=float(array.var()) if array.size else float("nan"),
        minimum=float(array.min()) if array.size else float("nan"),
        maximum=float(array.max()) if array.size else float("nan"),
        distinct=distinct.size,
        bins=np.bincount(np.searchsorted(edges, array, side="right"), minlength=edges.size + 1),
        edges=edges,
        labels=tuple(f"bin {i}" for i in range(edges.size + 1)),
        sketch_values=distinct,
        sketch_counts=counts,
    )


def category(
    counts: Sequence[int],
    *,
    name: str = "plan",
    listed: Sequence[str] = PLANS,
    missing: int = 0,
    **unlisted: Any,
) -> Column:
    """Return a category's column: one count per listed category; the unlisted ones by name."""
    bins = np.array([*counts, sum(unlisted.values())], dtype=np.int64)
    return Column(
        name,
        "category",
        count=int(bins.sum()),
        missing=missing,
        distinct=int(np.count_nonzero(bins[:-1])) + len(unlisted),
        bins=bins,
        labels=(*listed, "other"),
        unlisted=unlisted,
    )


def binned(counts: Sequence[int], *, name: str = "x") -> Column:
    """Return a number's column known by its bins alone."""
    bins = np.array(counts, dtype=np.int64)
    edges = np.arange(1.0, len(counts))
    return Column(
        name,
        "number",
        count=int(bins.sum()),
        bins=bins,
        edges=edges,
        labels=tuple(map(str, range(len(counts)))),
    )


def window(*columns: Column, events: int | None = None, **fields: Any) -> Window:
    """Return a window of five minutes; columns named prediction or latency_ms go to their places."""
    rows = max((column.rows for column in columns), default=0)
    made = Window(
        model="churn",
        start_ms=0,
        end_ms=300_000,
        events=rows if events is None else events,
        features={c.name: c for c in columns if c.name not in ("prediction", "latency_ms")},
        prediction={c.name: c for c in columns if c.name == "prediction"},
        latency=next((c for c in columns if c.name == "latency_ms"), None),
    )
    return replace(made, **fields)


def pane(index: int, *columns: Column, events: int | None = None, span: int = 1) -> Window:
    """Return a window whose newest pane is number ``index``; the window spans ``span`` equal panes."""
    end_ms = (index + 1) * PANE_MS
    newest = replace(window(*columns, events=events), start_ms=end_ms - PANE_MS, end_ms=end_ms)
    return replace(newest, start_ms=end_ms - span * PANE_MS, events=newest.events * span, pane=newest)


def column_of(name: str, rng: np.random.Generator, size: int, target: str) -> Column:
    """Return a well-behaved column for a detector's target."""
    if target == "latency":
        return number(rng.gamma(4.0, 5.0, size), name=name)
    if target == "category":
        listed = rng.multinomial(size, [0.6, 0.3, 0.1])
        return category([int(count) for count in listed], name=name)
    values = rng.normal(size=size)
    if target == "prediction":
        scores = 1.0 / (1.0 + np.exp(-values))
        return number(scores, name=name, edges=SCORE_EDGES, missing=int(rng.binomial(size, 0.02)))
    return number(values, name=name, low=-4.5, high=4.5, missing=int(rng.binomial(size, 0.02)))


NAMES = {
    "number": "x", "category": "plan", "prediction": "prediction", "latency": "latency_ms", "model": "",
    "outcome": "recall",
}  # fmt: skip


def outcomes_of(rng: np.random.Generator, size: int, hits: float = 0.8) -> OutcomeWindow:
    """Return outcomes of which a tenth are positive; the share ``hits`` of those is found."""
    positive = int(rng.binomial(size, 0.1))
    found, false = int(rng.binomial(positive, hits)), int(rng.binomial(size - positive, 0.05))
    tally = {
        ("n",): size, ("pair", "positive", "positive"): found, ("pair", "positive", "negative"): positive - found,
        ("pair", "negative", "positive"): false, ("pair", "negative", "negative"): size - positive - false,
        ("bin", "positive", "9", "1"): positive, ("bin", "positive", "9", "0"): size - positive,
    }  # fmt: skip
    panes = 40
    counts = np.full(panes, size // panes)
    wrong = rng.binomial(counts, 0.07) / np.maximum(counts, 1)
    losses = tuple(
        PaneLoss(pane, pane + 1, int(count), float(share), float(share * (1 - share)))
        for pane, (count, share) in enumerate(zip(counts, wrong, strict=True))
        if count
    )
    return OutcomeWindow(
        0, 86_400_000, metrics(Task("score"), tally), size, size, losses=losses, scored=labelled(rng, size)
    )


def labelled(rng: np.random.Generator, size: int, shift: float = 0.0) -> dict[str, Scored]:
    """Return scores as those of `calibrated`, of which more come true by ``shift`` (log odds)."""
    odds = rng.normal(size=size)
    truth = rng.random(size) < 1.0 / (1.0 + np.exp(-odds - shift))
    return {"positive": scored_of(1.0 / (1.0 + np.exp(-odds)), truth)}


def scored_of(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> Scored:
    """Return scores with their truth, counted."""
    rows: dict[int, list[int]] = {}
    for place, is_true in zip(map(score_bin, scores.tolist()), truth.tolist(), strict=True):
        rows.setdefault(place, [0, 0])[int(is_true)] += 1
    return Scored.of([(place, no, yes) for place, (no, yes) in rows.items()])


@cache
def calibrated(seed: int = 1, size: int = 3_000) -> Calibration:
    """Return what the scores of `usual` mean: what they say."""
    rng = np.random.default_rng(seed)
    scores = 1.0 / (1.0 + np.exp(-rng.normal(size=size)))
    found = {"positive": scored_of(scores, rng.random(size) < scores)}
    calibration = calibration_of(Task("score"), found, "earlier outcomes")
    assert calibration is not None
    return calibration


def paired(values: NDArray[np.float64], *, names: Sequence[str] = (), edges: Any = EDGES) -> Pairs:
    """Return the sums over pairs of columns, shape ``(n, d)``, NaN where missing; all in the same bins."""
    scores = normal_scores(len(edges) + 1)[np.searchsorted(edges, values, side="right")]
    held = ~np.isnan(values)
    scores = np.where(held, scores, 0.0)
    rows = np.column_stack((np.ones(len(values)), scores, scores**2))
    names = names or tuple(f"f{place}" for place in range(values.shape[1]))
    counts = held.astype(np.int64)
    return Pairs(tuple(names), counts.T @ counts, np.rint(rows.T @ rows).astype(np.int64))


def correlated(
    rng: np.random.Generator, size: int, *correlations: float, shift: float = 0.0
) -> NDArray[np.float64]:
    """Return normal columns, each correlated with the first as given, shape ``(size, 1 + given)``."""
    first = rng.normal(size=size)
    others = [r * first + np.sqrt(1 - r * r) * rng.normal(size=size) for r in correlations]
    return np.column_stack((first, *others)) + shift


def attributed(values: NDArray[np.float64], *, names: Sequence[str] = ()) -> Attributions:
    """Return the sums of what features contributed, shape ``(n, F)``."""
    names = names or tuple(f"f{place}" for place in range(values.shape[1]))
    sums = np.array([np.abs(values).sum(axis=0), values.sum(axis=0), (values**2).sum(axis=0)])
    return Attributions(tuple(names), len(values), sums)


def contributions(
    rng: np.random.Generator, size: int, *scales: float, mean: float = 0.2
) -> NDArray[np.float64]:
    """Return what features contribute: normal, about ``mean``, times the scale of each; shape ``(size, F)``."""
    held = np.array(scales or (1.0, 0.6, 0.4, 0.25, 0.1))
    return np.asarray((mean + rng.normal(size=(size, held.size))) * held)


def usual(rng: np.random.Generator, size: int, index: int = 0) -> Window:
    """Return a window of a healthy model in which every target has its column; times are regular."""
    columns = [column_of(NAMES[t], rng, size, t) for t in ("number", "category", "prediction", "latency")]
    end_ms = (index + 1) * PANE_MS
    newest = replace(
        window(*columns, events=size),
        start_ms=end_ms - PANE_MS,
        end_ms=end_ms,
        errors=int(rng.binomial(size, 0.01)),
        invalid=int(rng.binomial(size, 0.002)),
        unexpected={"debug": int(rng.binomial(size, 0.001))},
        now_ms=end_ms + 1000,
        last_event_ms=end_ms - 1,
        last_record_ms=end_ms,
        outcomes=outcomes_of(rng, size),
        calibration=calibrated(),
        all_zero=size // 500,
        vectors=size,
        pairs=paired(correlated(np.random.default_rng([size, index, 77]), size, 0.7, 0.0)),
        attributions=attributed(contributions(np.random.default_rng([size, index, 78]), size)),
    )
    return replace(newest, pane=newest)


@cache
def healthy(seed: int, size: int, index: int = 0) -> Window:
    """Return `usual` by its seed, made once for all the tests that look at it."""
    return usual(np.random.default_rng([seed, size, index]), size, index)


def every_case() -> list[tuple[str, str]]:
    """Return (detector, target) for every target of every detector."""
    return [(name, target) for name, cls in DETECTORS.items() for target in sorted(cls.targets)]


def make(name: str, target: str | None = None, **params: Any) -> AnyDetector:
    """Return a detector for the column its target has in `usual`."""
    return build(name, params, NAMES[target or min(DETECTORS[name].targets)])
