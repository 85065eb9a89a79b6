"""A stage whose wall clock can be stepped: the real command line, with ``time.time`` so much ahead as a file says.

``python stepped.py FILE worker --stage profile``: the file holds seconds as an IEEE double, and is mapped into
memory, so that a step is seen at once. The monotonic clock is left alone, as a stepped machine's is.
"""

import mmap
import struct
import sys
import time
from pathlib import Path

_SECONDS = struct.Struct("<d")


def step(file: Path, ahead_s: float) -> None:
    """Put the wall clock of the stages that watch the file so many seconds ahead of the real one."""
    with file.open("r+b" if file.exists() else "w+b") as raw:
        raw.write(_SECONDS.pack(ahead_s))


def _lie(file: str) -> None:
    with open(file, "rb") as raw:
        held = mmap.mmap(raw.fileno(), _SECONDS.size, access=mmap.ACCESS_READ)
    real, real_ns = time.time, time.time_ns

    def ahead_s() -> float:
        found: float = _SECONDS.unpack_from(held)[0]
        return found

    time.time = lambda: real() + ahead_s()
    time.time_ns = lambda: real_ns() + round(ahead_s() * 1e9)


if __name__ == "__main__":
    _lie(sys.argv.pop(1))
    from driftline.cli import main

    main()
