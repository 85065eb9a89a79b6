"""Sending records, and knowing that the broker has them."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

#: topic, partition (None: by key), key, value
Record = tuple[str, int | None, bytes | None, bytes | None]
Headers = Sequence[tuple[str, bytes]]


class Sender:
    """Sends through the app's own producer. A record that cannot be sent ends the stage: it recovers."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def send(self, records: Iterable[Record]) -> list[Any]:
        """Send records, in order per partition; when all are confirmed, return where each one is."""
        return await self.send_with_headers((*record, ()) for record in records)

    async def send_with_headers(
        self, records: Iterable[tuple[str, int | None, bytes | None, bytes | None, Headers]]
    ) -> list[Any]:
        """Send records with headers; when all are confirmed, return where each one is."""
        producer = self._app.producer
        sent = [
            await producer.send(topic, key, value, partition, None, list(headers))
            for topic, partition, key, value, headers in records
        ]
        return await asyncio.gather(*sent)
