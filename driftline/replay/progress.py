"""How far a replay is, drawn while it runs."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from driftline.history.rows import UNKNOWN_MS
from streams.views import rfc3339


class Watcher(Protocol):
    """Told how far a replay is."""

    def advance(self, path: Path, bytes_read: int, rows: int, event_ms: int) -> None:
        """Take note: ``bytes_read`` of this file, ``rows`` over all files, event time reached (epoch ms)."""


class ProgressBar(AbstractContextManager["ProgressBar"]):
    """A bar on stderr: share of the bytes, rows a second, event time reached.

    Nothing is drawn if stderr is no terminal, or with ``quiet``.
    """

    def __init__(self, files: Sequence[Path], *, quiet: bool = False, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._sizes = {path: path.stat().st_size for path in files if path.is_file()}
        self._done: dict[Path, int] = {}
        self._began_s = time.monotonic()
        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[rate]} rows/s"),
            TextColumn("at {task.fields[at]}"),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        self._task: TaskID = self._bar.add_task(
            "replay", total=max(sum(self._sizes.values()), 1), rate="0", at="the beginning"
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, path: Path, bytes_read: int, rows: int, event_ms: int) -> None:
        """Redraw the bar."""
        self._done[path] = min(bytes_read, self._sizes.get(path, bytes_read))
        rate = rows / max(time.monotonic() - self._began_s, 1e-3)
        at = "an unknown time" if event_ms == UNKNOWN_MS else rfc3339(event_ms)
        self._bar.update(self._task, completed=sum(self._done.values()), rate=f"{rate:,.0f}", at=at)
