"""Sending records, and knowing that the broker has them."""

import asyncio
from collections.abc import Iterable
from typing import Any

from streams.writes import Record


class Sender:
    """Sends through the app's own producer. A record that cannot be sent ends the stage: it recovers."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def send(self, records: Iterable[Record]) -> list[Any]:
        """Send records, in order per partition; when all are confirmed, return where each one is."""
        producer = self._app.producer
        sent = [
            await producer.send(topic, key, value, partition, None, list(headers))
            for topic, partition, key, value, headers in records
        ]
        return await asyncio.gather(*sent)
