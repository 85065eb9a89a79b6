"""Send the predictions, and then their labels, through Kafka.

    python examples/weather/produce.py --brokers localhost:9092

Event times are those of the table: 1958 to 1998. Each label follows a day after its prediction.
"""

import argparse
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet
from kafka import KafkaProducer
from train import FEATURES, HERE


def predictions(table: Path) -> Iterator[dict[str, Any]]:
    """Yield prediction events, oldest first."""
    for row in _rows(table):
        yield {
            "id": row["id"],
            "model": row["model"],
            "version": row["version"],
            "ts": _rfc3339(row["ts"]),
            "features": {name: row[name] for name in FEATURES},
            "prediction": row["prediction"],
        }


def labels(table: Path) -> Iterator[dict[str, Any]]:
    """Yield label events: 1 where it rained."""
    for row in _rows(table):
        ts = _rfc3339(row["ts"] + timedelta(days=1))
        yield {"id": row["id"], "model": row["model"], "label": row["label"], "ts": ts}


def _rows(table: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(table).to_pylist()
    return rows


def _rfc3339(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def main() -> None:
    """Send everything, and wait until the broker has it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--brokers", required=True, help="host:port, several separated by commas")
    parser.add_argument("--table", type=Path, default=HERE / "predictions.parquet")
    parser.add_argument("--prefix", default="driftline", help="prefix of the topics")
    asked = parser.parse_args()
    producer = KafkaProducer(bootstrap_servers=asked.brokers.split(","), linger_ms=20)
    for topic, events in (("predictions", predictions(asked.table)), ("labels", labels(asked.table))):
        sent = [
            producer.send(
                f"{asked.prefix}.{topic}", value=msgspec.json.encode(event), key=event["id"].encode()
            )
            for event in events
        ]
        for delivery in sent:
            delivery.get(timeout=60)
        print(f"{asked.prefix}.{topic}: {len(sent):,} events")
    producer.close()


if __name__ == "__main__":
    main()
