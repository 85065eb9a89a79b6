import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from streams.metrics import Metrics

STAGE = """
import sys
from prometheus_client import CollectorRegistry
from streams.metrics import Metrics
metrics = Metrics(CollectorRegistry())
metrics.events.labels("churn").inc(int(sys.argv[1]))
metrics.lag.labels("profile", sys.argv[2]).set(5)
metrics.last_progress.labels("profile").set(int(sys.argv[1]))
metrics.score.labels("churn", "psi", "age").set(int(sys.argv[1]))
"""


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


def test_the_table_lists_exactly_what_is_registered(registry: CollectorRegistry, metrics: Metrics) -> None:
    registered = {
        (
            f"{family.name}_total" if family.type == "counter" else family.name,
            family.type,
            family.documentation,
        )
        for family in registry.collect()
    }
    assert registered == {(row.name, row.kind, row.description) for row in metrics.table}


def test_names_follow_the_prometheus_conventions(metrics: Metrics) -> None:
    names = [row.name for row in metrics.table]
    assert len(names) == len(set(names)) >= 20
    for row in metrics.table:
        assert re.fullmatch(r"driftline(_[a-z]+)+", row.name), row.name
        assert row.name.endswith("_total") == (row.kind == "counter"), row.name
        assert row.description.endswith("."), row.name


def test_no_metric_carries_a_label_without_a_bound(metrics: Metrics) -> None:
    bounded = {
        "model", "feature", "detector", "kind", "code", "stage", "partition", "status", "outcome", "receiver",
        "quantile", "segment",
    }  # fmt: skip
    assert {label for row in metrics.table for label in row.labels} <= bounded


def test_two_metrics_live_beside_each_other_on_their_own_registries() -> None:
    one, other = CollectorRegistry(), CollectorRegistry()
    Metrics(one).projection_writes.inc()
    Metrics(other)
    assert one.get_sample_value("driftline_projection_writes_total") == 1
    assert other.get_sample_value("driftline_projection_writes_total") == 0


def test_a_forgotten_model_shows_no_old_figures_and_leaves_others_alone(
    registry: CollectorRegistry, metrics: Metrics
) -> None:
    for model in ("churn", "fraud"):
        metrics.score.labels(model, "psi", "age").set(0.4)
        metrics.alerts_firing.labels(model, "FeatureDrift").set(2)
    metrics.forget_model("churn")
    score = {
        model: registry.get_sample_value(
            "driftline_score", {"model": model, "detector": "psi", "feature": "age"}
        )
        for model in ("churn", "fraud")
    }
    assert score["churn"] is not None
    assert math.isnan(score["churn"])
    assert score["fraud"] == 0.4
    firing = {"model": "churn", "kind": "FeatureDrift"}
    assert registry.get_sample_value("driftline_alerts_firing", firing) == 0


def test_the_stages_of_one_worker_add_up(tmp_path: Path) -> None:
    for events, partition in (("3", "0"), ("4", "1")):
        subprocess.run(
            [sys.executable, "-c", STAGE, events, partition],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            check=True,
        )
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(tmp_path))  # type: ignore[no-untyped-call]
    text = generate_latest(registry).decode()
    assert 'driftline_events_total{model="churn"} 7.0' in text
    assert 'driftline_consumer_lag_records{partition="0",stage="profile"} 5.0' in text
    assert 'driftline_consumer_lag_records{partition="1",stage="profile"} 5.0' in text
    assert 'driftline_last_progress_timestamp_seconds{stage="profile"} 4.0' in text
    assert 'driftline_score{detector="psi",feature="age",model="churn"} 4.0' in text
