"""How stage 1's state lies in Kafka, and in what order a flush is written."""

import logging
from collections.abc import Callable, Mapping

from streams.layout import Layout
from streams.partition import Flush, is_newer_checkpoint
from streams.profile import Profile
from streams.stages.fleet import Fleet
from streams.wire import (
    Heartbeat,
    HeartbeatKey,
    PartKey,
    ProfileKey,
    decode_profile_key,
    encode,
    join_parts,
    profile_of,
    row_fence,
    split_parts,
)
from streams.writes import Record, Step

_logger = logging.getLogger(__name__)

CHECKPOINT = b"checkpoint"


def newer(key: bytes, held: bytes, found: bytes) -> bool:
    """At recovery the higher offset wins: a late writer's row must not take anything back."""
    if key == CHECKPOINT:
        return is_newer_checkpoint(held, found)
    return row_fence(found) >= row_fence(held)


def profiles(
    rows: Mapping[bytes, bytes], layout_of: Callable[[str, str], Layout | None]
) -> list[tuple[ProfileKey, Profile]]:
    """Return the open profiles of a partition's rows.

    Parameters
    ----------
    layout_of
        Returns a model's layout by its hash, None if it is not known.
    """
    found = []
    for raw_key, row in rows.items():
        if raw_key == CHECKPOINT:
            continue
        key, parts = decode_profile_key(raw_key), split_parts(row)
        layout = layout_of(key.model, parts[0].layout)
        if layout is None:
            _logger.warning(
                "an open pane of %r is of a layout nobody knows any more; it starts anew", key.model
            )
        else:
            found.append((key, profile_of(layout, parts)))
    return found


def flush_steps(fleet: Fleet, flush: Flush) -> list[Step]:
    """Return what a flush writes; after the last step its chunks may be acknowledged, if it has a checkpoint.

    Each step vouches for the ones before it: the checkpoint for the profiles (and the dead letters, which
    are sent before), the deletion of a closed pane's row for the checkpoint, a heartbeat for the profiles
    it speaks of.
    """
    topic = fleet.topics.profiles.name
    upserts = [
        Record(topic, fleet.profile_partition(key.model), encode(PartKey(key, index)), part)
        for key, parts in flush.profiles
        for index, part in enumerate(parts)
    ]
    beats = [
        Record(topic, fleet.profile_partition(key.model), encode(key), encode(beat))
        for key, beat in flush.heartbeats
    ]
    rows = {encode(key): join_parts(parts) for key, parts in flush.profiles}
    # Rows first: what a judge may have closed is taken up to the bit, not counted anew.
    steps = [Step(rows=rows), Step(upserts)]
    if flush.checkpoint is not None:
        steps += [
            Step(rows={CHECKPOINT: flush.checkpoint}),
            Step(rows=dict.fromkeys(map(encode, flush.closed))),
        ]
    return [*steps, Step(beats)]


def standing_step(
    fleet: Fleet,
    partition: int,
    now_ms: int,
    *,
    caught_up: bool,
    counted_until_ms: int | None = None,
    waiting: int = 0,
) -> Step:
    """Return what tells every judge how this source partition stands, whatever its models."""
    beat = Heartbeat(0, caught_up, 0, 0, now_ms, counted_until_ms=counted_until_ms, waiting=waiting)
    key, value = encode(HeartbeatKey(partition, "")), encode(beat)
    topic = fleet.topics.profiles.name
    return Step([Record(topic, index, key, value) for index in range(fleet.profile_partitions)])
