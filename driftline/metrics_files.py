"""The files in which a stage counts for its worker's page; a full disk costs what they show, not the stage.

prometheus_client lets such a file grow without taking the room, and writes into its memory map: where the disk
is full then, the kernel ends the process with SIGBUS. Here the room is taken first, and what finds none is kept in
this process, unseen, until it starts again.
"""

import logging
import os

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

_logger = logging.getLogger(__name__)

FIRST_BYTES = 1 << 16
#: Of an entry: its key's length, its padding, its value and its time.
ENTRY_BYTES = 4 + 8 + 16


class RoomyDict(MmapedDict):
    """A file of metrics that writes only where it has taken the room."""

    #: One warning a process is enough, however many files and series find no room.
    _warned = False

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._unseen: dict[str, tuple[float, float]] = {}
        self._has_file = read_mode or _take_room(filename, FIRST_BYTES)
        if self._has_file:
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def read_value(self, key: str) -> tuple[float, float]:
        """Return a value and its time; both 0 for a new key."""
        if self._is_seen(key):
            found: tuple[float, float] = super().read_value(key)  # type: ignore[no-untyped-call]
            return found
        return self._unseen[key]

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Write a value where there is room for it, else keep it."""
        if self._is_seen(key):
            super().write_value(key, value, timestamp)  # type: ignore[no-untyped-call]
        else:
            self._unseen[key] = (value, timestamp)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._has_file:
            super().close()  # type: ignore[no-untyped-call]

    def _is_seen(self, key: str) -> bool:
        if key in self._unseen:
            return False
        if self._has_file and (key in self._positions or self._has_room(key)):
            return True
        self._unseen[key] = (0.0, 0.0)
        return False

    def _has_room(self, key: str) -> bool:
        needed = self._used + len(key.encode()) + ENTRY_BYTES
        return needed <= self._capacity or _take_room(self._fname, 2 * self._capacity)


def count_in_files(stage: str) -> None:
    """Have the metrics that are made from now on counted in files named after a stage.

    A stage that starts again goes on counting in the same files.
    """
    values.MmapedDict = RoomyDict  # type: ignore[attr-defined]
    values.ValueClass = values.MultiProcessValue(lambda: stage)  # type: ignore[no-untyped-call]


def _take_room(path: str, size_bytes: int) -> bool:
    """Take the room for a file of this size; say once where there is none."""
    if not hasattr(os, "posix_fallocate"):
        return True
    try:
        with open(path, "ab") as file:
            os.posix_fallocate(file.fileno(), 0, size_bytes)
    except OSError as error:
        if not RoomyDict._warned:
            RoomyDict._warned = True
            _logger.error(
                "metrics cannot be written to %s (%s): the stage goes on, and its new series are not shown; "
                "free some space there, or have TMPDIR name another folder, and restart the stage",
                os.path.dirname(path), error.strerror,
            )  # fmt: skip
        return False
    return True
