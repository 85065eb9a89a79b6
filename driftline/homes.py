"""Temporary directories that go with their owner, also when that was killed."""

import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import Self

PREFIX = "driftline-run-"
_LOCK = "owner.lock"


class Home:
    """A temporary directory, locked while its owner lives; the dead's are removed on the way."""

    def __init__(self) -> None:
        remove_stale_homes()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        # Locked before it has the name the others look for, so that none can take it for a dead owner's.
        unnamed = self.path / f"{_LOCK}.new"
        self._lock = unnamed.open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(self.path / _LOCK)

    def remove(self) -> None:
        """Remove the directory with all it holds."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()

    def folder(self, name: str) -> Path:
        """Return a new folder inside."""
        path = self.path / name
        path.mkdir()
        return path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def remove_stale_homes() -> list[Path]:
    """Remove the directories of owners that died without doing so; return them."""
    removed = []
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            with (path / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)
                removed.append(path)
        except OSError:
            # Locked: its owner lives. Not there: just made, or just removed by somebody else.
            continue
    return removed
