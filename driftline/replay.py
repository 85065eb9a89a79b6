"""Replay: the pipeline over files, in event time, as fast as it goes. It sends nothing."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from alerts.config import Config
from driftline.errors import DriftlineError
from driftline.rehearsal import Rehearsal
from driftline.replay_report import ReplayReport
from driftline.rows import UNKNOWN_MS
from driftline.tabular import Chunk, Reading, read
from driftline.virtual_time import VirtualTime
from streams.alerting import Links
from streams.judge import Judged
from streams.publish import verdict_row
from streams.stages.fleet import Watched
from streams.views import AlertRow, rfc3339


class ReplayError(DriftlineError):
    """A replay that can't begin, or came to nothing."""


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


class _Outputs:
    """Where transitions and verdicts go: files, the report, the rehearsed desk."""

    def __init__(
        self,
        report: ReplayReport,
        rehearsal: Rehearsal | None,
        alerts: "_Lines | None",
        verdicts: "_Lines | None",
    ) -> None:
        self._report = report
        self._rehearsal = rehearsal
        self._alerts = alerts
        self._verdicts = verdicts

    def emit(self, model: str, judged: Judged, at_ms: int) -> None:
        """Take what a judge said at a virtual time."""
        self._report.panes[model] += len(judged.panes)
        self._report.verdicts += len(judged.verdicts)
        if self._verdicts is not None:
            for group, verdict_ms, verdict in judged.verdicts:
                row = verdict_row(model, group, verdict_ms, verdict)
                self._verdicts.write(row.model_dump_json())
        for upsert in judged.alerts:
            if self._rehearsal is not None:
                self._rehearsal.upsert(upsert, at_ms)
            if self._report.transition(upsert) and self._alerts is not None:
                self._alerts.write(AlertRow.of(upsert).model_dump_json())


def replay(
    files: Sequence[Path],
    watched: Mapping[str, Watched],
    *,
    mapping: Mapping[str, str] | None = None,
    alerting: Config | None = None,
    links: Links | None = None,
    alerts_out: Path | None = None,
    verdicts_out: Path | None = None,
    progress: Watcher | None = None,
) -> ReplayReport:
    """Run files of predictions through the pipeline, and return what came of it.

    Parameters
    ----------
    files
        Parquet, CSV or JSON lines, in the order of time; rows far behind others count as late.
    watched
        The monitors, by model.
    mapping
        Which column holds what, see `driftline.tabular`.
    alerting
        With one, the alert desk is rehearsed; the report says what it would have sent.
    alerts_out, verdicts_out
        Files to write, JSON lines: one line an alert begins or ends, one line a verdict.

    Raises
    ------
    DriftlineError
        If there is nothing to watch or no row, or a file cannot be read or written.

    Notes
    -----
    Ctrl-C ends it early: what was written is flushed, and the report says ``interrupted``.
    """
    if not files:
        raise ReplayError("no file to replay; name one, e.g. driftline replay november.parquet")
    if not watched:
        raise ReplayError("no monitor to replay against; write one into the monitors folder")
    report = ReplayReport(files=tuple(files), rehearsed=alerting is not None)
    links = links or Links()
    rehearsal = None if alerting is None else Rehearsal(alerting, external_url=links.public_url)
    reading = Reading()
    began_s = time.monotonic()
    with ExitStack() as opened:
        outputs = _Outputs(report, rehearsal, *(_opened(opened, path) for path in (alerts_out, verdicts_out)))
        pipeline = VirtualTime(watched, outputs.emit, links)
        try:
            for path, chunk in read(files, watched, mapping=mapping or {}, reading=reading):
                _count_rows(report, chunk)
                for folded in pipeline.take(chunk):
                    report.count(folded)
                if progress is not None:
                    progress.advance(path, chunk.bytes_read, report.rows, pipeline.now_ms)
            pipeline.finish()
            if rehearsal is not None and report.rows:
                rehearsal.finish(pipeline.now_ms)
        except KeyboardInterrupt:
            report.interrupted = True
    report.seconds = time.monotonic() - began_s
    report.notes = list(reading.notes)
    report.notifications = [] if rehearsal is None else rehearsal.sent
    if not report.rows and not report.interrupted:
        raise ReplayError(f"no rows in {', '.join(map(str, files))}; nothing was replayed")
    return report


def _count_rows(report: ReplayReport, chunk: Chunk) -> None:
    report.rows += len(chunk)
    for model, rows in chunk.decoded.unmonitored.items():
        report.unmonitored[model] += len(rows.rows)
    known = chunk.ts_ms[chunk.ts_ms != UNKNOWN_MS]
    if known.size:
        first, last = int(known.min()), int(known.max())
        report.first_ms = first if report.first_ms is None else min(report.first_ms, first)
        report.last_ms = last if report.last_ms is None else max(report.last_ms, last)


class _Lines:
    """A file of JSON lines that says in one sentence why it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise ReplayError(f"{path}: cannot be written: {error.strerror}; name another file") from error

    def write(self, line: str) -> None:
        try:
            self._file.write(line + "\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._file.close()
        except OSError as error:
            if kind is None:  # what ends us already says why
                raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> ReplayError:
        return ReplayError(
            f"{self._path}: cannot be written: {error.strerror}; it is not complete: free some space, "
            "or name another file, and replay again"
        )


def _opened(opened: ExitStack, path: Path | None) -> _Lines | None:
    return None if path is None else opened.enter_context(_Lines(path))
