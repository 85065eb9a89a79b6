"""A judge stopped in the middle of a tick, whose partitions went to another, wakes up: its alert reaches nobody."""

import json
import signal

import only_on
from clients import committed
from counting import goes_on
from fleet_of_stages import Pipeline
from traffic import PARTITIONS, Traffic
from webhook import Webhook


@only_on.kafka
async def test_an_alert_that_a_judge_tells_after_its_partitions_went_to_another_reaches_nobody(
    pipeline: Pipeline, webhook: Webhook
) -> None:
    pipeline.environment |= {"DRIFTLINE_BEHIND_S": "6", "DRIFTLINE_BEHIND_FOR_S": "10"}
    async with (
        Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic,
        traffic.flowing(),
    ):
        await pipeline.start("desk", "profile")
        # It finds that the fleet is behind, and is stopped before anybody knows.
        await pipeline.start("judge", fuse="raised.before@1:STOP")
        await goes_on(pipeline)
        await pipeline.kill("profile")
        await pipeline.until(lambda: pipeline.is_stopped("judge"), "the judge has stopped")

        # Its successor finds that all is counted.
        await pipeline.start("profile")
        await _owns(pipeline, "profile", PARTITIONS)
        await pipeline.start("judge/2")
        await _owns(pipeline, "judge/2", PARTITIONS)
        await goes_on(pipeline)
        assert not await _told(pipeline)
        pipeline.send("judge", signal.SIGCONT)
        await pipeline.until(lambda: _told(pipeline), "it goes on, and tells that the fleet is behind")
        await _all_taken(pipeline)
        await goes_on(pipeline)
        await pipeline.stop("desk", "profile", "judge", "judge/2")
    told = [alert["labels"]["alertname"] for payload in webhook.payloads for alert in payload["alerts"]]
    assert "Backlog" not in told


async def _owns(pipeline: Pipeline, worker: str, partitions: int) -> None:
    async def owns() -> bool:
        return await pipeline.partitions_of(worker) == [partitions]

    await pipeline.until(owns, f"{worker} has the partitions")


async def _told(pipeline: Pipeline) -> bool:
    upserts = [
        json.loads(one.value) for one in await pipeline.records(pipeline.topics.alerts.name) if one.value
    ]
    return any((one["labels"]["alertname"], one["status"]) == ("Backlog", "firing") for one in upserts)


async def _all_taken(pipeline: Pipeline) -> None:
    """Wait until the desk has acknowledged what the alerts topic holds."""
    topic = pipeline.topics.alerts.name
    said = max(one.offset for one in await pipeline.records(topic)) + 1
    group = f"{pipeline.topics.prefix}-desk"

    async def taken() -> bool:
        return (await committed(pipeline.broker.bootstrap, group, topic) or 0) >= said

    await pipeline.until(taken, "the desk has taken every alert")
