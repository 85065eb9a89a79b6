"""Consumers we compare ourselves with that live in an environment of their own (`requirements.txt` here).

Each reads the topic as its own documentation says one should, and is given large fetches.
"""

import sys
from collections.abc import Callable
from typing import Any

from meter import Job, Meter, job_from_arguments


def librdkafka(job: Job) -> None:
    """Consume raw messages in lists of 10,000."""
    from confluent_kafka import Consumer

    consumer = Consumer(
        {
            "bootstrap.servers": job.bootstrap,
            "group.id": f"{job.prefix}-librdkafka",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 6000,
            "max.partition.fetch.bytes": 4 * 1024 * 1024,
        }
    )
    consumer.subscribe([job.topic])
    meter = Meter(job)
    while True:
        messages = consumer.consume(10_000, timeout=1.0)
        if messages:
            meter.take(len(messages))


def quix(job: Job) -> None:
    """Decode JSON in a streaming dataframe."""
    from quixstreams import Application

    app = Application(
        broker_address=job.bootstrap,
        consumer_group=f"{job.prefix}-quix",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="WARNING",
        consumer_extra_config={"session.timeout.ms": 6000, "max.partition.fetch.bytes": 4 * 1024 * 1024},
    )
    meter = Meter(job)

    def count(_event: Any) -> None:
        meter.take(1)

    app.dataframe(app.topic(job.topic, value_deserializer="json")).update(count)
    app.run()


def bytewax(job: Job) -> None:
    """Decode JSON with orjson in a dataflow."""
    import orjson
    from bytewax import operators
    from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
    from bytewax.dataflow import Dataflow
    from bytewax.outputs import DynamicSink, StatelessSinkPartition
    from bytewax.testing import run_main

    meter = Meter(job)

    class Count(StatelessSinkPartition[Any]):
        def write_batch(self, items: list[Any]) -> None:
            meter.take(len(items))

    class Counter(DynamicSink[Any]):
        def build(self, step_id: str, worker_index: int, worker_count: int) -> Count:
            return Count()

    def decode(message: KafkaSourceMessage[Any, Any]) -> Any:
        return orjson.loads(message.value)

    source = KafkaSource(
        [job.bootstrap], [job.topic], batch_size=10_000,
        add_config={"max.partition.fetch.bytes": str(4 * 1024 * 1024)},
    )  # fmt: skip
    flow = Dataflow("bench")
    stream = operators.input("in", flow, source)
    operators.output("out", operators.map("decode", stream, decode), Counter())
    run_main(flow)


PEERS: dict[str, Callable[[Job], None]] = {"librdkafka": librdkafka, "quix": quix, "bytewax": bytewax}
NOT_INSTALLED = 42

if __name__ == "__main__":
    name, job = job_from_arguments()
    try:
        PEERS[name](job)
    except ImportError as missing:
        print(missing, file=sys.stderr)
        sys.exit(NOT_INSTALLED)
