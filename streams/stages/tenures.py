"""What a judge says beside its verdicts, so that the desk hears the owner of each partition and no other.

Pure, but for `take_over`. `alerts.tenure` says why it holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from alerts.tenure import Tenure, opening
from streams.stages.sender import Sender
from streams.writes import Record, Step

#: How often an owner states its epoch, and tells again what it knows.
STATED_EVERY_MS = 60_000


async def take_over(sender: Sender, topic: str, partitions: Iterable[int]) -> dict[int, Tenure]:
    """Take partitions over, and return when the desk hears nobody else about them any more."""
    taken = sorted(partitions)
    placed = await sender.send(opening_record(topic, partition) for partition in taken)
    tenures = {partition: Tenure(partition, one.offset) for partition, one in zip(taken, placed, strict=True)}
    for tenure in tenures.values():
        await sender.send(first_statements(topic, tenure))
    return tenures


def opening_record(topic: str, partition: int) -> Record:
    """Return the record whose offset becomes an epoch."""
    return Record(topic, 0, opening(partition), b"")


def statement(topic: str, tenure: Tenure) -> Record:
    """Return the record by which an owner says that it is."""
    return Record(topic, 0, tenure.statement, b"")


def first_statements(topic: str, tenure: Tenure) -> list[Record]:
    """Return what an owner says as it takes over: twice, as in a topic made anew its epoch is a low one."""
    return [statement(topic, tenure)] * 2


def signed(topic: str, tenure: Tenure | None, steps: Sequence[Step]) -> list[Step]:
    """Return steps whose upserts say whose they are."""
    if tenure is None:
        return list(steps)
    return [replace(step, records=[_signed(topic, tenure, one) for one in step.records]) for step in steps]


def _signed(topic: str, tenure: Tenure, record: Record) -> Record:
    if record.topic != topic or not record.value:
        return record
    return record._replace(key=tenure.key_of((record.key or b"").decode()))
