"""Stage 1 over a dict of rows instead of topics: what survives a crash is what was written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from streams.folding import Folded
from streams.layout import Layout
from streams.monitor import Monitor
from streams.partition import Flush
from streams.profile import Profile
from streams.profiler import Profiler
from streams.wire import Heartbeat, HeartbeatKey, ProfileKey, decode_part, profile_of

Record = tuple[bytes | None, int]
Models = Mapping[str, tuple[Monitor, Layout]]


@dataclass
class Rows:
    """What a source partition has in its changelog, and what was sent to the judge."""

    checkpoint: bytes | None = None
    open: dict[ProfileKey, list[bytes]] = field(default_factory=dict)
    sent: dict[ProfileKey, tuple[int, list[bytes]]] = field(default_factory=dict)
    heartbeats: list[tuple[HeartbeatKey, Heartbeat]] = field(default_factory=list)

    def write(self, flush: Flush, *, rows: int | None = None, upserts: int | None = None) -> None:
        """Write a flush; with numbers the worker dies after so many rows and upserts, before the checkpoint."""
        self.open.update(flush.profiles[:rows])
        for key, parts in flush.profiles[:upserts]:
            fence = decode_part(parts[0]).fence
            if fence > self.sent.get(key, (-1, []))[0]:
                self.sent[key] = (fence, parts)
        if rows is None and upserts is None:
            self.checkpoint = flush.checkpoint or self.checkpoint
            for key in flush.closed:
                self.open.pop(key, None)
            self.heartbeats += flush.heartbeats

    def profiles(self, layout: Callable[[str, int], Layout]) -> list[tuple[ProfileKey, Profile]]:
        """Return the open profiles, read back."""
        return [
            (key, profile_of(layout(key.model, key.pane_start_ms), [decode_part(raw) for raw in parts]))
            for key, parts in self.open.items()
        ]

    def final(self, profiler: Profiler) -> dict[ProfileKey, Profile]:
        """Return what the judge holds in the end."""
        return {
            key: profile_of(
                profiler.layout(key.model, key.pane_start_ms), [decode_part(raw) for raw in parts]
            )
            for key, (_, parts) in self.sent.items()
        }


def fold(profiler: Profiler, log: list[Record], low: int, high: int, partition: int = 0) -> Folded:
    """Fold records ``low`` to ``high`` of a log whose offsets are its positions."""
    chunk = log[low:high]
    return profiler.fold_records(
        partition,
        [value for value, _ in chunk],
        np.arange(low, low + len(chunk), dtype=np.int64),
        np.array([at for _, at in chunk], dtype=np.int64),
    )


def one_pass(models: Models, log: list[Record]) -> dict[ProfileKey, Profile]:
    """Return the profiles of a log folded at once."""
    profiler, rows = Profiler(models), Rows()
    fold(profiler, log, 0, len(log))
    rows.write(profiler.flush(0, 0, caught_up=False))
    return rows.final(profiler)


def with_crashes(
    models: Models, log: list[Record], steps: list[tuple[int, str, int, int]]
) -> tuple[Rows, Profiler]:
    """Fold a log in steps of (records, what then, rows and upserts written before a crash).

    What then: "fold" nothing more, "flush", "hurry" (only what has closed is sent), "crash", or
    "hurried crash": after what has closed was sent.
    """
    profiler, rows = Profiler(models), Rows()
    at = 0
    for records, ending, written, sent in steps:
        fold(profiler, log, at, at + records)
        at = min(at + records, len(log))
        if ending == "flush":
            rows.write(profiler.flush(0, 0, caught_up=False))
        elif ending == "hurry":
            rows.write(profiler.flush_closed(0, 0, caught_up=False))
        elif ending.endswith("crash"):
            whole = ending == "crash"
            flush = (profiler.flush if whole else profiler.flush_closed)(0, 0, caught_up=False)
            rows.write(flush, rows=written, upserts=sent)
            profiler = Profiler(models)
            profiler.restore(0, rows.checkpoint, rows.profiles(profiler.layout))
            at = profiler.partitions[0].next_offset
    while at < len(log):
        fold(profiler, log, at, at + 7)
        at += 7
    if 0 in profiler.partitions:
        rows.write(profiler.flush(0, 0, caught_up=False))
    return rows, profiler
