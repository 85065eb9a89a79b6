"""Delayed labels through the real stages: outcomes equal a recount, whatever is killed on the way."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import only_on
from aiokafka import AIOKafkaProducer
from fleet_of_stages import Pipeline
from traffic import Sent, Traffic, now_ms

from monitors import CHURN
from streams.joins.wire import outcomes_of
from streams.wire import OutcomeKey, OutcomeRow, decode_key, decode_outcomes

PANE_MS = 10_000
LABELS = "labels: {horizon: 1h, pane: 10s, objectives: {accuracy: 0.99}}\n"
DEATHS = {
    "profile": ("joined.half@1", "checkpoint.before@2", "checkpoint.after@2"),
    "join": (
        "joined.half@1", "upserts.half@1", "pairs.half@1", "join-checkpoint.before@2", "recover@1",
        "join-checkpoint.after@2", "commit@2",
    ),
}  # fmt: skip


class Labels:
    """Sends labels to any partition, and remembers what is to come of them."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._topic = pipeline.topics.labels.name
        self._producer = AIOKafkaProducer(bootstrap_servers=pipeline.broker.bootstrap)
        self._random = Random(5)
        self.latest: dict[str, bool] = {}

    async def __aenter__(self) -> "Labels":
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def send(self, sent: Iterable[Sent]) -> None:
        """Label nine of ten of churn's predictions; every fifth of those twice, the second time otherwise."""
        for one in sent:
            event = one.event
            if event["model"] != "churn" or event["prediction"] is None or self._random.random() < 0.1:
                continue
            truth = self._random.random() < event["prediction"]
            self.latest[event["id"]] = truth
            if self._random.random() < 0.2:
                await self._put(event["id"], not truth, now_ms() - 60_000)
            await self._put(event["id"], truth, now_ms())
        await self._put("never-predicted", True, now_ms())
        await self._put("odd", [], now_ms())
        await self._producer.flush()

    async def _put(self, id: str, label: Any, ts: int) -> None:
        value = json.dumps({"id": id, "model": "churn", "label": label, "ts": ts}).encode()
        await self._producer.send(self._topic, value, partition=self._random.randrange(2))


def recount(sent: Iterable[Sent], latest: dict[str, bool]) -> dict[tuple[str, str, int], Counter[str]]:
    """Count predictions and outcomes by version, segment and pane, as the rules say."""
    found: dict[tuple[str, str, int], Counter[str]] = {}
    for one in sent:
        event = one.event
        if event["model"] != "churn" or event["prediction"] is None:
            continue
        segments = [f"country={value}" for value in event.get("segments", {}).values()]
        for segment in ["", *segments]:
            counts = found.setdefault(
                (event["version"], segment, event["ts"] // PANE_MS * PANE_MS), Counter()
            )
            counts["predictions"] += 1
            if event["id"] in latest:
                said, truth = event["prediction"] >= 0.5, latest[event["id"]]
                counts[f"{truth} {said}"] += 1
    return found


async def told(pipeline: Pipeline) -> dict[tuple[str, str, int], Counter[str]]:
    """Return the outcomes on the way to the judge: the latest of each joins partition, added up."""
    latest: dict[OutcomeKey, OutcomeRow] = {}
    for record in await pipeline.records(pipeline.topics.profiles.name):
        key = decode_key(record.key)
        if isinstance(key, OutcomeKey):
            row = decode_outcomes(record.value)
            if key not in latest or row.fence >= latest[key].fence:
                latest[key] = row
    names = {"positive": True, "negative": False}
    found: dict[tuple[str, str, int], Counter[str]] = {}
    for key, row in latest.items():
        if not row.tally:
            continue
        counts = found.setdefault((key.version, key.segment, key.start_ms), Counter())
        for place, count in outcomes_of(key.start_ms, row).tally.items():
            if place[0] == "predictions":
                counts["predictions"] += count
            elif place[0] == "pair":
                counts[f"{names[place[1]]} {names[place[2]]}"] += count
    return found


async def _all_joined(pipeline: Pipeline, traffic: Traffic, labels: Labels) -> None:
    wanted = recount(traffic.sent, labels.latest)
    assert len(wanted) > 4

    async def equal() -> bool:
        return await told(pipeline) == wanted

    await pipeline.until(equal, "the outcomes are those of the recount", every_s=1.0)


async def _performance(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Return what the judge made of the accuracy of all outcomes of a version."""
    found = [json.loads(one.value) for one in await pipeline.records(pipeline.topics.verdicts.name)]
    return [
        one for one in found
        if one["detector"] == "performance" and one["feature"] == "accuracy" and one["status"] == "firing"
    ]  # fmt: skip


def _ask_for_labels(pipeline: Pipeline) -> None:
    (pipeline.home / "monitors" / "churn.yaml").write_text(
        CHURN.replace("detectors: {", "detectors: {performance: {min_samples: 20}, ") + LABELS
    )


async def test_labels_meet_their_predictions_whichever_comes_first(pipeline: Pipeline) -> None:
    _ask_for_labels(pipeline)
    async with (
        Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic,
        Labels(pipeline) as labels,
    ):
        await traffic.panes_of(10)
        await labels.send(traffic.sent)
        await pipeline.start("join")
        await pipeline.until(
            lambda: pipeline.metric("driftline_labels_total", model="churn") > len(labels.latest),
            "the join has read the labels before any prediction",
        )
        await pipeline.start("profile")
        await _all_joined(pipeline, traffic, labels)
        early = pipeline.metric("driftline_join_oddities", model="churn", kind="early_labels")
        assert early == len(labels.latest)
        before = len(traffic.sent)
        await traffic.panes_of(5)
        await labels.send(traffic.sent[before:])
        await _all_joined(pipeline, traffic, labels)
        await pipeline.start("judge")
        verdicts = await pipeline.until(
            lambda: _performance(pipeline), "the judge tells how good the model is"
        )
        assert all(0 < one["samples"] <= len(labels.latest) for one in verdicts)
        await pipeline.stop("profile", "join", "judge")
    letters = await pipeline.records(pipeline.topics.dead_letter.name)
    assert {dict(one.headers)["driftline-topic"].decode() for one in letters} == {pipeline.topics.labels.name}
    assert len(letters) == 2
    joined = await pipeline.records(pipeline.topics.joins.name)
    assert joined
    assert not any(b"fraud" in one.value for one in joined), "only models with labels are sent to be joined"


@only_on.kafka
async def test_kills_at_every_step_of_the_join_change_no_outcome(pipeline: Pipeline) -> None:
    pipeline.environment["DRIFTLINE_STATIC_MEMBERSHIP"] = "true"
    _ask_for_labels(pipeline)
    async with (
        Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic,
        Labels(pipeline) as labels,
    ):
        stopped = asyncio.Event()

        async def label() -> None:
            done = 0
            while not stopped.is_set():
                end = len(traffic.sent)
                await labels.send(traffic.sent[done:end])
                done = end
                await asyncio.sleep(0.5)
            await labels.send(traffic.sent[done:])

        labelling = asyncio.create_task(label())
        async with traffic.flowing():
            await asyncio.gather(*(_die_of(pipeline, stage, steps) for stage, steps in DEATHS.items()))
        stopped.set()
        await labelling
        await _all_joined(pipeline, traffic, labels)
        await pipeline.stop("profile", "join")


async def _die_of(pipeline: Pipeline, stage: str, steps: Sequence[str]) -> None:
    """Start a stage again and again, each time to die at the next step; then for good."""
    for step in steps:
        await pipeline.start(stage, fuse=step)
        await pipeline.killed_itself(stage)
    await pipeline.start(stage)
