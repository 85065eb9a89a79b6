"""Dead letters on a real broker: listed newest first, and put back once."""

import asyncio
import io
import json
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from brokers import Broker
from clients import create_topic
from command_line import Run

from driftline.dead_letters import BLOCK
from streams.bad_event import BadCode, BadEvent
from streams.stages.dead_letter import MAX_BYTES, dead_letter
from streams.transport import Chunk

Event = tuple[BadCode, bytes | None, bytes | None]
CODES = list(BadCode)


async def fill(
    broker: Broker, prefix: str, events: list[Event], *, source: str = "predictions", batched: bool = False
) -> None:
    """Write dead letters as stage 1 writes them, event ``i`` into partition ``i % 2`` at time ``1000 + i``."""
    await create_topic(broker.bootstrap, f"{prefix}.{source}", 2)
    # Kafka lets go of records of 1970 within minutes.
    await create_topic(broker.bootstrap, f"{prefix}.dead-letter", 2, {"retention.ms": "-1"})
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, max_request_size=2 * MAX_BYTES, linger_ms=200 if batched else 0
    )
    await producer.start()
    sent = []
    try:
        for row, (code, key, value) in enumerate(events):
            chunk = Chunk(f"{prefix}.{source}", 1, [100 + row], [1], [key], [value])
            letter = dead_letter(f"{prefix}.dead-letter", chunk, BadEvent(0, code, f"field {row} is wrong"))
            sending = await producer.send(
                letter.topic, letter.value, key=letter.key, partition=row % 2, headers=letter.headers,
                timestamp_ms=1_000 + row,
            )  # fmt: skip
            if not batched:
                await sending
            sent.append(sending)
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def records(broker: Broker, topic: str, count: int) -> list[Any]:
    """Return a topic's records; at least ``count`` are awaited."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[Any] = []
    try:
        async with asyncio.timeout(20):
            while len(found) < count:
                found += [one for batch in (await consumer.getmany(timeout_ms=200)).values() for one in batch]
        found += [one for batch in (await consumer.getmany(timeout_ms=200)).values() for one in batch]
    finally:
        await consumer.stop()
    return found


@pytest.fixture
def letters(driftline: Run, broker: Broker, prefix: str) -> Run:
    """Run ``driftline dead-letter ARGUMENTS…`` on the broker."""

    def run(*arguments: object) -> Any:
        return driftline(
            "dead-letter", *arguments, DRIFTLINE_KAFKA=broker.bootstrap, DRIFTLINE_TOPIC_PREFIX=prefix
        )

    return run


def event(row: int, model: str = "churn") -> Event:
    return CODES[row % 2], f"k{row}".encode(), json.dumps({"id": row, "model": model}).encode()


def listed(letters: Run, *arguments: object) -> list[dict[str, Any]]:
    ran = letters("list", "--json", *arguments)
    assert (ran.status, ran.err) == (0, "")
    rows: list[dict[str, Any]] = json.loads(ran.out)
    return rows


async def test_the_newest_are_listed_first_whatever_their_partition(
    broker: Broker, prefix: str, letters: Run
) -> None:
    await fill(broker, prefix, [event(row) for row in range(30)])
    rows = await asyncio.to_thread(listed, letters, "--limit", 5)
    assert [row["reason"] for row in rows] == [f"field {row} is wrong" for row in range(29, 24, -1)]
    assert [row["offset"] for row in rows[:2]] == ["1:14", "0:14"]
    assert rows[0]["time"] == "1970-01-01T00:00:01.029Z"
    assert rows[0]["value"] == '{"id": 29, "model": "churn"}'


async def test_a_long_topic_is_read_to_its_beginning(broker: Broker, prefix: str, letters: Run) -> None:
    count = 2 * BLOCK + 50
    first = (BadCode(CODES[2]), b"k", b'{"model": "oldest"')
    await fill(broker, prefix, [first, first, *(event(row) for row in range(count))])
    assert len(await asyncio.to_thread(listed, letters, "--code", CODES[2].value)) == 2
    assert len(await asyncio.to_thread(listed, letters, "--model", "oldest")) == 2
    assert len(await asyncio.to_thread(listed, letters, "--limit", 10_000)) == count + 2


async def test_letters_that_came_in_one_batch_are_all_listed_and_put_back(
    broker: Broker, prefix: str, letters: Run
) -> None:
    await fill(broker, prefix, [event(row) for row in range(10)], batched=True)
    assert len(await asyncio.to_thread(listed, letters)) == 10
    ran = await asyncio.to_thread(letters, "requeue", "--yes")
    assert ran.out == f"put 10 events back onto {prefix}.predictions\n"
    assert len(await records(broker, f"{prefix}.predictions", 10)) == 10


async def test_a_list_can_be_narrowed_by_code_and_model(broker: Broker, prefix: str, letters: Run) -> None:
    await fill(broker, prefix, [event(row, "churn" if row % 3 else "fraud") for row in range(12)])
    rows = await asyncio.to_thread(listed, letters, "--code", CODES[0].value, "--model", "fraud")
    assert [json.loads(row["value"])["id"] for row in rows] == [6, 0]
    nothing = await asyncio.to_thread(letters, "list", "--model", "risk")
    assert (nothing.status, nothing.out) == (0, "no dead letter fits\n")


async def test_raw_bytes_cannot_steer_the_terminal(broker: Broker, prefix: str, letters: Run) -> None:
    await fill(broker, prefix, [(CODES[0], None, b"\x1b[2J\xff\r\n[red]" + b"x" * 500)])
    ran = await asyncio.to_thread(letters, "list")
    assert "\x1b" not in ran.out
    assert r"\x1b[2J\xff\r\n[red]xxx" in ran.out
    assert len(ran.out.splitlines()) <= 5


async def test_events_go_back_to_their_topic_raw_with_key_and_only_once(
    broker: Broker, prefix: str, letters: Run
) -> None:
    events = [event(row) for row in range(10)]
    await fill(broker, prefix, events)
    ran = await asyncio.to_thread(letters, "requeue", "--yes")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == f"put 10 events back onto {prefix}.predictions\n"
    back = await records(broker, f"{prefix}.predictions", 10)
    assert sorted((record.key, record.value) for record in back) == sorted(one[1:] for one in events)
    assert {record.partition for record in back} == {1}, "the partition they came from"
    assert {dict(record.headers)["driftline-requeued"].decode() for record in back} == {
        f"{partition}:{offset}" for partition in range(2) for offset in range(5)
    }
    again = await asyncio.to_thread(letters, "requeue", "--yes")
    assert again.out == "nothing to put back\n"
    assert again.err == "passed over: 10 events, put back before\n"
    assert len(await records(broker, f"{prefix}.predictions", 10)) == 10
    rows = await asyncio.to_thread(listed, letters)
    assert len(rows) == 10
    assert all(row["requeued"] for row in rows)


async def test_a_dry_run_puts_nothing_back(broker: Broker, prefix: str, letters: Run) -> None:
    await fill(broker, prefix, [event(row) for row in range(4)])
    ran = await asyncio.to_thread(letters, "requeue", "--dry-run", "--code", CODES[1].value)
    assert ran.out == f"would put 2 events back onto {prefix}.predictions\n"
    assert await records(broker, f"{prefix}.predictions", 0) == []


async def test_one_event_alone_can_be_put_back(broker: Broker, prefix: str, letters: Run) -> None:
    await fill(broker, prefix, [event(row) for row in range(6)])
    ran = await asyncio.to_thread(letters, "requeue", "--yes", "--offset", "1:2")
    assert (ran.out, ran.err) == (f"put 1 event back onto {prefix}.predictions\n", "")
    (record,) = await records(broker, f"{prefix}.predictions", 1)
    assert record.key == b"k5"


async def test_without_yes_a_no_puts_nothing_back(
    broker: Broker, prefix: str, letters: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(broker, prefix, [event(0)])
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ran = await asyncio.to_thread(letters, "requeue")
    assert ran.status == 1
    assert f"Put 1 event back onto {prefix}.predictions?" in ran.out
    assert await records(broker, f"{prefix}.predictions", 0) == []


async def test_what_was_cut_or_is_from_elsewhere_is_passed_over(
    broker: Broker, prefix: str, letters: Run
) -> None:
    await fill(broker, prefix, [(CODES[0], b"k", b"x" * (MAX_BYTES + 1))])
    ran = await asyncio.to_thread(letters, "requeue", "--yes")
    assert ran.err == "passed over: 1 event, too long: its value was cut\n"


async def test_events_of_a_topic_that_is_not_the_fleets_are_passed_over(
    broker: Broker, prefix: str, letters: Run
) -> None:
    await fill(broker, prefix, [event(0)], source="elsewhere")
    ran = await asyncio.to_thread(letters, "requeue", "--yes")
    assert ran.out == "nothing to put back\n"
    assert f"came from '{prefix}.elsewhere', which is no topic of this fleet's producers" in ran.err
    assert await records(broker, f"{prefix}.elsewhere", 0) == []


def test_a_topic_that_is_not_there_is_said_with_the_remedy(letters: Run) -> None:
    ran = letters("list")
    assert ran.status == 1
    assert "create it: driftline topics create" in ran.err


@pytest.mark.parametrize("place", ["1", "a:b", "1:", ":2", "-1:2"])
def test_an_offset_that_is_none_is_wrong_usage(place: str, driftline: Run) -> None:
    ran = driftline("dead-letter", "requeue", f"--offset={place}", DRIFTLINE_KAFKA="localhost:1")
    assert ran.status == 2
    assert "is no partition:offset" in " ".join(ran.err.split())
