"""One run without mishaps: two models, bad events, a model nobody watches, an alert, and the web face over it."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import ConsumerRecord
from bad_events import BAD, LARGE
from brokers import Broker, unique
from fleet_of_stages import Pipeline
from traffic import Sent, Traffic, epoch_ms, recount, shown
from webhook import Webhook

from alerts.tenure import read_key
from driftline.embedded import EmbeddedStore
from driftline.web.app import create_app
from monitors import OBJECTIVE_MS, PANE_MS

MODELS = ("churn", "fraud")
RUNBOOK = "https://drift.example.org/runbooks/LatencyHigh"


@dataclass
class Run:
    """What the run left behind."""

    sent: list[Sent] = field(default_factory=list)
    panes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    verdicts: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    payloads: list[dict[str, Any]] = field(default_factory=list)
    records: dict[str, list[ConsumerRecord]] = field(default_factory=dict)
    ready: list[int] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    counted: dict[str, float] = field(default_factory=dict)
    restarted: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def run(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run; it takes half a minute."""
    with EmbeddedStore() as store:
        return asyncio.run(_run(broker, store.url, tmp_path_factory.mktemp("run")))


async def _run(broker: Broker, redis_url: str, home: Path) -> Run:
    async with (
        Webhook() as webhook,
        Pipeline(broker, unique("clean"), redis_url, webhook.url, home) as pipeline,
    ):
        return await _go_through(pipeline, webhook)


async def _go_through(pipeline: Pipeline, webhook: Webhook) -> Run:
    found = Run()
    app = create_app(redis_url=pipeline.redis_url)
    async with (
        Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as web,
    ):
        found.ready.append((await web.get("/readyz")).status_code)
        await pipeline.start()
        await traffic.panes_of(70)
        await traffic.unmonitored()
        for value in BAD.values():
            await (await traffic.raw(0, value))

        async def ready() -> bool:
            return (await web.get("/readyz")).status_code == 200

        # All along, as a partition that is quiet for ten seconds lets event time go on without it.
        async with traffic.flowing(0.5):
            await pipeline.until(ready, "/readyz says yes")
            found.ready.append(200)
            await _alert_and_resolve(pipeline, traffic, webhook)
            await pipeline.until(lambda: _is_judged(pipeline), "churn is judged by its own past")
            await pipeline.stop("profile", "judge")
            found.restarted["before"] = (await _psi(pipeline))["at"]
            await pipeline.start("profile", "judge")
            await pipeline.until(
                lambda: _is_judged(pipeline, after=found.restarted["before"]),
                "churn is still judged by its own past",
            )
        await _collect(pipeline, traffic, web, found)
        found.payloads = webhook.payloads
        await app.state.context.store.close()
    return found


async def _alert_and_resolve(pipeline: Pipeline, traffic: Traffic, webhook: Webhook) -> None:
    traffic.slow = True
    await pipeline.until(lambda: webhook.statuses("fraud"), "the webhook is told")
    traffic.slow = False
    await pipeline.until(lambda: len(webhook.statuses("fraud")) > 1, "the webhook is told it is over")


async def _psi(pipeline: Pipeline) -> dict[str, Any]:
    return (await pipeline.hash("driftline:model:churn:verdicts")).get("psi|age|1|", {"status": "", "at": ""})


async def _is_judged(pipeline: Pipeline, after: str = "") -> bool:
    verdict = await _psi(pipeline)
    return verdict["status"] in ("ok", "firing") and verdict["at"] > after


async def _collect(pipeline: Pipeline, traffic: Traffic, web: httpx.AsyncClient, found: Run) -> None:
    found.sent = traffic.sent

    async def all_closed() -> bool:
        found.panes = {model: await pipeline.panes(model) for model in MODELS}
        return all(
            len(shown(rows)) >= len(recount(traffic.sent, model).panes) for model, rows in found.panes.items()
        )

    async def unmonitored() -> bool:
        return "nobody" in await pipeline.hash("driftline:models")

    await pipeline.until(all_closed, "every pane is in the store")
    await pipeline.until(unmonitored, "the model nobody watches shows")
    for topic in ("panes", "verdicts", "alerts", "dead-letter", "layouts"):
        found.records[topic] = await pipeline.records(f"{pipeline.topics.prefix}.{topic}")
    for name in ("driftline_dead_letters_total", "driftline_invalid_events_total"):
        found.counted[name] = pipeline.metric(name)
    await pipeline.stop()
    found.models = await pipeline.hash("driftline:models")
    found.alerts = await pipeline.hash("driftline:model:fraud:alerts")
    for model in MODELS:
        found.panes[model] = await pipeline.panes(model)
        found.verdicts[model] = await pipeline.hash(f"driftline:model:{model}:verdicts")
        for what in ("panes", "verdicts"):
            answer = await web.get(f"/api/v1/models/{model}/{what}")
            found.answers[f"{model}/{what}"] = answer.raise_for_status().json()
    found.answers["models"] = (await web.get("/api/v1/models")).raise_for_status().json()


def test_every_pane_counts_what_was_sent(run: Run) -> None:
    for model in MODELS:
        wanted = recount(run.sent, model)
        assert len(wanted.panes) > 100
        assert shown(run.panes[model]) == wanted.panes
        assert sum(row["late"] for row in run.panes[model]) == wanted.late > 0


def test_the_record_of_panes_says_the_same_as_the_store(run: Run) -> None:
    told = [json.loads(record.value) for record in run.records["panes"]]
    for model in MODELS:
        distinct = {json.dumps(one["pane"], sort_keys=True) for one in told if one["model"] == model}
        assert distinct == {json.dumps(row, sort_keys=True) for row in run.panes[model]}


def test_an_alert_is_told_once_and_its_end_once(run: Run) -> None:
    wanted = {"alertname": "LatencyHigh", "model": "fraud", "version": "1"}
    firing, resolved = [one for one in run.payloads if one["groupLabels"] == wanted]
    assert (firing["version"], firing["status"], firing["receiver"]) == ("4", "firing", "hook")
    assert (resolved["status"], resolved["groupKey"]) == ("resolved", firing["groupKey"])
    for alert in firing["alerts"]:
        assert alert["annotations"]["runbook_url"] == RUNBOOK
        assert "p99 latency" in alert["annotations"]["summary"]
        assert alert["endsAt"].startswith("0001-")
    assert all(alert["endsAt"] > alert["startsAt"] for alert in resolved["alerts"])


def test_alert_upserts_are_ordered_and_end_as_the_store_says(run: Run) -> None:
    told = [record for record in run.records["alerts"] if record.value]
    last: dict[str, dict[str, Any]] = {}
    for record in told:
        _, fingerprint = read_key(record.key)
        upsert = json.loads(record.value)
        before = last.get(fingerprint, {"sequence": 0, "pane_end_ms": 0})
        assert upsert["sequence"] >= before["sequence"]
        assert upsert["pane_end_ms"] >= before["pane_end_ms"]
        last[fingerprint] = upsert
    latency = {f: one["status"] for f, one in last.items() if one["labels"]["model"] == "fraud"}
    assert {f: row["status"] for f, row in run.alerts.items()} == latency


def test_bad_events_are_kept_as_they_came_with_the_reason(run: Run) -> None:
    letters = {
        dict(record.headers)["driftline-code"].decode(): record for record in run.records["dead-letter"]
    }
    assert Counter(dict(one.headers)["driftline-code"] for one in run.records["dead-letter"]) == Counter(
        name.partition(":")[0].encode() for name in BAD
    )
    kept = Counter(record.value or None for record in run.records["dead-letter"])
    wanted = Counter((value or None) for value in BAD.values() if value != LARGE)
    assert kept - Counter({LARGE[: 512 * 1024]: 1}) == wanted
    for record in letters.values():
        headers = {name: value.decode() for name, value in record.headers}
        assert headers["driftline-topic"].endswith(".predictions")
        assert headers["driftline-partition"] == "0"
        assert headers["driftline-offset"].isdigit()
        assert len(headers["driftline-reason"]) > 10
    assert dict(letters["too_large"].headers)["driftline-truncated"] == str(len(LARGE)).encode()
    assert set(run.counted.values()) == {float(len(BAD))}


def test_bad_events_of_a_known_model_are_counted_in_its_panes(run: Run) -> None:
    owned = sum(b'"model": "churn"' in (value or b"") and value != LARGE for value in BAD.values())
    assert sum(row["invalid"] for row in run.panes["churn"]) == owned


def test_a_model_nobody_watches_shows_its_volume_and_latency(run: Run) -> None:
    summary = run.models["nobody"]
    assert summary["state"] == "unmonitored"
    assert summary["events_per_second"] > 0
    assert summary["latency_p99_ms"] == pytest.approx(20.0, rel=0.05)
    assert summary["error_rate"] == pytest.approx(0.5, rel=0.02)


def test_bins_cut_after_the_warm_up_are_published_and_outlive_a_restart(run: Run) -> None:
    layouts = [json.loads(record.value)["layout"] for record in run.records["layouts"]]
    assert [layout["model"] for layout in layouts] == ["churn"]
    edges = {column["name"]: column["edges"] for column in layouts[0]["numbers"]}
    assert len(edges["age"]) >= 5
    psi = run.verdicts["churn"]["psi|age|1|"]
    assert psi["status"] != "insufficient"
    assert len(psi["evidence"]["reference"]) == len(edges["age"]) + 1
    assert psi["at"] > run.restarted["before"]


def test_a_model_with_a_reference_file_is_judged_from_the_start(run: Run) -> None:
    verdicts = [json.loads(record.value) for record in run.records["verdicts"]]
    first = min(one["at"] for one in verdicts if one["model"] == "fraud" and one["detector"] == "psi")
    judged = [
        one for one in verdicts
        if one["model"] == "fraud" and one["detector"] == "psi" and one["status"] != "insufficient"
    ]  # fmt: skip
    assert epoch_ms(min(one["at"] for one in judged)) - epoch_ms(first) <= 10 * PANE_MS
    slow = [one for one in verdicts if one["detector"] == "latency" and one["firing"]]
    assert slow
    assert all(one["score"] > one["threshold"] == OBJECTIVE_MS for one in slow)


def test_the_web_face_says_what_the_store_holds(run: Run) -> None:
    assert run.ready == [503, 200]
    assert {one["model"] for one in run.answers["models"]} == {*MODELS, "nobody"}
    for model in MODELS:
        panes = run.answers[f"{model}/panes"]
        assert panes == sorted(panes, key=lambda row: row["end"])
        assert shown(panes) == shown(run.panes[model])
        verdicts = {
            f"{v['detector']}|{v['feature']}|{v['version']}|{v['segment']}": v
            for v in run.answers[f"{model}/verdicts"]
        }
        assert verdicts == run.verdicts[model]
