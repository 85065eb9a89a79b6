"""Chunks of nothing but bad events, and a dead-letter topic that refuses them: nothing is lost, no stage hangs."""

from collections import Counter

import only_on
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from bad_events import BAD, LARGE
from counting import all_counted, goes_on
from fleet_of_stages import Pipeline
from traffic import Traffic

ROUNDS = 10
SMALL_BYTES = 20_000


@only_on.kafka
async def test_poisoned_chunks_and_a_refusing_dead_letter_topic_lose_no_event_good_or_bad(
    pipeline: Pipeline,
) -> None:
    topic = pipeline.topics.dead_letter.name
    async with Traffic(pipeline.broker.bootstrap, pipeline.topics.predictions.name) as traffic:
        await _poison(traffic)
        async with traffic.flowing():
            await pipeline.start()
            await goes_on(pipeline)
            await _until_buried(pipeline, ROUNDS)

            await _limit(pipeline, topic, SMALL_BYTES)
            await _poison(traffic, rounds=2)
            await _until_buried(pipeline, ROUNDS + 2)
            await _sizes_are_kept_in_mind(pipeline)

            await _delete(pipeline, topic)
            await _poison(traffic, rounds=1)
            log = await pipeline.crashed("profile")
            assert f"the dead-letter topic {topic} is gone; `driftline topics create` makes it again" in log
            await pipeline.start("profile")
            await _until_buried(pipeline, 1)
            await goes_on(pipeline)
        await all_counted(pipeline, traffic)
        await pipeline.stop()


async def _poison(traffic: Traffic, rounds: int = ROUNDS) -> None:
    """Send every kind of bad event, a megabyte among them, and nothing else for a while."""
    for _ in range(rounds):
        for future in [await traffic.raw(0, value) for value in BAD.values()]:
            await future


async def _until_buried(pipeline: Pipeline, rounds: int) -> None:
    wanted = Counter({code: rounds * count for code, count in Counter(map(_code, BAD)).items()})

    async def buried() -> bool:
        letters = await pipeline.records(pipeline.topics.dead_letter.name)
        places = {
            (dict(one.headers)["driftline-offset"], dict(one.headers)["driftline-code"].decode())
            for one in letters
        }
        return Counter(code for _, code in places) == wanted

    await pipeline.until(buried, f"{rounds} rounds of bad events are in the dead-letter topic", every_s=1.0)


def _code(name: str) -> str:
    return name.partition(":")[0]


async def _sizes_are_kept_in_mind(pipeline: Pipeline) -> None:
    letters = [one for one in await pipeline.records(pipeline.topics.dead_letter.name) if one.value]
    cut = [one for one in letters if "driftline-truncated" in dict(one.headers)]
    assert {dict(one.headers)["driftline-truncated"] for one in cut} == {str(len(LARGE)).encode()}
    assert all(LARGE.startswith(one.value) for one in cut)
    small = [one for one in cut if len(one.value) <= SMALL_BYTES]
    assert len(small) == 2
    assert all(len(one.value) > SMALL_BYTES // 4 for one in small)


async def _limit(pipeline: Pipeline, topic: str, max_bytes: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=pipeline.broker.bootstrap)
    await admin.start()
    try:
        change = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(max_bytes)})
        await admin.alter_configs([change])
    finally:
        await admin.close()


async def _delete(pipeline: Pipeline, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=pipeline.broker.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topic])
    finally:
        await admin.close()
