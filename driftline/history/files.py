"""Files of predictions as chunks of columns: Parquet, CSV and JSON lines, streamed in bounded memory.

A table has one row per prediction. Its columns are named as the event's fields: ``id``, ``model``,
``version``, ``ts``, ``prediction`` (or ``prediction.<class>`` each), ``latency_ms``, ``error``; each feature
and each segment is a column of its own name. Where a name is taken by a field, or the file has nested
columns, ``features.<name>`` and ``segments.<name>`` are understood as well, and come first. A mapping
(``ts=timestamp``) says which column holds what. Columns nothing asks for are not read. What a feature contributed
stands in ``attributions.<name>``, nested or by that name; a row without any of them has no attributions.

JSON lines hold events as on the wire, and take no mapping. Any file may be gzipped (``.csv.gz``).

Errors: `TableError`, with `driftline.history.columns.WrongColumnError` for a column of the wrong type.
"""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from driftline.errors import DriftlineError
from driftline.history.columns import looks_like_seconds
from driftline.history.rows import UNKNOWN_MS, TableRows
from streams.bad_event import BadCode, BadEvent
from streams.codec import ModelCodec
from streams.decode import Decoded, Decoder
from streams.stages.fleet import Watched

CHUNK_ROWS = 65_536
CHUNK_BYTES = 16 * 1024 * 1024
FORMATS = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv",
    ".jsonl": "json", ".ndjson": "json", ".json": "json",
}  # fmt: skip


class TableError(DriftlineError):
    """A file of predictions that cannot be read; the message names it and the remedy."""


@dataclass(slots=True)
class Chunk:
    """Some rows of a file, in order.

    Parameters
    ----------
    decoded
        The rows by model, and what was bad.
    offsets
        Number of each row over all files, ascending.
    ts_ms
        Event time of each row, epoch ms; `UNKNOWN_MS` where it could not be read. Shape as ``offsets``.
    bytes_read
        How far the file was read, of its size.
    """

    decoded: Decoded
    offsets: NDArray[np.int64]
    ts_ms: NDArray[np.int64]
    bytes_read: int

    def __len__(self) -> int:
        return len(self.offsets)


@dataclass(slots=True)
class Reading:
    """What was noticed while files were read; each thing once."""

    notes: dict[str, None] = field(default_factory=dict)

    def note(self, sentence: str) -> None:
        """Keep a sentence for the summary."""
        self.notes.setdefault(sentence)


def parse_mapping(text: str) -> dict[str, str]:
    """Return ``target=column`` pairs, separated by commas, as a mapping.

    Raises
    ------
    TableError
        If a pair is no pair, or a target is named twice.

    Examples
    --------
    >>> parse_mapping("ts=timestamp, prediction=y_pred_proba")
    {'ts': 'timestamp', 'prediction': 'y_pred_proba'}
    """
    mapping: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        target, equals, column = (part.strip() for part in pair.partition("="))
        if not (target and equals and column):
            raise TableError(f"--map {pair!r} is no pair; write field=column, e.g. ts=timestamp")
        if target in mapping:
            raise TableError(f"--map names {target!r} twice ({mapping[target]!r} and {column!r}); keep one")
        mapping[target] = column
    return mapping


def read(
    files: Sequence[Path],
    watched: Mapping[str, Watched],
    *,
    mapping: Mapping[str, str],
    reading: Reading,
    timed: bool = True,
) -> Iterator[tuple[Path, Chunk]]:
    """Yield the rows of files, in the order given.

    Parameters
    ----------
    timed
        Whether every row needs a time. Without, a table may lack ``ts``: all its rows are at 0.

    Raises
    ------
    TableError
        At the first file that cannot be read.
    WrongColumnError
        At a column of the wrong type.
    """
    first_row = 0
    for path in files:
        kind = kind_of(path)
        if kind == "json" and mapping:
            raise TableError(f"{path}: JSON lines hold events as on the wire; --map is for tables")
        if kind == "json":
            chunks = _json_lines(path, watched, first_row)
        else:
            chunks = _table(
                path, kind, TableRows(path, watched, mapping, reading.note, timed=timed), first_row
            )
        rows = 0
        try:
            for chunk in chunks:
                rows += len(chunk)
                if kind == "json" and looks_like_seconds(chunk.ts_ms[chunk.ts_ms != UNKNOWN_MS]):
                    raise TableError(
                        f"{path}: ts is early 1970 in every row from {rows - len(chunk):,} on, so it is seconds; "
                        "write epoch milliseconds, or RFC 3339"
                    )
                yield path, chunk
        except (OSError, EOFError, gzip.BadGzipFile) as error:
            raise TableError(
                f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
            ) from error
        if not rows:
            reading.note(f"{path}: holds no rows")
        first_row += rows


def kind_of(path: Path) -> str:
    """Return ``parquet``, ``csv`` or ``json``, by the file's name.

    Raises
    ------
    TableError
        If the name ends otherwise.
    """
    name = path.name.lower().removesuffix(".gz")
    kind = FORMATS.get(Path(name).suffix)
    if kind is None:
        raise TableError(
            f"{path}: cannot tell its format by its name; rename it to end in {', '.join(FORMATS)}"
        )
    return kind


def _table(path: Path, kind: str, rows: TableRows, first_row: int) -> Iterator[Chunk]:
    if not path.is_file():
        raise TableError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; name a file")
    if not path.stat().st_size:
        raise TableError(f"{path}: the file is empty; a table has at least its column names")
    try:
        for batch, skipped, bytes_read in _parquet(path, rows) if kind == "parquet" else _csv(path, rows):
            offsets = np.arange(first_row, first_row + len(batch), dtype=np.int64)
            decoded, ts_ms = rows.decode(batch, offsets)
            decoded.bad[:0] = [BadEvent(0, BadCode.WRONG_TYPE, reason, rows.only_model) for reason in skipped]
            yield Chunk(decoded, offsets, ts_ms, bytes_read)
            first_row += len(batch)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        what = str(error).splitlines()[0]
        raise TableError(
            f"{path}: cannot be read as {kind}: {what}; write it again, or name it by its format"
        ) from error


def _parquet(path: Path, rows: TableRows) -> Iterator[tuple[Any, list[str], int]]:
    with pa.parquet.ParquetFile(path) as peek:
        names = _flat_names(peek.schema_arrow)
        plan = rows.plan(names)
    with pa.parquet.ParquetFile(path, read_dictionary=plan.text_columns) as file:
        total = max(file.metadata.num_rows, 1)
        size, done = path.stat().st_size, 0
        for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=plan.columns):
            done += len(batch)
            yield _flattened(batch), [], size * done // total


def _csv(path: Path, rows: TableRows) -> Iterator[tuple[Any, list[str], int]]:
    skipped: list[str] = []

    def skip(row: Any) -> str:
        skipped.append(f"a line has {row.actual_columns} cells where the header has {row.expected_columns}")
        return "skip"

    with path.open("rb") as raw:
        delimiter = "\t" if ".tsv" in path.suffixes else ","
        names = _header(path, delimiter)
        plan = rows.plan(names, text=True)
        source = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        # Cells are read as text, so that one that is wrong costs its row and not the file.
        reader = pa.csv.open_csv(
            source,
            read_options=pa.csv.ReadOptions(block_size=CHUNK_BYTES // 4),
            parse_options=pa.csv.ParseOptions(
                delimiter=delimiter, invalid_row_handler=skip, newlines_in_values=True
            ),
            convert_options=pa.csv.ConvertOptions(
                include_columns=plan.columns, column_types=dict.fromkeys(names, pa.string())
            ),
        )
        for batch in reader:
            lost, skipped[:] = list(skipped), []
            for low in range(0, len(batch), CHUNK_ROWS):
                yield batch.slice(low, CHUNK_ROWS), lost if low == 0 else [], raw.tell()


def _header(path: Path, delimiter: str) -> list[str]:
    """Return the column names; the reader itself would take one column twice, and not say so."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        first = lines.readline(CHUNK_BYTES)
    options = pa.csv.ParseOptions(delimiter=delimiter)
    names: list[str] = pa.csv.read_csv(pa.BufferReader(first), parse_options=options).schema.names
    return names


def _flat_names(schema: Any) -> list[str]:
    """Return column names, nested ones with their path: ``features.age``."""
    names: list[str] = []
    for one in schema:
        if pa.types.is_struct(one.type):
            names += [f"{one.name}.{inner}" for inner in _flat_names(pa.schema(list(one.type)))]
        else:
            names.append(one.name)
    return names


def _flattened(batch: Any) -> Any:
    if not any(pa.types.is_struct(one.type) for one in batch.schema):
        return batch
    table = pa.Table.from_batches([batch])
    while any(pa.types.is_struct(one.type) for one in table.schema):
        table = table.flatten()
    return table.to_batches()[0]


def _json_lines(path: Path, watched: Mapping[str, Watched], first_row: int) -> Iterator[Chunk]:
    if not path.is_file():
        raise TableError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; name a file")
    decoder = Decoder({name: ModelCodec(one.monitor, one.layout) for name, one in watched.items()})
    with path.open("rb") as raw:
        source = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        while lines := source.readlines(CHUNK_BYTES):
            values = [line for line in map(bytes.strip, lines) if line]
            offsets = np.arange(first_row, first_row + len(values), dtype=np.int64)
            ts_ms = np.full(len(values), UNKNOWN_MS, np.int64)
            decoded = decoder.decode(values, offsets, ts_ms) if values else Decoded()
            for rows in (*decoded.models.values(), *decoded.unmonitored.values()):
                ts_ms[rows.rows] = rows.batch.ts_ms
                rows.batch.record_ms[:] = rows.batch.ts_ms
            yield Chunk(decoded, offsets, ts_ms, raw.tell())
            first_row += len(values)
