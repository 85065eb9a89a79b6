"""One run of files through the pipeline, and what it writes."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from alerts.config import Config
from detectors.sentence import quantity
from driftline.errors import DriftlineError
from driftline.history.files import Chunk, Reading, read
from driftline.history.labels import label_files
from driftline.history.rows import UNKNOWN_MS
from driftline.replay.progress import Watcher
from driftline.replay.rehearsal import Rehearsal
from driftline.replay.report import ReplayReport
from driftline.replay.virtual_time import Emit, Panel, VirtualTime
from streams.alerting import Links
from streams.judged import Judged
from streams.publish import encoded, verdict_row
from streams.stages.fleet import Watched
from streams.views import AlertRow

_MODELS_SHOWN = 5


class ReplayError(DriftlineError):
    """A replay that can't begin, or came to nothing."""


class _Outputs:
    """Where transitions and verdicts go: files, the report, the rehearsed desk."""

    def __init__(
        self,
        report: ReplayReport,
        rehearsal: Rehearsal | None,
        alerts: "_Lines | None",
        verdicts: "_Lines | None",
        heard: Emit | None = None,
    ) -> None:
        self._report = report
        self._rehearsal = rehearsal
        self._alerts = alerts
        self._verdicts = verdicts
        self._heard = heard

    def emit(self, model: str, judged: Judged, at_ms: int) -> None:
        """Take what a judge said at a virtual time."""
        self._report.panes[model] += len(judged.panes)
        self._report.verdicts += len(judged.verdicts)
        if self._heard is not None:
            self._heard(model, judged, at_ms)
        if self._verdicts is not None:
            for group, verdict_ms, verdict in judged.verdicts:
                self._verdicts.write(encoded(verdict_row(model, group, verdict_ms, verdict)))
        for upsert in judged.alerts:
            if self._rehearsal is not None:
                self._rehearsal.upsert(upsert, at_ms)
            if self._report.transition(upsert) and self._alerts is not None:
                self._alerts.write(AlertRow.of(upsert).model_dump_json())


def replay(
    files: Sequence[Path],
    watched: Mapping[str, Watched],
    *,
    labels: Sequence[Path] = (),
    mapping: Mapping[str, str] | None = None,
    alerting: Config | None = None,
    links: Links | None = None,
    alerts_out: Path | None = None,
    verdicts_out: Path | None = None,
    progress: Watcher | None = None,
    heard: Emit | None = None,
    also: Sequence[Panel] = (),
) -> ReplayReport:
    """Run files of predictions through the pipeline, and return what came of it.

    Parameters
    ----------
    files
        Parquet, CSV or JSON lines, in the order of time; rows far behind others count as late.
    watched
        The monitors, by model.
    labels
        Files of what turned out to be true, see `driftline.history.labels`.
    mapping
        Which column holds what, see `driftline.history.files`.
    alerting
        With one, the alert desk is rehearsed; the report says what it would have sent.
    alerts_out, verdicts_out
        Files to write, JSON lines: one line an alert begins or ends, one line a verdict.
    heard
        Told all that the judges say, as they say it.
    also
        Further judges over the same profiles; the report does not count what they say.

    Raises
    ------
    DriftlineError
        If there is nothing to watch or no valid row of it, or a file cannot be read or written.

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
        alerts, verdicts = (_opened(opened, path) for path in (alerts_out, verdicts_out))
        outputs = _Outputs(report, rehearsal, alerts, verdicts, heard)
        known = label_files(labels, watched, predictions=files, mapping=mapping or {}, note=reading.note)
        pipeline = VirtualTime(watched, outputs.emit, links, also, known)
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
    if not any(report.events[model] + report.late[model] for model in watched) and not report.interrupted:
        raise ReplayError(f"no valid row of {_names(watched)}; nothing was judged: {_losses(report)}")
    return report


def _names(watched: Mapping[str, Watched]) -> str:
    shown = [repr(model) for model in sorted(watched)[:_MODELS_SHOWN]]
    return "model " + ", ".join(shown) + (", …" if len(watched) > _MODELS_SHOWN else "")


def _losses(report: ReplayReport) -> str:
    """Return what became of the rows, none of which counts, and what to do."""
    lost = []
    if report.invalid:
        reasons = "; ".join(report.examples)
        lost.append(f"{quantity(report.invalid.total(), 'invalid row')} ({reasons}): mend the data")
    if report.unmonitored:
        others = ", ".join(map(repr, sorted(report.unmonitored)[:_MODELS_SHOWN]))
        lost.append(
            f"{quantity(report.unmonitored.total(), 'row')} of models without a monitor ({others}): "
            "write one for them, or name the right folder with --monitors"
        )
    return "; ".join(lost)


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
