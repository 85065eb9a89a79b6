"""Files of labels for a replay: JSON lines as on the wire, or a table, maybe the predictions' own."""

import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from detectors.outcomes.task import Label
from detectors.sentence import quantity
from driftline.history import columns
from driftline.history.files import TableError, kind_of
from streams.events import MAX_TIME_MS
from streams.joins.labels import read_labels
from streams.joins.records import Labelled
from streams.stages.fleet import Watched

Note = Callable[[str], None]


def label_files(
    files: Sequence[Path],
    watched: Mapping[str, Watched],
    *,
    predictions: Sequence[Path],
    mapping: Mapping[str, str],
    note: Note,
) -> list[Labelled]:
    """Return the labels of files, in the order they became known; all are held in memory, some 500 bytes each.

    A table has columns ``label``; ``id``, or the row number where the files are those of the predictions;
    ``model``, unless there is one monitor only; and ``label_ts``, else ``ts``: when the label became known.
    Rows without a label are passed over.

    Raises
    ------
    TableError
        At the first file that cannot be read, or lacks a column.
    """
    found: list[Labelled] = []
    first = 0
    for path in files:
        if not path.is_file():
            raise TableError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; name a file")
        try:
            if kind_of(path) == "json":
                read = list(_json_lines(path, first, note))
                found, first = found + read, first + len(read)
                continue
            table = _columns(path, mapping)
            if table["id"] is None and list(files) != list(predictions):
                raise TableError(f"{path}: no column 'id', of the prediction; name it with --map id=COLUMN")
            found += _table(path, table, watched, first, note)
            first += len(table["label"])
        except (pa.ArrowException, OSError, EOFError, gzip.BadGzipFile) as error:
            raise TableError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
    return sorted(found, key=lambda one: (one.ts_ms, one.source))


def _json_lines(path: Path, first: int, note: Note) -> Iterator[Labelled]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines: list[bytes | None] = [line for line in map(bytes.strip, raw.splitlines()) if line]
    read = read_labels(0, lines, range(first, first + len(lines)), [MAX_TIME_MS] * len(lines))
    if read.bad:
        note(f"{path}: {quantity(len(read.bad), 'label')} cannot be read, the first: {read.bad[0].reason}")
    for one in read.labels:
        yield msgspec.structs.replace(one, record_ms=one.ts_ms)


def _table(
    path: Path, table: Mapping[str, Any], watched: Mapping[str, Watched], first: int, note: Note
) -> Iterator[Labelled]:
    n = len(table["label"])
    known = table["label_ts"] if table["label_ts"] is not None else table["ts"]
    if known is None:
        raise TableError(
            f"{path}: no column 'label_ts' or 'ts' (when a label became known); name it with --map"
        )
    ts_ms, wrong = columns.times_ms(known, f"{path}: column of the time")
    models = ["" if table["model"] is None else str(one) for one in _values(table["model"], n)]
    if table["model"] is None:
        if len(watched) != 1:
            raise TableError(
                f"{path}: no column 'model', and {len(watched)} monitors; each label must say its model"
            )
        models = [next(iter(watched))] * n
    ids = [str(row if id is None else id) for row, id in enumerate(_values(table["id"], n), first)]
    skipped = 0
    for row, (model, id, label) in enumerate(zip(models, ids, _values(table["label"], n), strict=True)):
        if label is None or label == "":
            continue
        if (wrong is not None and wrong[row]) or not isinstance(label, bool | int | float | str):
            skipped += 1
            continue
        at_ms = int(ts_ms[row])
        yield Labelled(model, id, (0, first + row), at_ms, at_ms, _label(label, watched.get(model)))
    if skipped:
        note(f"{path}: {quantity(skipped, 'label')} without a time, or neither number nor text")


def label_column(path: Path, mapping: Mapping[str, str]) -> list[Label | None] | None:
    """Return the column ``label`` of a table of predictions, row by row, None where it has none.

    Raises
    ------
    TableError
        If the file cannot be read.
    """
    try:
        names = _names(path)
        name = next((one for one in (mapping.get("label"), "label") if one in names), None)
        if name is None:
            return None
        if kind_of(path) == "parquet":
            return _values(pa.parquet.read_table(path, columns=[name])[name], 0)
        # Lines that are passed over as predictions are here too, so that row numbers are the same.
        table = pa.csv.read_csv(
            path,
            parse_options=pa.csv.ParseOptions(
                delimiter="\t" if ".tsv" in path.suffixes else ",",
                invalid_row_handler=lambda row: "skip",
                newlines_in_values=True,
            ),
            convert_options=pa.csv.ConvertOptions(include_columns=[name], column_types={name: pa.string()}),
        )
        return _values(table[name], 0)
    except (pa.ArrowException, OSError, EOFError, gzip.BadGzipFile) as error:
        raise TableError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error


def _names(path: Path) -> list[str]:
    if kind_of(path) == "parquet":
        found: list[str] = pa.parquet.read_schema(path).names
        return found
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    options = pa.csv.ParseOptions(delimiter=delimiter, invalid_row_handler=lambda row: "skip")
    header: list[str] = pa.csv.open_csv(path, parse_options=options).schema.names
    return header


def _columns(path: Path, mapping: Mapping[str, str]) -> dict[str, Any]:
    if kind_of(path) == "parquet":
        table = pa.parquet.read_table(path)
    else:
        names = pa.csv.open_csv(path).schema.names
        delimiter = "\t" if ".tsv" in path.suffixes else ","
        table = pa.csv.read_csv(
            path,
            parse_options=pa.csv.ParseOptions(delimiter=delimiter),
            convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    there = table.column_names
    found = {
        name: next((table[one].combine_chunks() for one in (mapping.get(name), name) if one in there), None)
        for name in ("id", "model", "label", "label_ts", "ts")
    }
    if found["label"] is None:
        shown = ", ".join(there[:20])
        raise TableError(f"{path}: no column 'label'; name it with --map label=COLUMN. There are: {shown}")
    return found


def _values(column: Any, n: int) -> list[Any]:
    return [None] * n if column is None else column.to_pylist()


def _label(label: bool | float | str, watched: Watched | None) -> bool | float | str:
    """Return a label as it would be on the wire: text that spells a number is one, for a regression."""
    if isinstance(label, str) and watched is not None and watched.monitor.prediction.type == "number":
        try:
            return float(label)
        except ValueError:
            return label
    if isinstance(label, float) and not np.isfinite(label):
        return str(label)
    return label if isinstance(label, bool | str) else float(label)
