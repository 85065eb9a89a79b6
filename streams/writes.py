"""What a stage writes, as data: steps, each of which waits until the one before it is confirmed.

A shell carries steps out against Kafka; a simulated world does so against a broker of its own, and
breaks off wherever it likes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Headers = Sequence[tuple[str, bytes]]


class Record(NamedTuple):
    """A record to send; a ``partition`` of None is chosen by the key."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Writes that may go out together: records, and changes of the stage's own rows (None deletes)."""

    records: Sequence[Record] = ()
    rows: Mapping[bytes, bytes | None] = field(default_factory=dict)
