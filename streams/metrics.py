"""Every metric Driftline exposes about itself and the models it watches, in one table.

Label values are bounded: models, features and codes are capped before they get here, and per-feature
series exist only for all versions and segments together. In prometheus_client's multiprocess mode each
stage writes its own file; the mode of each gauge says how the stages of one worker add up.
"""

import math
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Mode = Literal["livesum", "livemostrecent", "max"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_ROWS = (1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000, 25_000)
_BYTES = (1_000, 4_000, 16_000, 64_000, 128_000, 256_000, 512_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One line of the table of metrics.

    Parameters
    ----------
    name
        As it is exposed; counters end in ``_total``.
    kind
        ``counter``, ``gauge`` or ``histogram``.
    labels
        Label names in order.
    description
        What it counts or measures, with its unit.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    description: str

    @property
    def series(self) -> tuple[str, ...]:
        """Names a query can use for it.

        Examples
        --------
        >>> MetricRow("x_bytes", "histogram", (), "").series
        ('x_bytes_bucket', 'x_bytes_sum', 'x_bytes_count')
        """
        if self.kind == "histogram":
            return tuple(f"{self.name}{suffix}" for suffix in ("_bucket", "_sum", "_count"))
        return (self.name,)


class Metrics:
    """The metrics of one process, made on the registry it is given.

    Use one per process: a second on the same registry raises ``ValueError``.

    Parameters
    ----------
    registry
        Where they are registered. Nothing touches the global registry.

    Examples
    --------
    >>> from prometheus_client import CollectorRegistry
    >>> registry = CollectorRegistry()
    >>> metrics = Metrics(registry)
    >>> metrics.events.labels(model="churn").inc(3)
    >>> registry.get_sample_value("driftline_events_total", {"model": "churn"})
    3.0
    >>> metrics.table[0].name, metrics.table[0].kind, metrics.table[0].labels
    ('driftline_events_total', 'counter', ('model',))
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._rows: list[MetricRow] = []
        self._register_events()
        self._register_models()
        self._register_alerts()
        self._register_joins()
        self._register_stages()
        self._register_stores()

    @property
    def table(self) -> tuple[MetricRow, ...]:
        """Every metric, in the order of the pipeline."""
        return tuple(self._rows)

    def forget_model(self, model: str) -> None:
        """Withdraw a model's gauges, when it moves to another worker or its monitor goes.

        Without it two workers would show the same model, one of them with old figures. Multiprocess mode
        cannot remove series, so measurements become NaN, which no rule compares true with; sums become 0.
        """
        for gauge, gone in (
            (self.score, math.nan),
            (self.threshold, math.nan),
            (self.latency, math.nan),
            (self.estimate_error, math.nan),
            (self.estimate_misses, math.nan),
            (self.estimate_trusted, math.nan),
            (self.event_rate, math.nan),
            (self.segment_other, math.nan),
            (self.alerts_firing, 0.0),
        ):
            for sample in next(iter(gauge.collect())).samples:
                if sample.labels["model"] == model:
                    gauge.labels(**sample.labels).set(gone)

    def _register_events(self) -> None:
        self.events = self._counter(
            "driftline_events_total", "Valid prediction events folded into profiles.", "model"
        )
        self.invalid = self._counter(
            "driftline_invalid_events_total", "Events that broke the contract, by error code.", "code"
        )
        self.late = self._counter(
            "driftline_late_events_total", "Events behind the watermark: counted, not folded in.", "model"
        )
        self.unmonitored = self._counter(
            "driftline_unmonitored_events_total", "Events of models that have no monitor file."
        )
        self.dead_letters = self._counter(
            "driftline_dead_letters_total", "Records written to the dead-letter topic, by error code.", "code"
        )
        self.chunk_rows = self._histogram(
            "driftline_chunk_rows", "Records in one chunk fetched from a partition.", _ROWS
        )

    def _register_models(self) -> None:
        self.panes_closed = self._counter(
            "driftline_panes_closed_total", "Panes closed by the watermark.", "model"
        )
        self.verdicts = self._counter(
            "driftline_verdicts_total",
            "Verdicts by detector and status (firing, ok, insufficient).",
            "model",
            "detector",
            "status",
        )
        self.score = self._gauge(
            "driftline_score",
            "Latest score of a detector; higher is worse. All versions and segments together.",
            "livemostrecent",
            "model",
            "detector",
            "feature",
        )
        self.threshold = self._gauge(
            "driftline_threshold",
            "Threshold in force; the detector fires when the score is above it.",
            "livemostrecent",
            "model",
            "detector",
            "feature",
        )
        self.estimate_error = self._gauge(
            "driftline_estimate_error",
            "How far the estimate of a performance metric was off once labels came, in its unit: the worst version's.",
            "livemostrecent",
            "model",
            "feature",
        )
        self.estimate_misses = self._gauge(
            "driftline_estimate_miss_ratio",
            "Share of panes (0 to 1) whose metric by labels fell outside the estimate's interval; 0.05 is promised.",
            "livemostrecent",
            "model",
            "feature",
        )
        self.estimate_trusted = self._gauge(
            "driftline_estimate_trusted",
            "1 while estimates of a performance metric do what they promise; at 0 they raise no alert.",
            "livemostrecent",
            "model",
            "feature",
        )
        self.latency = self._gauge(
            "driftline_model_latency_seconds",
            "Latency of the model in its current window, at quantile 0.5, 0.95 and 0.99.",
            "livemostrecent",
            "model",
            "quantile",
        )
        self.event_rate = self._gauge(
            "driftline_model_events_per_second",
            "Valid events per second of event time in the current window.",
            "livemostrecent",
            "model",
        )
        self.segment_other = self._gauge(
            "driftline_segment_other_ratio",
            "Share of the events with a value of that segment (0 to 1) that count as other, in the current window.",
            "livemostrecent",
            "model",
            "segment",
        )

    def _register_alerts(self) -> None:
        self.alerts_firing = self._gauge(
            "driftline_alerts_firing", "Alerts firing now.", "livesum", "model", "kind"
        )
        self.alert_transitions = self._counter(
            "driftline_alert_transitions_total", "Alerts that turned to firing or resolved.", "kind", "status"
        )
        self.notifications = self._counter(
            "driftline_notifications_total",
            "Attempts to notify, by outcome (sent, retried, failed: given up), or to find out whether a notification "
            "has arrived (found, missing, unknown).",
            "receiver",
            "outcome",
        )
        self.template_failures = self._counter(
            "driftline_template_failures_total",
            "Notifications sent in the built-in words, as a template of the alerting file failed.",
            "receiver",
        )
        self.verdict_delay = self._histogram(
            "driftline_verdict_delay_seconds",
            "From the close of a pane to its verdicts, in seconds.",
            _SECONDS,
        )

    def _register_joins(self) -> None:
        self.labels = self._counter("driftline_labels_total", "Valid label events.", "model")
        self.join_rate = self._gauge(
            "driftline_join_rate",
            "Share of ids that are joined with labels, 0 to 1: the monitor's sample, halved when ids were too many.",
            "livemostrecent",
            "model",
        )
        self.join_held = self._gauge(
            "driftline_join_held", "Ids held by the join, within the horizon.", "livesum", "model"
        )
        self.join_oddities = self._gauge(
            "driftline_join_oddities",
            "Predictions and labels that came early, late, twice, or contradict each other, since the beginning.",
            "livesum",
            "model",
            "kind",
        )

    def _register_stages(self) -> None:
        self.lag = self._gauge(
            "driftline_consumer_lag_records",
            "Records between the committed offset and the end of the partition a stage reads.",
            "livesum",
            "stage",
            "partition",
        )
        # Not a live mode: the last progress of a stage that died is what the alert on it needs.
        self.last_progress = self._gauge(
            "driftline_last_progress_timestamp_seconds",
            "Unix time at which a stage last moved its committed offset or was caught up.",
            "max",
            "stage",
        )
        self.rebalances = self._counter(
            "driftline_rebalances_total", "Rebalances of a stage's group.", "stage"
        )
        self.open_panes = self._gauge("driftline_open_panes", "Panes a stage holds open.", "livesum", "stage")
        self.state_keys = self._gauge(
            "driftline_state_keys", "Keys in a stage's state tables.", "livesum", "stage"
        )
        self.flush_duration = self._histogram(
            "driftline_flush_duration_seconds",
            "A stage's flush: write its outputs, checkpoint, commit; in seconds.",
            _SECONDS,
            "stage",
        )
        self.profile_bytes = self._histogram(
            "driftline_profile_bytes", "Encoded size of one profile upsert, in bytes.", _BYTES
        )

    def _register_stores(self) -> None:
        self.projection_writes = self._counter("driftline_projection_writes_total", "Rows written to Redis.")
        self.projection_failures = self._counter(
            "driftline_projection_failures_total", "Writes to Redis that failed and will be tried again."
        )
        self.projection_pending = self._gauge(
            "driftline_projection_pending", "Rows waiting to be written to Redis.", "livesum"
        )

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        self._rows.append(MetricRow(name, "counter", labels, description))
        return Counter(name, description, labels, registry=self._registry)

    def _gauge(self, name: str, description: str, mode: Mode, *labels: str) -> Gauge:
        self._rows.append(MetricRow(name, "gauge", labels, description))
        return Gauge(name, description, labels, registry=self._registry, multiprocess_mode=mode)

    def _histogram(self, name: str, description: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        self._rows.append(MetricRow(name, "histogram", labels, description))
        return Histogram(name, description, labels, registry=self._registry, buckets=buckets)
