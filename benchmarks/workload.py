"""The events all benchmarks of throughput use: 18 numbers and 2 categories, some 560 bytes of JSON each."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from aiokafka import AIOKafkaProducer

from streams.layout import Layout, compile_layout
from streams.monitor import Monitor

MODEL = "churn"
NUMBERS = tuple(f"feature_{position:02d}" for position in range(18))
CATEGORIES = {"plan": ("free", "pro", "team"), "region": ("ap", "eu", "us")}
START_MS = 1_795_000_000_000
#: Events of one second of event time; a pane of 10 s holds ten times as many.
PER_SECOND = 20_000
#: Rows of features that differ; ids, times, predictions and latencies differ in every event.
DISTINCT_ROWS = 20_000
#: From the event to the broker.
TRANSIT_MS = 5
BATCH_BYTES = 512 * 1024


def declared(model: str = MODEL) -> dict[str, object]:
    """Return what a model's monitor file says."""
    features: dict[str, object] = {name: {"type": "number", "min": -100, "max": 100} for name in NUMBERS}
    features |= {name: {"type": "category", "values": values} for name, values in CATEGORIES.items()}
    return {"model": model, "team": "growth", "features": features, "objectives": {"latency_p99_ms": 500}}


def monitor() -> Monitor:
    """Return the monitor of the benchmarked model."""
    return Monitor.model_validate(declared())


def layout() -> Layout:
    """Return its layout, with the ten bins a reference gives each number."""
    edges = (-12.0, -8.0, -5.0, -2.0, 0.0, 2.0, 5.0, 8.0, 12.0)
    values = {name: tuple(values) for name, values in CATEGORIES.items()}
    return compile_layout(monitor(), edges=dict.fromkeys(NUMBERS, edges), values=values)


def events(count: int, seed: int = 1) -> Iterator[tuple[int, bytes]]:
    """Yield event time (epoch ms) and JSON of each event."""
    source = random.Random(seed)
    rows = [features(source) for _ in range(DISTINCT_ROWS)]
    for number in range(count):
        ts_ms = START_MS + number * 1000 // PER_SECOND
        second, ms = divmod(ts_ms, 1000)
        if number % PER_SECOND == 0:
            stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
        yield (
            ts_ms,
            b'{"id":"%032x","model":"churn","version":"1.4.2","ts":"%s.%03dZ","features":%s,'
            b'"prediction":%.6f,"latency_ms":%.2f}'
            % (
                source.getrandbits(128), stamp, ms, rows[number % DISTINCT_ROWS],
                source.random(), source.gammavariate(2.0, 8.0),
            ),
        )  # fmt: skip


def event(source: random.Random, model: str, ts_ms: int) -> bytes:
    """Return one event at an event time, epoch ms."""
    return msgspec.json.encode(
        {
            "id": f"{source.getrandbits(128):032x}",
            "model": model,
            "version": "1.4.2",
            "ts": ts_ms,
            "features": msgspec.Raw(features(source)),
            "prediction": source.random(),
            "latency_ms": source.gammavariate(2.0, 8.0),
        }
    )


def features(source: random.Random) -> bytes:
    """Return the features of one event as JSON."""
    numbers: dict[str, object] = {name: round(source.gauss(0.0, 10.0), 3) for name in NUMBERS}
    return msgspec.json.encode(numbers | {name: source.choice(values) for name, values in CATEGORIES.items()})


async def produce(bootstrap: str, topic: str, partitions: int, count: int) -> int:
    """Put the events on a topic, batch by batch over its partitions; return their bytes."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=BATCH_BYTES)
    await producer.start()
    batch, turn, size_bytes = producer.create_batch(), 0, 0
    for ts_ms, value in events(count):
        size_bytes += len(value)
        while batch.append(key=None, value=value, timestamp=ts_ms + TRANSIT_MS) is None:
            batch.close()
            await producer.send_batch(batch, topic, partition=turn % partitions)
            batch, turn = producer.create_batch(), turn + 1
    batch.close()
    await producer.send_batch(batch, topic, partition=turn % partitions)
    await producer.stop()
    return size_bytes
