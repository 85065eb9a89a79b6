"""How the join's state and outcomes lie in Kafka, and in what order a flush is written."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from streams.joins.join import JoinCheckpoint, JoinFlush
from streams.joins.model_join import PairKey
from streams.joins.pair import Pair
from streams.joins.plan import JoinPlan
from streams.joins.records import JoinRecord, encode, place
from streams.joins.wire import outcome_row
from streams.stages.fleet import Fleet
from streams.wire import OutcomeKey
from streams.wire import encode as encode_row
from streams.writes import Record, Step

CHECKPOINT = b"checkpoint"


class RowKey(msgspec.Struct, frozen=True, array_like=True):
    """Row key of a pair: model, id, and the offset it was born at."""

    model: str
    id: str
    born: int


class _Fenced(msgspec.Struct, array_like=True):
    born: int
    fence: int


_checkpoint = msgspec.msgpack.Decoder(JoinCheckpoint)
_fenced = msgspec.msgpack.Decoder(_Fenced)
_pair = msgspec.msgpack.Decoder(Pair)
_row_key = msgspec.msgpack.Decoder(RowKey)


def join_records(
    fleet: Fleet, plans: Mapping[str, JoinPlan], records: Iterable[JoinRecord]
) -> Iterator[Record]:
    """Yield what goes to ``driftline.joins``: of models whose labels are joined, what is in the sample."""
    for one in records:
        plan = plans.get(one.model)
        if plan is not None:
            number, share = place(one.model, one.id)
            if share < plan.sample:
                yield Record(fleet.topics.joins.name, number % fleet.join_partitions, None, encode(one))


def newer(key: bytes, held: bytes, found: bytes) -> bool:
    """At recovery the higher offset wins: a late writer's row must not take anything back."""
    if key == CHECKPOINT:
        return _checkpoint.decode(found).next_offset >= _checkpoint.decode(held).next_offset
    return _fenced.decode(found).fence >= _fenced.decode(held).fence


def state(rows: Mapping[bytes, bytes]) -> tuple[JoinCheckpoint, Iterator[tuple[str, str, Pair]]]:
    """Return a partition's checkpoint, and its pairs with model and id."""
    raw = rows.get(CHECKPOINT)
    checkpoint = JoinCheckpoint(0, {}) if raw is None else _checkpoint.decode(raw)
    return checkpoint, _pairs(rows)


def _pairs(rows: Mapping[bytes, bytes]) -> Iterator[tuple[str, str, Pair]]:
    for raw_key, value in rows.items():
        if raw_key != CHECKPOINT:
            key = _row_key.decode(raw_key)
            yield key.model, key.id, _pair.decode(value)


def flush_steps(fleet: Fleet, partition: int, flush: JoinFlush) -> list[Step]:
    """Return what a flush writes, in the order of `JoinFlush`; then its chunks may be acknowledged."""
    topic = fleet.topics.profiles.name
    outcomes = [
        Record(
            topic,
            fleet.profile_partition(model),
            encode_row(OutcomeKey(partition, model, *group)),
            encode_row(outcome_row(flush.checkpoint.next_offset, one)),
        )
        for (model, group), one in flush.outcomes.items()
    ]
    return [
        Step(outcomes),
        Step(rows={_row(model, key): encode_row(pair) for (model, key), pair in flush.held.items()}),
        Step(rows={CHECKPOINT: encode_row(flush.checkpoint)}),
        Step(rows={_row(model, key): None for model, key in flush.let_go}),
    ]


def _row(model: str, key: PairKey) -> bytes:
    return encode_row(RowKey(model, key.id, key.born))
