"""Restarts, crashes, rebalances and repeats: every pane's counts still equal an independent recount."""

import json
from collections.abc import Collection

from aiokafka import AIOKafkaProducer
from fleet_of_stages import Pipeline
from traffic import Traffic, recount, shown
from webhook import Webhook

MODELS = ("churn", "fraud")


async def test_every_event_is_counted_once_and_every_alert_told_once_whatever_happens(
    pipeline: Pipeline, webhook: Webhook
) -> None:
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        async with traffic.flowing():
            await _live_through_everything(pipeline, traffic, webhook)
        await traffic.live()
        for model in MODELS:
            wanted = recount(traffic.sent, model)
            await pipeline.until(
                lambda model=model, panes=wanted.panes: _all_closed(pipeline, model, panes),
                f"{model}'s last pane closes",
            )
            rows = await pipeline.panes(model)
            assert shown(rows) == wanted.panes
            assert sum(row["late"] for row in rows if not row["segment"]) == wanted.late
            assert sum(row["invalid"] for row in rows) == 0
            records = [json.loads(one.value) for one in await pipeline.records(pipeline.topics.panes.name)]
            told = {json.dumps(one["pane"]) for one in records if one["model"] == model}
            assert shown([json.loads(one) for one in told]) == wanted.panes
        await pipeline.stop()
    assert webhook.statuses("fraud") == ["firing", "resolved"]


async def _live_through_everything(pipeline: Pipeline, traffic: Traffic, webhook: Webhook) -> None:
    await pipeline.start()
    await _goes_on(pipeline)
    traffic.slow = True
    await pipeline.until(lambda: webhook.statuses("fraud"), "the webhook is told that fraud is slow")

    await pipeline.stop()
    await pipeline.start()
    await _goes_on(pipeline)

    await pipeline.kill("profile", "judge")
    await pipeline.start("profile", "judge")
    await _goes_on(pipeline)

    await pipeline.start("profile/2")
    await pipeline.until(
        lambda: _is(pipeline, [1, 1], "profile", "profile/2"), "two workers share the partitions"
    )
    await _goes_on(pipeline)
    await _repeat_upserts(pipeline)
    await pipeline.stop("profile/2")
    traffic.slow = False
    await pipeline.until(lambda: len(webhook.statuses("fraud")) > 1, "the webhook is told it is over")


async def _goes_on(pipeline: Pipeline) -> None:
    """Wait until panes that were not closed yet are."""
    before = {model: len(await pipeline.panes(model)) for model in MODELS}

    async def more() -> bool:
        return all([len(await pipeline.panes(model)) > before[model] + 6 for model in MODELS])

    await pipeline.until(more, "more panes close")


async def _is(pipeline: Pipeline, partitions: list[int], *workers: str) -> bool:
    return await pipeline.partitions_of(*workers) == partitions


async def _all_closed(pipeline: Pipeline, model: str, panes: Collection[object]) -> bool:
    return len(shown(await pipeline.panes(model))) >= len(panes)


async def _repeat_upserts(pipeline: Pipeline) -> None:
    """Send what stage 1 sent so far again, as a worker that wakes up late would."""
    topic = pipeline.topics.profiles.name
    producer = AIOKafkaProducer(bootstrap_servers=pipeline.broker.bootstrap)
    await producer.start()
    try:
        for record in await pipeline.records(topic):
            await producer.send(topic, record.value, key=record.key, partition=record.partition)
    finally:
        await producer.stop()
