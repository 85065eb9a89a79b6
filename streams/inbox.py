"""The judge's inbox for one model: the latest profile of every source partition, until panes close."""

from dataclasses import dataclass, field

import msgspec

from streams.profile import Profile
from streams.watermark import NEVER_MS
from streams.wire import Heartbeat, Part, PartKey, ProfileKey, latest

Group = tuple[str, str]


class Progress(msgspec.Struct):
    """What one source partition last said of the model.

    ``former``: it was said of a source that is gone; the partition of that number begins anew, and has not
    spoken yet.
    """

    watermark_ms: int = NEVER_MS
    idle: bool = False
    last_event_ms: int = NEVER_MS
    last_record_ms: int = NEVER_MS
    former: bool = False


@dataclass(slots=True)
class ReadyPane:
    """A pane all source partitions are done with: by version and segment, each partition's parts, or its profile."""

    start_ms: int
    groups: dict[Group, list[list[Part] | Profile]] = field(default_factory=dict)
    incomplete: int = 0


class Inbox:
    """Upserts in any order, with repeats; panes out, once each, in order of event time.

    A lower fence than the one held is ignored, so that repeats and late writers change nothing.
    """

    def __init__(self, pane_ms: int) -> None:
        self.pane_ms = pane_ms
        self.progress: dict[int, Progress] = {}
        self.closed_until_ms = NEVER_MS
        self.too_late = 0
        self._open: dict[ProfileKey, dict[int, Part] | Profile] = {}

    def __len__(self) -> int:
        return len(self._open)

    def put(self, key: PartKey, part: Part) -> bool:
        """Take one part of a profile; False if it changed nothing (old fence, or a closed pane)."""
        if key.profile.pane_start_ms + self.pane_ms <= self.closed_until_ms:
            self.too_late += part.rows[0] if key.part == 0 else 0
            return False
        held = self._open.setdefault(key.profile, {})
        if isinstance(held, Profile):
            return False
        previous = held.get(key.part)
        if previous is not None and previous.fence >= part.fence:
            return False
        held[key.part] = part
        return True

    def put_whole(self, key: ProfileKey, profile: Profile) -> None:
        """Take a final profile from a profiler in this process; nobody changes it from now on."""
        self._open[key] = profile

    def heard(self, partition: int, heartbeat: Heartbeat) -> bool:
        """Take a source partition's progress; watermarks never go back. False if it is older than what is known."""
        progress = self.progress.setdefault(partition, Progress())
        progress.former = False
        is_newest = heartbeat.watermark_ms >= progress.watermark_ms
        if is_newest:
            # One from behind is old, and what it says of idleness with it.
            progress.watermark_ms, progress.idle = heartbeat.watermark_ms, heartbeat.idle
        progress.last_event_ms = max(progress.last_event_ms, heartbeat.last_event_ms)
        progress.last_record_ms = max(progress.last_record_ms, heartbeat.last_record_ms)
        return is_newest

    @property
    def watermark_ms(self) -> int:
        """The least watermark of the partitions that are not idle; when all are, the greatest."""
        busy = [one.watermark_ms for one in self.progress.values() if not one.idle]
        if busy:
            return min(busy)
        return max((one.watermark_ms for one in self.progress.values()), default=NEVER_MS)

    @property
    def spoken(self) -> set[int]:
        """Source partitions that have spoken of the model."""
        return {partition for partition, one in self.progress.items() if not one.former}

    @property
    def oldest_open_ms(self) -> int | None:
        """Start of the oldest open pane."""
        return min((key.pane_start_ms for key in self._open), default=None)

    def ready(self) -> list[ReadyPane]:
        """Close and return the panes that lie before the watermark, oldest first."""
        watermark_ms = self.watermark_ms
        panes: dict[int, ReadyPane] = {}
        for key in sorted(k for k in self._open if k.pane_start_ms + self.pane_ms <= watermark_ms):
            pane = panes.setdefault(key.pane_start_ms, ReadyPane(key.pane_start_ms))
            held = self._open.pop(key)
            parts = held if isinstance(held, Profile) else latest(held)
            if parts is None:
                pane.incomplete += 1
            else:
                pane.groups.setdefault((key.version, key.segment), []).append(parts)
        if panes:
            self.closed_until_ms = max(self.closed_until_ms, max(panes) + self.pane_ms)
        return [panes[start] for start in sorted(panes)]
