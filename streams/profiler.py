"""Stage 1, pure: chunks of source partitions in, cumulative profiles, checkpoints and heartbeats out.

Folding reads no clock; ``flush`` is told the time. State belongs to source partitions, so that a
partition can be dropped on revoke and taken up from its checkpoint elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streams.batch import Batch
from streams.codec import ModelCodec
from streams.decode import Decoded, Decoder, Rows
from streams.folding import Folded, fold_chunk, fold_rows
from streams.layout import Layout
from streams.models import Models
from streams.monitor import Monitor
from streams.partition import Flush, PartitionState
from streams.profile import Profile
from streams.wire import Heartbeat, HeartbeatKey, ProfileKey


class Profiler:
    """Folds chunks into profiles for the models it knows.

    Parameters
    ----------
    models
        Monitor and layout by model name.
    """

    def __init__(self, models: Mapping[str, tuple[Monitor, Layout]]) -> None:
        self.partitions: dict[int, PartitionState] = {}
        self._models = Models(models)
        self._decoder = Decoder({name: ModelCodec(*pair) for name, pair in models.items()})

    def layout(self, model: str, pane_start_ms: int) -> Layout:
        """Return the layout in force for a model's pane."""
        return self._models.layout(model, pane_start_ms)

    def relayout(self, layout: Layout, from_ms: int) -> None:
        """Count a model's panes from ``from_ms`` on in a new layout; panes open already stay as they are."""
        self._models.relayout(layout, from_ms)

    def restore(
        self, partition: int, checkpoint: bytes | None, profiles: Iterable[tuple[ProfileKey, Profile]]
    ) -> None:
        """Take up a partition where its checkpoint left it; profiles may be ahead of it, by their fences."""
        self.partitions[partition] = PartitionState.restored(partition, self._models, checkpoint, profiles)

    def drop(self, partition: int) -> None:
        """Forget a partition that is no longer ours."""
        self.partitions.pop(partition, None)

    def fold_records(
        self,
        partition: int,
        values: Sequence[bytes | None],
        offsets: NDArray[np.int64],
        record_ms: NDArray[np.int64],
    ) -> Folded:
        """Decode and count a chunk of a source partition; offsets ascend."""
        state = self._state(partition)
        # After a crash a chunk may begin with records that the checkpoint has passed.
        fresh = int(np.searchsorted(offsets, state.next_offset))
        if fresh == len(offsets):
            return Folded()
        values, offsets, record_ms = values[fresh:], offsets[fresh:], record_ms[fresh:]
        folded = fold_chunk(state, self._decoder.decode(values, offsets, record_ms), offsets, record_ms)
        # Rows are those of the chunk as it came, whose records become dead letters.
        folded.bad = [replace(one, row=one.row + fresh) for one in folded.bad]
        return folded

    def fold_decoded(
        self, partition: int, decoded: Decoded, offsets: NDArray[np.int64], record_ms: NDArray[np.int64]
    ) -> Folded:
        """Count a chunk that is decoded already, as replay has it; each row comes once."""
        return fold_chunk(self._state(partition), decoded, offsets, record_ms)

    def fold_batch(self, partition: int, model: str, batch: Batch) -> Folded:
        """Count rows that are columns already, as replay has them."""
        state, folded = self._state(partition), Folded()
        if len(batch):
            fold_rows(state, model, Rows(np.arange(len(batch), dtype=np.intp), batch), folded)
            state.next_offset = int(batch.offsets[-1]) + 1
        return folded

    def flush(self, partition: int, now_ms: int, *, caught_up: bool, said_ms: int | None = None) -> Flush:
        """Return what changed since the last flush; see `PartitionState.flush`."""
        return self.partitions[partition].flush(now_ms, caught_up=caught_up, said_ms=said_ms)

    def flush_closed(
        self, partition: int, now_ms: int, *, caught_up: bool, said_ms: int | None = None
    ) -> Flush:
        """Return what the judge waits for; see `PartitionState.flush_closed`."""
        return self.partitions[partition].flush_closed(now_ms, caught_up=caught_up, said_ms=said_ms)

    def take_closed(
        self, partition: int, now_ms: int
    ) -> tuple[list[tuple[ProfileKey, Profile]], list[tuple[HeartbeatKey, Heartbeat]]]:
        """Return what is final, for a judge in this process; see `PartitionState.take_closed`."""
        return self.partitions[partition].take_closed(now_ms)

    def close_all(self) -> None:
        """Move every watermark past what is open: the input has ended (replay)."""
        for state in self.partitions.values():
            state.close_all()

    def _state(self, partition: int) -> PartitionState:
        return self.partitions.setdefault(partition, PartitionState(partition, self._models))
