"""What a judge's figures look like to pages and scripts: the rows of `streams.views`."""

import math
from collections.abc import Iterable

from detectors.base import Verdict
from detectors.window import Column, Window
from streams.evidence import evidence_of
from streams.history import Pane
from streams.inbox import Group
from streams.judge import Judged, ModelJudge, View
from streams.views import (
    Bin,
    ColumnView,
    ModelSummary,
    ModelView,
    PaneColumn,
    PaneRow,
    State,
    VerdictRow,
    WindowView,
    rfc3339,
)
from streams.watermark import NEVER_MS
from streams.window import window_of


def verdict_row(model: str, group: Group, at_ms: int, verdict: Verdict) -> VerdictRow:
    """Return a verdict as scripts see it."""
    return VerdictRow(
        at=rfc3339(at_ms),
        model=model,
        version=group[0],
        detector=verdict.detector,
        kind=verdict.kind,
        feature=verdict.column,
        segment=group[1],
        status=verdict.status,
        score=verdict.score,
        threshold=verdict.threshold,
        firing=verdict.status == "firing",
        samples=verdict.samples,
        sentence=verdict.evidence.sentence,
        evidence=evidence_of(verdict),
    )


def verdicts_json(model: str, judged: Judged) -> list[str]:
    """Return the `verdict_row` of each verdict as JSON, made once: they are sent, and put up for pages."""
    if len(judged.verdicts_json) != len(judged.verdicts):
        judged.verdicts_json = [verdict_row(model, *one).model_dump_json() for one in judged.verdicts]
    return judged.verdicts_json


def panes_json(judged: Judged) -> list[str]:
    """Return the `pane_row` of each pane as JSON, made once."""
    if len(judged.panes_json) != len(judged.panes):
        judged.panes_json = [pane_row(*one).model_dump_json() for one in judged.panes]
    return judged.panes_json


def pane_row(group: Group, pane: Pane) -> PaneRow:
    """Return a closed pane as scripts see it."""
    version, segment = group
    window = window_of(
        pane.profile, version=version, segment=segment, start_ms=pane.start_ms, end_ms=pane.end_ms
    )
    return PaneRow(
        start=rfc3339(pane.start_ms),
        end=rfc3339(pane.end_ms),
        version=version,
        segment=segment,
        events=window.events,
        invalid=window.invalid,
        late=window.late,
        errors=window.errors,
        duplicates=window.duplicates,
        features={name: _pane_column(column) for name, column in window.features.items()},
        prediction={name: _pane_column(column) for name, column in window.prediction.items()},
        latency_ms=None if window.latency is None else _pane_column(window.latency),
    )


def model_view(judge: ModelJudge, now_ms: int, *, monitored: bool = True) -> ModelView:
    """Return what the pages show of a model."""
    return ModelView(
        summary=_summary(judge, now_ms, monitored),
        windows=[_window_view(view) for _, view in sorted(judge.views.items())],
    )


def _summary(judge: ModelJudge, now_ms: int, monitored: bool) -> ModelSummary:
    views = [view for (_, segment), view in sorted(judge.views.items()) if not segment]
    newest_ms = max((view.window.end_ms for view in views), default=0)
    # A version that served until lately still has a window, but is not what serves now.
    recent = [v for v in views if v.window.end_ms > newest_ms - judge.monitor.windows.current]
    events = sum(view.window.events for view in recent)
    errors = sum(view.window.errors for view in recent)
    invalid = sum(view.window.invalid for view in recent)
    latencies = [
        view.window.latency.quantile(0.99)
        for view in recent
        if view.window.latency is not None and view.window.latency.count
    ]
    reasons = [view.not_judged for view in recent]
    progress = judge.inbox.progress.values()
    last_event_ms = max((one.last_event_ms for one in progress), default=NEVER_MS)
    return ModelSummary(
        model=judge.monitor.model,
        team=judge.monitor.team,
        state=_state(judge, recent, monitored),
        versions=[view.window.version for view in views if view.window.version],
        events_per_second=sum(view.window.events_per_second for view in recent),
        error_rate=errors / events if events else 0.0,
        invalid_rate=invalid / (events + invalid) if events + invalid else 0.0,
        latency_p99_ms=_figure(max(latencies, default=math.nan)),
        firing=len(judge.book.alerts),
        not_judged=reasons[0] if reasons and all(reasons) else None,
        last_event_ms=None if last_event_ms == NEVER_MS else last_event_ms,
        updated_ms=now_ms,
    )


def _state(judge: ModelJudge, recent: Iterable[View], monitored: bool) -> State:
    if not monitored:
        return "unmonitored"
    if any(key.kind == "TrafficSilence" for key in judge.book.alerts):
        return "silent"
    if judge.book.alerts:
        return "firing"
    return "warming" if all(view.not_judged for view in recent) else "ok"


def _window_view(view: View) -> WindowView:
    window, usual = view.window, view.reference
    return WindowView(
        version=window.version,
        segment=window.segment,
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        events=window.events,
        invalid=window.invalid,
        late=window.late,
        errors=window.errors,
        duplicates=window.duplicates,
        events_per_second=window.events_per_second,
        not_judged=view.not_judged,
        unexpected=dict(window.unexpected),
        features=[_column_view(column, usual) for column in window.features.values()],
        prediction=[_column_view(column, usual) for column in window.prediction.values()],
        latency=None if window.latency is None else _column_view(window.latency, None),
    )


def _column_view(column: Column, usual: Window | None) -> ColumnView:
    before = usual.column(column.name) if usual is not None else None
    p50, p95, p99 = map(_figure, column.quantiles(0.5, 0.95, 0.99))
    return ColumnView(
        name=column.name,
        kind=column.kind,
        count=column.count,
        missing=column.missing,
        out_of_range=column.out_of_range,
        mean=_figure(column.mean),
        standard_deviation=_figure(column.standard_deviation),
        minimum=_figure(column.minimum),
        maximum=_figure(column.maximum),
        distinct=column.distinct,
        p50=p50,
        p95=p95,
        p99=p99,
        reference_mean=None if before is None else _figure(before.mean),
        reference_missing_rate=before.missing / before.rows if before is not None and before.rows else None,
        bins=_bins(column, before),
        unlisted=dict(column.unlisted),
    )


def _bins(column: Column, before: Column | None) -> list[Bin]:
    if before is None or before.labels != column.labels or not before.binned:
        return [
            Bin(label=label, current=now)
            for label, now in zip(column.labels, column.listed_shares, strict=True)
        ]
    return [
        Bin(label=label, current=now, reference=usual)
        for label, now, usual in zip(column.labels, column.listed_shares, before.listed_shares, strict=True)
    ]


def _pane_column(column: Column) -> PaneColumn:
    p50, p95, p99 = map(_figure, column.quantiles(0.5, 0.95, 0.99))
    return PaneColumn(
        count=column.count,
        missing=column.missing,
        out_of_range=column.out_of_range,
        mean=_figure(column.mean),
        standard_deviation=_figure(column.standard_deviation),
        minimum=_figure(column.minimum),
        maximum=_figure(column.maximum),
        p50=p50,
        p95=p95,
        p99=p99,
    )


def _figure(value: float) -> float | None:
    return value if math.isfinite(value) else None
