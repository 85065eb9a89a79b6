"""What a judge shows: its rows for Redis, and its metrics."""

from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client import Gauge

from alerts.alert import AlertUpsert
from detectors.base import Verdict
from streams.judge import ModelJudge
from streams.judged import Judged
from streams.metrics import Metrics
from streams.projection import Projection
from streams.publish import encoded, model_view, pane_row, panes_json, summary, verdict_row, verdicts_json
from streams.segment_settings import OTHER
from streams.segment_values import counted
from streams.views import RESOLVED_KEPT, AlertRow
from streams.window import pane_window

#: Key of the alerts of no model.
FLEET_ALERTS = "alerts"
_QUANTILES = (0.5, 0.95, 0.99)


class Board:
    """Puts models, panes, verdicts and alerts up as they change."""

    def __init__(self, projection: Projection, metrics: Metrics) -> None:
        self._projection = projection
        self._metrics = metrics
        self._gauges: dict[tuple[str, str, str], tuple[Gauge, Gauge]] = {}
        self._resolved: dict[str, list[str]] = {}

    def show(self, judge: ModelJudge, judged: Judged, now_ms: int, *, monitored: bool) -> None:
        """Put up what a pane close or a tick came to; its windows where panes closed and it is shown in full."""
        model = judge.monitor.model
        if judged.panes and judged.in_full:
            self._show_model(judge, now_ms, monitored)
        else:
            row_json = encoded(summary(judge, now_ms, monitored=monitored))
            self._projection.put("models", model, row_json)
        for (_, pane), row_json in zip(judged.panes, panes_json(judged), strict=True):
            self._projection.append(f"model:{model}:panes", pane.end_ms, row_json)
        for (group, _, verdict), row_json in zip(judged.told, verdicts_json(model, judged), strict=True):
            field = f"{verdict.detector}|{verdict.column}|{group[0]}|{group[1]}"
            self._projection.put(f"model:{model}:verdicts", field, row_json)
        for upsert in judged.alerts:
            row_json = AlertRow.of(upsert).model_dump_json()
            self._projection.put(f"model:{model}:alerts", upsert.fingerprint, row_json)
            self._keep_resolved(model, upsert.fingerprint, resolved=upsert.status == "resolved")
        if monitored:
            self._count(judge, judged, now_ms)

    def refill(self, judge: ModelJudge, now_ms: int, *, monitored: bool) -> None:
        """Put up everything current: the store was found empty."""
        model = judge.monitor.model
        self._show_model(judge, now_ms, monitored)
        for group, history in judge.histories.items():
            for pane in history.current():
                # Panes that were rolled up since stand in the series one by one.
                if pane.end_ms - pane.start_ms == judge.monitor.windows.pane:
                    window = pane_window(pane, version=group[0], segment=group[1])
                    row_json = encoded(pane_row(group, window))
                    self._projection.append(f"model:{model}:panes", pane.end_ms, row_json)
        for (group, detector, column), (at_ms, verdict) in judge.last_verdicts.items():
            field = f"{detector}|{column}|{group[0]}|{group[1]}"
            row_json = encoded(verdict_row(model, group, at_ms, verdict))
            self._projection.put(f"model:{model}:verdicts", field, row_json)
        for upsert in judge.book.current():
            row_json = AlertRow.of(upsert).model_dump_json()
            self._projection.put(f"model:{model}:alerts", upsert.fingerprint, row_json)

    def show_fleet(self, upserts: Iterable[AlertUpsert], *, again: bool = False) -> None:
        """Put up alerts of no model; ``again`` if nothing new is told of them."""
        for upsert in upserts:
            self._projection.put(FLEET_ALERTS, upsert.fingerprint, AlertRow.of(upsert).model_dump_json())
            kind, firing = upsert.labels["alertname"], upsert.status == "firing"
            self._metrics.alerts_firing.labels(model="", kind=kind).set(int(firing))
            if not again and (not firing or upsert.starts_at_ms == upsert.pane_end_ms):
                self._metrics.alert_transitions.labels(kind=kind, status=upsert.status).inc()

    def forget_alerts(self, key: str, current: Iterable[AlertUpsert], held: Mapping[str, str]) -> None:
        """Take away alerts that fire in the store, under a key, but for the judge do not any more."""
        for fingerprint in held.keys() - {upsert.fingerprint for upsert in current}:
            if AlertRow.model_validate_json(held[fingerprint]).status == "firing":
                self._projection.put(key, fingerprint, None)

    def _show_model(self, judge: ModelJudge, now_ms: int, monitored: bool) -> None:
        view = model_view(judge, now_ms, monitored=monitored)
        model = judge.monitor.model
        self._projection.put("models", model, encoded(view["summary"]))
        self._projection.set(f"model:{model}", encoded(view))

    def _keep_resolved(self, model: str, fingerprint: str, *, resolved: bool) -> None:
        """Keep the newest resolved alerts of a model, so that its hash stays bounded."""
        held = self._resolved.setdefault(model, [])
        if fingerprint in held:
            held.remove(fingerprint)
        if resolved:
            held.append(fingerprint)
        while len(held) > RESOLVED_KEPT:
            self._projection.put(f"model:{model}:alerts", held.pop(0), None)

    def _count(self, judge: ModelJudge, judged: Judged, now_ms: int) -> None:
        model, metrics = judge.monitor.model, self._metrics
        metrics.panes_closed.labels(model=model).inc(len({pane.start_ms for _, pane in judged.panes}))
        self._count_verdicts(model, judged)
        for name, track in judge.estimate_tracks().items():
            metrics.estimate_error.labels(model=model, feature=name).set(track.error)
            metrics.estimate_misses.labels(model=model, feature=name).set(track.misses / max(track.panes, 1))
            metrics.estimate_trusted.labels(model=model, feature=name).set(int(track.is_trusted))
        for upsert in judged.alerts:
            if upsert.starts_at_ms == upsert.pane_end_ms or upsert.status == "resolved":
                metrics.alert_transitions.labels(kind=upsert.labels["alertname"], status=upsert.status).inc()
            firing = sum(key.kind == upsert.labels["alertname"] for key in judge.book.alerts)
            metrics.alerts_firing.labels(model=model, kind=upsert.labels["alertname"]).set(firing)
        if judged.panes:
            self._measure(judge, now_ms, max(pane.end_ms for _, pane in judged.panes))

    def _count_verdicts(self, model: str, judged: Judged) -> None:
        """Count verdicts; of several versions' scores the worst is the model's."""
        metrics = self._metrics
        worst: dict[tuple[str, str], Verdict] = {}
        counted = Counter((verdict.detector, verdict.status) for _, _, verdict in judged.verdicts)
        for (detector, status), count in counted.items():
            metrics.verdicts.labels(model, detector, status).inc(count)
        for (_, segment), _, verdict in judged.told:
            place = (verdict.detector, verdict.column)
            if not segment and (place not in worst or worst[place].score < verdict.score):
                worst[place] = verdict
        for (detector, column), verdict in worst.items():
            labels = (model, detector, column)
            gauges = self._gauges.get(labels)
            if gauges is None:
                gauges = self._gauges[labels] = (
                    metrics.score.labels(*labels),
                    metrics.threshold.labels(*labels),
                )
            gauges[0].set(verdict.score)
            gauges[1].set(verdict.threshold)

    def _measure(self, judge: ModelJudge, now_ms: int, end_ms: int) -> None:
        model, metrics = judge.monitor.model, self._metrics
        windows = [view.window for (_, segment), view in judge.views.items() if not segment]
        newest = [window for window in windows if window.end_ms == end_ms]
        metrics.event_rate.labels(model=model).set(sum(window.events_per_second for window in newest))
        for name in judge.monitor.segments:
            metrics.segment_other.labels(model=model, segment=name).set(_other_share(judge, name))
        found = [window.latency.percentiles for window in newest if window.latency is not None]
        for quantile, *values in zip(_QUANTILES, *found, strict=True) if found else ():
            metrics.latency.labels(model=model, quantile=str(quantile)).set(max(values) / 1000)


def _other_share(judge: ModelJudge, name: str) -> float:
    """Return the share of a segment's events whose value has no statistics of its own (0 to 1)."""
    recent_ms = max(view.window.end_ms for view in judge.views.values()) - judge.monitor.windows.current
    events: Counter[str] = Counter()
    for (_, segment), view in judge.views.items():
        if view.window.end_ms > recent_ms:
            events[segment] += view.window.events
    values = counted((name,), events)[name]
    return values.get(OTHER, 0) / max(sum(values.values()), 1)
