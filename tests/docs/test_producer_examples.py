"""The examples for producers run as they are printed, and what they send is a valid event of the README's monitor."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from brokers import Broker
from clients import create_topic

from streams.bad_event import BadCode, BadEvent
from streams.codec import ModelCodec
from streams.decode import Decoder
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.stages.dead_letter import dead_letter
from streams.topics import Topics
from streams.transport import Chunk

ROOT = Path(__file__).resolve().parents[2]
#: Page, and the broker's address in its examples.
PAGES = {"README.md": "localhost:9092", "docs/producer.md": "localhost:29092"}
#: Older librdkafka stumbles over the embedded broker's first answer.
TANSU_NEEDS = (2, 2)
TIMEOUT_S = 60.0


def blocks(page: str, language: str, needle: str) -> list[str]:
    """Return the code blocks of a page that hold a text."""
    found = re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    return [block for block in found if needle in block]


def example(page: str, language: str, needle: str, broker: Broker, prefix: str) -> str:
    """Return a page's only example of a client, sending to a broker and prefix of the test's."""
    (block,) = blocks(page, language, needle)
    text = block.replace(PAGES[page], broker.bootstrap)
    assert text != block, f"{page} does not send to {PAGES[page]}"
    moved = text.replace(Topics().predictions.name, Topics(prefix).predictions.name)
    assert moved != text, f"{page} does not send to {Topics().predictions.name}"
    return moved


def run(*command: str, answer: str = "", **environment: str) -> str:
    """Run a command to its good end, and return what it printed; ``answer`` is for what it asks."""
    ended = subprocess.run(
        command, env=os.environ | environment, input=answer, capture_output=True, text=True, check=False,
        timeout=TIMEOUT_S,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def need_kcat(broker: Broker) -> None:
    """Skip, or fail in CI, without kcat; skip where the README says that this kcat will not do."""
    if shutil.which("kcat") is None:
        assert os.environ.get("CI") != "true", "kcat is missing: install it (Debian package kcat)"
        pytest.skip("kcat is missing: install it (Debian package kcat) to run the examples for producers")
    found = re.search(r"librdkafka (\d+)\.(\d+)", run("kcat", "-V"))
    assert found is not None
    if broker.kind == "tansu" and (int(found[1]), int(found[2])) < TANSU_NEEDS:
        pytest.skip(f"kcat's {found[0]} cannot read the embedded broker's answers: not tested on it")


async def sent(broker: Broker, topic: str, count: int) -> list[tuple[bytes | None, bytes | None]]:
    """Return key and value of a topic's records; at least ``count`` are awaited."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[tuple[bytes | None, bytes | None]] = []
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while len(found) < count:
                batches = await consumer.getmany(timeout_ms=1_000)
                found += [(one.key, one.value) for batch in batches.values() for one in batch]
        return found
    finally:
        await consumer.stop()


async def accepted(broker: Broker, prefix: str, count: int) -> list[tuple[bytes | None, str]]:
    """Return key and version of each event on the predictions topic; every one must be valid."""
    found = await sent(broker, Topics(prefix).predictions.name, count)
    (text,) = blocks("README.md", "yaml", "features:")
    monitor = Monitor.model_validate(yaml.safe_load(text))
    decoder = Decoder({monitor.model: ModelCodec(monitor, compile_layout(monitor))})
    rows = np.arange(len(found), dtype=np.int64)
    decoded = decoder.decode([value for _, value in found], rows, rows)
    assert decoded.bad == []
    assert list(decoded.models) == [monitor.model]
    assert decoded.models[monitor.model].unexpected == []
    versions = decoded.models[monitor.model].batch.versions
    return list(zip((key for key, _ in found), versions, strict=True))


@pytest.mark.parametrize("page", PAGES)
async def test_the_kafka_python_example_sends_a_valid_event(page: str, broker: Broker, prefix: str) -> None:
    await create_topic(broker.bootstrap, Topics(prefix).predictions.name)
    run(sys.executable, "-c", example(page, "python", "KafkaProducer", broker, prefix))
    ((key, version),) = await accepted(broker, prefix, 1)
    assert key
    assert version == "1.4.2"


@pytest.mark.parametrize("page", PAGES)
async def test_the_confluent_kafka_example_sends_a_valid_event(
    page: str, broker: Broker, prefix: str
) -> None:
    await create_topic(broker.bootstrap, Topics(prefix).predictions.name)
    # It takes its event from the example before it, which therefore runs first.
    first = example(page, "python", "KafkaProducer", broker, prefix)
    second = example(page, "python", "confluent_kafka", broker, prefix)
    run(sys.executable, "-c", first + second)
    one, two = await accepted(broker, prefix, 2)
    assert one == two


@pytest.mark.parametrize("page", PAGES)
async def test_the_kcat_example_sends_a_valid_event(page: str, broker: Broker, prefix: str) -> None:
    need_kcat(broker)
    await create_topic(broker.bootstrap, Topics(prefix).predictions.name)
    run("bash", "-euo", "pipefail", "-c", example(page, "sh", "-P", broker, prefix))
    assert [version for _, version in await accepted(broker, prefix, 1)] == [""]


async def test_the_commands_for_bad_events_show_them_and_put_them_back(broker: Broker, prefix: str) -> None:
    need_kcat(broker)
    topics = Topics(prefix)
    for topic in (topics.predictions, topics.dead_letter):
        await create_topic(broker.bootstrap, topic.name)
    chunk = Chunk(topics.predictions.name, 0, [7], [1], [b"k"], [b"{"])
    letter = dead_letter(topics.dead_letter.name, chunk, BadEvent(0, BadCode.NOT_JSON, "cut off"))
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
    await producer.start()
    await producer.send_and_wait(letter.topic, letter.value, key=letter.key, headers=letter.headers)
    await producer.stop()
    (block,) = blocks("docs/producer.md", "sh", "requeue")
    printed = run(
        "bash", "-euo", "pipefail", "-c", block.replace(Topics().dead_letter.name, topics.dead_letter.name),
        answer="y\n",
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        DRIFTLINE_KAFKA=broker.bootstrap, DRIFTLINE_TOPIC_PREFIX=prefix,
    )  # fmt: skip
    listed, _, by_kcat = printed.partition("put 1 event back")
    assert "not_json" in listed
    assert "driftline-reason=cut off" in by_kcat
    assert await sent(broker, topics.predictions.name, 1) == [(b"k", b"{")]
