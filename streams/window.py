"""From profiles to what detectors and pages see."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.attributions import Attributions
from detectors.pairs import Pairs
from detectors.window import Column, Matches, Window
from streams import sketch
from streams.history import Pane
from streams.pair_sums import PairSums
from streams.profile import Profile
from streams.sliding import Sliding
from streams.spans import category_spans, missing_of, number_spans

_NO_BINS: NDArray[np.int64] = np.zeros(0, np.int64)
#: What a profile tells of each number column.
_FIGURES = ("count", "out_of_range", "mean", "squares", "minimum", "maximum")


def window_of(
    profile: Profile,
    *,
    version: str,
    segment: str,
    start_ms: int,
    end_ms: int,
    pane: Window | None = None,
    spans: Sequence[NDArray[np.int64]] = (),
    pair_spans: Sequence[NDArray[np.int64]] = (),
    attribution_spans: Sequence[NDArray[np.float64]] = (),
) -> Window:
    """Return a profile as a detector's window.

    ``spans`` are those of a reference (`streams.spans`), ``pair_spans`` those of its pairs (`streams.pair_sums`),
    ``attribution_spans`` those of its attributions (`streams.attribution_spans`).
    """
    features: dict[str, Column] = {}
    prediction: dict[str, Column] = {}
    latency: Column | None = None
    sketches, distinct = profile.column_sketches(), sketch.distinct_each(profile.registers)
    figures = zip(*(getattr(profile, name).tolist() for name in _FIGURES), strict=True)
    for position, (spec, told) in enumerate(zip(profile.layout.numbers, figures, strict=True)):
        column = _number(profile, position, told, sketches[position], distinct[position], spans)
        if spec.role == "feature":
            features[spec.name] = column
        elif spec.role == "prediction":
            prediction[spec.name] = column
        else:
            latency = column
    for position, listed in enumerate(profile.layout.categories):
        (features if listed.role == "feature" else prediction)[listed.name] = _category(
            profile, position, spans
        )
    return Window(
        model=profile.layout.model,
        version=version,
        segment=segment,
        start_ms=start_ms,
        end_ms=end_ms,
        events=profile.events,
        invalid=profile.invalid,
        late=profile.late,
        errors=profile.errors,
        duplicates=profile.duplicates,
        unexpected=dict(profile.unexpected),
        features=features,
        prediction=prediction,
        latency=latency,
        pane=pane,
        now_ms=end_ms,
        pairs=_pairs(profile, pair_spans),
        all_zero=profile.all_zero,
        vectors=profile.vectors,
        attributions=_attributions(profile, attribution_spans),
    )


def current_window(panes: Sequence[Pane], *, version: str, segment: str, sliding: Sliding) -> Window:
    """Return the current window of one version and segment; its newest pane comes along.

    ``sliding`` holds the window as it was.
    """
    newest = panes[-1]
    pane = pane_window(newest, version=version, segment=segment)
    total = newest.profile if len(panes) == 1 else sliding.merged([one.profile for one in panes])
    return window_of(
        total, version=version, segment=segment, start_ms=panes[0].start_ms, end_ms=newest.end_ms, pane=pane
    )


def pane_window(pane: Pane, *, version: str, segment: str) -> Window:
    """Return a closed pane as a window."""
    start_ms, end_ms = pane.start_ms, pane.end_ms
    return window_of(pane.profile, version=version, segment=segment, start_ms=start_ms, end_ms=end_ms)


def traffic_window(windows: Sequence[Window]) -> Window:
    """Return the model as a whole: row counts over all versions, no columns."""
    panes = [window.pane for window in windows if window.pane is not None]
    newest = max((pane.end_ms for pane in panes), default=0)
    whole_pane = _sum([pane for pane in panes if pane.end_ms == newest]) if panes else None
    return _sum(windows, pane=whole_pane)


def _sum(windows: Sequence[Window], pane: Window | None = None) -> Window:
    unexpected: dict[str, int] = {}
    for window in windows:
        for name, count in window.unexpected.items():
            unexpected[name] = unexpected.get(name, 0) + count
    return Window(
        model=windows[0].model,
        start_ms=min(window.start_ms for window in windows),
        end_ms=max(window.end_ms for window in windows),
        events=sum(window.events for window in windows),
        invalid=sum(window.invalid for window in windows),
        late=sum(window.late for window in windows),
        errors=sum(window.errors for window in windows),
        duplicates=sum(window.duplicates for window in windows),
        unexpected=unexpected,
        pane=pane,
        now_ms=max(window.end_ms for window in windows),
    )


def _number(
    profile: Profile,
    position: int,
    told: tuple[int, int, float, float, float, float],
    held: tuple[NDArray[np.float64], NDArray[np.int64]],
    distinct: int,
    spans: Sequence[NDArray[np.int64]],
) -> Column:
    spec = profile.layout.numbers[position]
    count, out_of_range, mean, squares, minimum, maximum = told
    start, end = profile.layout.number_offsets[position : position + 2]
    values, counts = held
    return Column.of(
        name=spec.name,
        kind="number",
        count=count,
        missing=missing_of(profile, count, spec.role),
        out_of_range=out_of_range,
        mean=mean if count else math.nan,
        variance=squares / count if count else math.nan,
        minimum=minimum if count else math.nan,
        maximum=maximum if count else math.nan,
        distinct=distinct,
        bins=profile.bins[start:end] if spec.edges else _NO_BINS,
        edges=profile.layout.number_edges[position],
        labels=profile.layout.number_labels[position],
        sketch_values=values,
        sketch_counts=counts,
        spans=tuple(number_spans(profile.layout, rows, position) for rows in spans if spec.edges),
    )


def _pairs(profile: Profile, spans: Sequence[NDArray[np.int64]]) -> Pairs | None:
    sums: PairSums | None = profile.pairs
    if sums is None:
        return None
    names = tuple(profile.layout.numbers[position].name for position in sums.positions)
    return Pairs(names, sums.counts, sums.gram, tuple(spans))


def _matches(profile: Profile, position: int) -> dict[tuple[str, str], Matches]:
    return {
        (key.name, key.regex): Matches(counts.looked, counts.met, counts.examples)
        for key, counts in profile.matched.items()
        if key.position == position
    }


def _attributions(profile: Profile, spans: Sequence[NDArray[np.float64]]) -> Attributions | None:
    sums = profile.attributions
    if sums is None:
        return None
    layout = profile.layout
    return Attributions(layout.features, sums.events, sums.sums[:, layout.feature_places], tuple(spans))


def _category(profile: Profile, position: int, spans: Sequence[NDArray[np.int64]]) -> Column:
    spec = profile.layout.categories[position]
    start, end = profile.layout.category_offsets[position : position + 2]
    counts = profile.category_counts[start:end]
    present = int(counts.sum())
    # Without a list yet (a reference that warms up) there is nothing to compare by.
    listed = bool(spec.values)
    return Column.of(
        name=spec.name,
        kind="category",
        count=present,
        missing=missing_of(profile, present, spec.role),
        out_of_range=int(counts[-1]) if spec.closed else 0,
        distinct=int(np.count_nonzero(counts[:-1])) + len(profile.unlisted[position]),
        bins=counts if listed else _NO_BINS,
        labels=profile.layout.category_labels[position] if listed else (),
        unlisted=dict(profile.unlisted[position]),
        matched=_matches(profile, position),
        spans=tuple(category_spans(profile.layout, rows, position) for rows in spans if listed),
    )
