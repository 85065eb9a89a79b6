"""The weather example: what is committed is what its scripts give, and what its page says is so."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import pytest
from brokers import Broker
from kafka import KafkaConsumer
from prometheus_client import CollectorRegistry

from alerts.config import default_config
from driftline.embedded import EmbeddedStore
from driftline.monitors import load_folder, load_monitor
from driftline.reference_build import build
from driftline.replay import replay
from driftline.topics import ensure_topics
from streams import reference
from streams.metrics import Metrics
from streams.stages.fleet import Fleet
from streams.stages.run import StageName, make_stage, run_stage
from streams.topics import Topics
from streams.views import rfc3339

ROOT = Path(__file__).parents[2]
WEATHER = ROOT / "examples" / "weather"
MONITORS = WEATHER / "monitors"
PARTITIONS = 2
DEADLINE_S = 60.0
#: Twelve years, over 1970 and twenty days into a pane.
KAFKA_ROWS = 4413


def run(script: str, *options: str) -> str:
    ran = subprocess.run(
        [sys.executable, str(WEATHER / script), *options],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_training_again_gives_the_committed_tables(tmp_path: Path) -> None:
    run("train.py", "--out", str(tmp_path))
    for name in ("training.parquet", "predictions.parquet"):
        committed, made = (pyarrow.parquet.read_table(folder / name) for folder in (WEATHER, tmp_path))
        scores = [table["prediction"].to_pylist() for table in (committed, made)]
        assert made.drop_columns("prediction").equals(committed.drop_columns("prediction"))
        assert scores[1] == pytest.approx(scores[0], abs=2e-6)


def test_the_committed_reference_is_that_of_the_training_years() -> None:
    _, monitor = load_monitor(MONITORS / "weather.yaml")
    made = build([WEATHER / "training.parquet"], monitor)
    held = reference.load((MONITORS / "weather.reference.json").read_bytes(), "rain")
    assert (held.rows, held.start_ms, held.source_sha256) == (3650, made.start_ms, made.source_sha256)
    assert held.layout.hash == made.layout.hash


def test_the_page_and_its_plot_say_what_replay_and_labels_give(tmp_path: Path) -> None:
    page = ROOT / "docs" / "weather.md"
    shutil.copy(page, tmp_path)
    tables = run("plot.py", "--docs", str(tmp_path))
    assert tables.strip() in page.read_text()
    assert (tmp_path / "weather.md").read_text() == page.read_text()
    assert (tmp_path / "weather.svg").read_text() == (page.parent / "weather.svg").read_text()


def test_replay_gives_the_alerts_the_page_tells_of(tmp_path: Path) -> None:
    out = tmp_path / "alerts.jsonl"
    report = replay([WEATHER / "predictions.parquet"], load_folder(MONITORS), alerts_out=out)
    fired = [alert for alert in lines(out) if alert["status"] == "firing"]
    assert Counter(a["labels"]["alertname"] for a in fired) == {"FeatureDrift": 14, "PredictionDrift": 10}
    assert {a["labels"]["feature"] for a in fired}.isdisjoint({"dew_point_f", "pressure_hpa"})
    assert any(a["at"].startswith("1971-09") and a["labels"]["feature"] == "prediction" for a in fired)
    assert (report.rows, dict(report.invalid), dict(report.late)) == (14_509, {}, {})


@pytest.fixture
def twelve_years(tmp_path: Path) -> Path:
    """Return a table over the turn of 1970, when epoch times change their sign."""
    path = tmp_path / "predictions.parquet"
    pyarrow.parquet.write_table(
        pyarrow.parquet.read_table(WEATHER / "predictions.parquet").slice(0, KAFKA_ROWS), path
    )
    return path


async def test_the_stream_gives_the_panes_and_verdicts_of_replay(
    broker: Broker, prefix: str, twelve_years: Path, tmp_path: Path
) -> None:
    out = tmp_path / "verdicts.jsonl"
    watched = load_folder(MONITORS)
    replay([twelve_years], watched, verdicts_out=out)
    expected = panes_of(twelve_years)
    topics = Topics(prefix)
    await asyncio.to_thread(ensure_topics, broker.bootstrap, topics, partitions=PARTITIONS, replication=1)
    with EmbeddedStore() as store:
        fleet = Fleet(
            brokers=broker.bootstrap,
            redis_url=store.url,
            models=watched,
            topics=topics,
            source_partitions=PARTITIONS,
            profile_partitions=PARTITIONS,
            session_timeout_s=broker.session_timeout_s,
        )
        stop = asyncio.Event()
        stages = [asyncio.create_task(run_until(name, fleet, stop)) for name in ("profile", "judge")]
        try:
            asked = ("--brokers", broker.bootstrap, "--prefix", prefix, "--table", str(twelve_years))
            await asyncio.to_thread(run, "produce.py", *asked)
            found = await asyncio.to_thread(read_until, broker, topics, len(expected))
        finally:
            stop.set()
            await asyncio.gather(*stages)
    assert {row["pane"]["end"]: row["pane"]["events"] for row in found["panes"]} == expected
    replayed = {identity(row): row for row in lines(out) if row["at"] <= max(expected)}
    streamed = {identity(row): row for row in found["verdicts"]}
    assert streamed.keys() == replayed.keys()
    for key, row in streamed.items():
        assert row["score"] == pytest.approx(replayed[key]["score"], rel=1e-9)
        assert (row["status"], row["samples"]) == (replayed[key]["status"], replayed[key]["samples"])
    assert min(expected) < "1970" < max(expected)


async def run_until(name: StageName, fleet: Fleet, stop: asyncio.Event) -> None:
    await run_stage(make_stage(name, fleet, Metrics(CollectorRegistry()), default_config()), stop)


def panes_of(table: Path) -> dict[str, int]:
    """Return the events of each pane by its end, but for the last, which a stream leaves open."""
    pane_ms = 30 * 86_400_000
    times = pc.cast(pyarrow.parquet.read_table(table)["ts"], pa.int64()).to_pylist()
    counts = Counter(at // pane_ms * pane_ms + pane_ms for at in times)
    del counts[max(counts)]
    return {rfc3339(end_ms): events for end_ms, events in counts.items()}


def read_until(broker: Broker, topics: Topics, panes: int) -> dict[str, list[dict[str, Any]]]:
    """Return panes and verdicts, once there are as many panes and nothing more comes."""
    names = {topics.panes.name: "panes", topics.verdicts.name: "verdicts"}
    found: dict[str, list[dict[str, Any]]] = {"panes": [], "verdicts": []}
    consumer = KafkaConsumer(
        *names, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", group_id=None
    )
    deadline_s = time.monotonic() + DEADLINE_S
    try:
        while time.monotonic() < deadline_s:
            polled = consumer.poll(timeout_ms=1000)
            if not polled and len(found["panes"]) >= panes:
                return found
            for partition, records in polled.items():
                found[names[partition.topic]] += [json.loads(record.value) for record in records]
    finally:
        consumer.close()
    raise AssertionError(f"{len(found['panes'])} of {panes} panes within {DEADLINE_S:g} s")


def identity(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("at", "version", "segment", "detector", "feature"))
