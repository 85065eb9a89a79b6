"""Sending records, and knowing that the broker has them."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

from streams.writes import Record


class Sender:
    """Sends through the app's own producer. A record that cannot be sent ends the stage: it recovers."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def send(self, records: Iterable[Record]) -> list[Any]:
        """Send records, in order per partition; when all are confirmed, return where each one is."""
        return await asyncio.gather(*await self._sent(records))

    async def try_send(self, records: Iterable[Record]) -> list[BaseException | None]:
        """Send records, and return what the broker said against each of them."""
        found = await asyncio.gather(*await self._sent(records), return_exceptions=True)
        return [one if isinstance(one, BaseException) else None for one in found]

    def knows(self, topic: str) -> bool:
        """Return whether the cluster has a topic, by what it said last."""
        return self._app.producer._producer.client.cluster.partitions_for_topic(topic) is not None

    async def _sent(self, records: Iterable[Record]) -> list[Awaitable[Any]]:
        producer = self._app.producer
        return [
            await producer.send(topic, key, value, partition, None, list(headers))
            for topic, partition, key, value, headers in records
        ]
