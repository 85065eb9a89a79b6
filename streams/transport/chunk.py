"""What a chunk is, how a topic is declared to come in chunks, and how a chunk is acknowledged."""

from dataclasses import dataclass
from typing import Any

import faust

MAX_ROWS = 10_000
MAX_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive records of one partition, as columns of equal length, at least one row.

    Offsets ascend; they have holes where the broker compacted or keeps transaction markers.

    Parameters
    ----------
    timestamps_ms
        Broker or producer time of each record, epoch milliseconds.
    keys, values
        Raw bytes, None where the record has none (a tombstone's value).

    Examples
    --------
    >>> chunk = Chunk("events", 0, [7, 9], [1000, 1001], [None, b"k"], [b"a", b"b"])
    >>> len(chunk), chunk.first_offset, chunk.last_offset
    (2, 7, 9)
    """

    topic: str
    partition: int
    offsets: list[int]
    timestamps_ms: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def first_offset(self) -> int:
        """Offset of the first record."""
        return self.offsets[0]

    @property
    def last_offset(self) -> int:
        """Offset of the last record."""
        return self.offsets[-1]


class ChunkSchema(faust.Schema):  # type: ignore[misc]  # faust is untyped here
    """Declares a topic to come in chunks: ``app.topic(name, schema=ChunkSchema())``.

    Parameters
    ----------
    max_rows
        Records a chunk holds at most, at least 1.
    max_bytes
        A chunk is closed by the record whose value brings it to this size; so it exceeds the bound
        by less than one record.
    """

    def __init__(self, *, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> None:
        if max_rows < 1 or max_bytes < 1:
            raise ValueError(f"a chunk holds at least one record: max_rows={max_rows}, max_bytes={max_bytes}")
        super().__init__(key_serializer="raw", value_serializer="raw")
        self.max_rows = max_rows
        self.max_bytes = max_bytes

    def loads_key(self, app: Any, message: Any, **options: Any) -> None:
        """Return None: a chunk has no key of its own."""

    def loads_value(self, app: Any, message: Any, **options: Any) -> Chunk:
        """Return the chunk as the consumer built it."""
        chunk: Chunk = message.value
        return chunk


def chunk_topic(
    app: Any, name: str, *, maxsize: int = 8, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES
) -> Any:
    """Return the Faust topic ``name``, delivered in chunks.

    Parameters
    ----------
    app, name
        The Faust app, and the topic as Kafka knows it.
    maxsize
        Chunks that may wait for the agent; fetching of a partition pauses at 4/5 of it and goes on
        at 2/5. Memory is bounded by about ``(maxsize + partitions) * max_bytes``.
    max_rows, max_bytes
        Bounds of a chunk, see `ChunkSchema`.
    """
    schema = ChunkSchema(max_rows=max_rows, max_bytes=max_bytes)
    topic = app.topic(name, schema=schema)
    topic.maxsize = maxsize  # `App.topic` takes this argument and drops it
    return topic


class Receipt:
    """What it takes to acknowledge a chunk later, without holding its records till then.

    Keep the receipt and let go of the event. Receipts may be acknowledged in any order; one of a
    partition that has been revoked meanwhile does nothing.
    """

    __slots__ = ("_consumer", "_message", "last_offset", "partition", "topic")

    def __init__(self, event: Any) -> None:
        self._consumer = event.app.consumer
        self._message = event.message
        self._message.value = None
        self.topic: str = self._message.topic
        self.partition: int = self._message.partition
        self.last_offset: int = self._message.offset

    def ack(self) -> None:
        """Mark the chunk as done; the next commit may pass it."""
        self._message.ack(self._consumer)
