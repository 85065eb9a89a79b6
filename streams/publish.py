"""What a judge's figures look like to pages and scripts: the rows of `streams.views`."""

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from typing import Any

import msgspec
import numpy as np

from detectors.base import Verdict
from detectors.window import Column, Window, quantiles
from streams.evidence import evidence_of
from streams.finite import finite
from streams.inbox import Group
from streams.judge import ModelJudge, View
from streams.judged import Judged
from streams.layout import LATENCY
from streams.segment_values import remarks
from streams.views import State, rfc3339
from streams.watermark import NEVER_MS

_PERCENTILES = (0.5, 0.95, 0.99)
#: A row to be written, in the shape of a model of `streams.views`, which those who read it have it in.
Row = dict[str, Any]


def encoded(row: Row) -> str:
    """Return a row as JSON; pydantic would take several times as long to build and write it."""
    return _encoder.encode(row).decode()


def _plain(value: object) -> object:
    """Return a number of numpy as one of Python's; details of evidence may hold some."""
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} does not go into a row")


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def verdict_row(model: str, group: Group, at_ms: int, verdict: Verdict) -> Row:
    """Return a verdict as scripts see it: a `views.VerdictRow`."""
    return {
        "at": rfc3339(at_ms),
        "model": model,
        "version": group[0],
        "detector": verdict.detector,
        "kind": verdict.kind,
        "feature": verdict.column,
        "segment": group[1],
        "status": verdict.status,
        "score": finite(verdict.score),
        "threshold": finite(verdict.threshold),
        "firing": verdict.status == "firing",
        "samples": verdict.samples,
        "sentence": verdict.evidence.sentence,
        "evidence": evidence_of(verdict),
    }


def verdicts_json(model: str, judged: Judged) -> list[str]:
    """Return the `verdict_row` of each verdict told as JSON, made once: they are sent, and put up for pages."""
    if len(judged.verdicts_json) != len(judged.told):
        judged.verdicts_json = [encoded(verdict_row(model, *one)) for one in judged.told]
    return judged.verdicts_json


def panes_json(judged: Judged) -> list[str]:
    """Return the `pane_row` of each pane as JSON, made once."""
    if len(judged.panes_json) != len(judged.panes):
        judged.panes_json = [
            encoded(pane_row(group, window))
            for (group, _), window in zip(judged.panes, judged.pane_windows, strict=True)
        ]
    return judged.panes_json


def pane_row(group: Group, window: Window) -> Row:
    """Return a closed pane, as detectors see it, as scripts see it: a `views.PaneRow`."""
    figures = _figures(window)
    return {
        "start": rfc3339(window.start_ms),
        "end": rfc3339(window.end_ms),
        "version": group[0],
        "segment": group[1],
        "events": window.events,
        "invalid": window.invalid,
        "late": window.late,
        "errors": window.errors,
        "duplicates": window.duplicates,
        "all_zero": window.all_zero,
        "features": {name: figures[name] for name in window.features},
        "prediction": {name: figures[name] for name in window.prediction},
        "latency_ms": figures.get(LATENCY),
    }


def model_view(judge: ModelJudge, now_ms: int, *, monitored: bool = True) -> Row:
    """Return what the pages show of a model: a `views.ModelView`."""
    return {
        "summary": summary(judge, now_ms, monitored=monitored),
        "windows": [
            _window_view(view, judge.views.get((version, "")))
            for (version, _), view in sorted(judge.views.items())
        ],
        "segments": list(remarks(judge.monitor, judge.layout)) if monitored else [],
    }


def summary(judge: ModelJudge, now_ms: int, *, monitored: bool) -> Row:
    """Return a model's line of the fleet page: a `views.ModelSummary`."""
    views = [view for (_, segment), view in sorted(judge.views.items()) if not segment]
    newest_ms = max((view.window.end_ms for view in views), default=0)
    # A version that served until lately still has a window, but is not what serves now.
    recent = [v for v in views if v.window.end_ms > newest_ms - judge.monitor.windows.current]
    events = sum(view.window.events for view in recent)
    errors = sum(view.window.errors for view in recent)
    invalid = sum(view.window.invalid for view in recent)
    latencies = [
        view.window.latency.percentiles[-1]
        for view in recent
        if view.window.latency is not None and view.window.latency.count
    ]
    reasons = [view.not_judged for view in recent]
    progress = judge.inbox.progress.values()
    last_event_ms = max((one.last_event_ms for one in progress), default=NEVER_MS)
    return {
        "model": judge.monitor.model,
        "team": judge.monitor.team,
        "state": _state(judge, recent, monitored),
        "versions": [view.window.version for view in views if view.window.version],
        "events_per_second": sum(view.window.events_per_second for view in recent),
        "error_rate": errors / events if events else 0.0,
        "invalid_rate": invalid / (events + invalid) if events + invalid else 0.0,
        "latency_p99_ms": _figure(max(latencies, default=math.nan)),
        "firing": len(judge.book.alerts),
        "not_judged": reasons[0] if reasons and all(reasons) else None,
        "last_event_ms": None if last_event_ms == NEVER_MS else last_event_ms,
        "updated_ms": now_ms,
    }


def _state(judge: ModelJudge, recent: Iterable[View], monitored: bool) -> State:
    if not monitored:
        return "unmonitored"
    if any(key.kind == "TrafficSilence" for key in judge.book.alerts):
        return "silent"
    if judge.book.alerts:
        return "firing"
    return "warming" if all(view.not_judged for view in recent) else "ok"


def _window_view(view: View, whole: View | None) -> Row:
    window, figures = view.window, _figures(view.window)
    usual = None if view.reference is None else view.reference.column
    is_part = window.segment and whole is not None and whole.window.events
    return {
        "version": window.version,
        "segment": window.segment,
        "start_ms": window.start_ms,
        "end_ms": window.end_ms,
        "events": window.events,
        "invalid": window.invalid,
        "late": window.late,
        "errors": window.errors,
        "duplicates": window.duplicates,
        "events_per_second": window.events_per_second,
        "not_judged": view.not_judged,
        "share": min(window.events / whole.window.events, 1.0) if is_part and whole is not None else None,
        "unexpected": window.unexpected,
        "features": [_column_view(one, figures, usual) for one in window.features.values()],
        "prediction": [_column_view(one, figures, usual) for one in window.prediction.values()],
        "latency": None if window.latency is None else _column_view(window.latency, figures, None),
    }


def _column_view(
    column: Column, figures: Mapping[str, Row], usual: Callable[[str], Column | None] | None
) -> Row:
    before = None if usual is None else usual(column.name)
    return {
        "name": column.name,
        "kind": column.kind,
        **figures[column.name],
        "distinct": column.distinct,
        "reference_mean": None if before is None else _figure(before.mean),
        "reference_missing_rate": before.missing / before.rows
        if before is not None and before.rows
        else None,
        "bins": _bins(column, before),
        "unlisted": column.unlisted,
    }


class _Bin(msgspec.Struct, gc=False):
    """A `views.Bin`, of which there are hundreds in a model's view: a dict each would keep the collector busy."""

    label: str
    current: float
    reference: float | None


def _bins(column: Column, before: Column | None) -> list[_Bin]:
    has_usual = before is not None and before.labels == column.labels and before.binned
    usual = before.listed_shares if before is not None and has_usual else repeat(None, len(column.labels))
    return list(map(_Bin, column.labels, column.listed_shares, usual))


def _figures(window: Window) -> dict[str, Row]:
    """Return the figures of a window's columns by name, each a `views.PaneColumn`."""
    columns = [*window.features.values(), *window.prediction.values()]
    columns += [] if window.latency is None else [window.latency]
    found = {}
    for column, percentiles in zip(columns, quantiles(columns, *_PERCENTILES).tolist(), strict=True):
        p50, p95, p99 = map(_figure, percentiles)
        found[column.name] = {
            "count": column.count,
            "missing": column.missing,
            "out_of_range": column.out_of_range,
            "mean": _figure(column.mean),
            "standard_deviation": _figure(column.standard_deviation),
            "minimum": _figure(column.minimum),
            "maximum": _figure(column.maximum),
            "p50": p50,
            "p95": p95,
            "p99": p99,
        }
    return found


def _figure(value: float) -> float | None:
    return value if math.isfinite(value) else None
