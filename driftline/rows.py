"""Rows of a table as the batches stage 1 counts: which column holds what, and which rows are invalid."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline import columns
from driftline.errors import DriftlineError
from streams.bad_event import BadCode, BadEvent
from streams.batch import Batch
from streams.decode import Decoded, Rows
from streams.layout import Role
from streams.stages.fleet import Watched
from streams.watermark import NEVER_MS

#: Event time of a row whose time could not be read.
UNKNOWN_MS = NEVER_MS
FIELDS = ("id", "model", "version", "ts", "prediction", "latency_ms", "error")


class MissingColumnError(DriftlineError):
    """A table lacks a column that is needed; the message says how to name another."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the values of one model's batch come from; None is a column the file does not have."""

    numbers: tuple[tuple[str, Role, str | None], ...]
    categories: tuple[tuple[str, bool, str | None], ...]
    segments: tuple[str | None, ...]

    @property
    def sources(self) -> set[str]:
        """Columns of the file this needs."""
        wanted = [column for *_, column in (*self.numbers, *self.categories)]
        return {column for column in (*wanted, *self.segments) if column is not None}


class TableRows:
    """Turns record batches of one file into decoded rows.

    Parameters
    ----------
    note
        Told, once each, what is odd but no error.
    timed
        Whether a table without ``ts`` is an error; if not, its rows are all at 0.
    """

    def __init__(
        self,
        path: Path,
        watched: Mapping[str, Watched],
        mapping: Mapping[str, str],
        note: Callable[[str], None],
        *,
        timed: bool = True,
    ) -> None:
        self._path = path
        self._watched = watched
        self._mapping = mapping
        self._note = note
        self._timed = timed
        self._text = False
        self._names: frozenset[str] = frozenset()
        self._fields: dict[str, str | None] = {}
        self._plans: dict[str, _Plan] = {}

    @property
    def only_model(self) -> str:
        """The model of a row that could not be read: the only one there is, or ""."""
        return next(iter(self._watched)) if len(self._watched) == 1 else ""

    @property
    def columns(self) -> list[str]:
        """Columns of the file that are needed."""
        fields = {column for column in self._fields.values() if column is not None}
        return sorted(fields.union(*(plan.sources for plan in self._plans.values())))

    @property
    def text_columns(self) -> list[str]:
        """Those of them that hold names, which repeat."""
        held = {self._fields["model"], self._fields["version"], self._fields["error"]}
        for plan in self._plans.values():
            held |= {column for *_, column in plan.categories} | set(plan.segments)
        return sorted(column for column in held if column is not None)

    def plan(self, names: Sequence[str], *, text: bool = False) -> None:
        """Find the columns that are needed among the file's.

        Parameters
        ----------
        text
            Whether all cells are text, in which a blank one is missing.

        Raises
        ------
        MissingColumnError
            If one is missing that must be there, twice there, or the mapping names what is not there.
        """
        self._text = text
        twice = sorted(name for name in set(names) if list(names).count(name) > 1)
        if twice:
            raise MissingColumnError(f"{self._path}: column {twice[0]!r} is there twice; rename one")
        self._names = frozenset(names)
        self._check_mapping()
        self._fields = {name: self._source(name) for name in FIELDS}
        if self._timed and self._fields["ts"] is None:
            raise self._missing("ts", "the time of each row; every row needs one")
        if self._fields["model"] is None and len(self._watched) != 1:
            raise self._missing("model", f"{len(self._watched)} monitors, so each row must say its model")
        self._plans = {model: self._plan_of(one) for model, one in self._watched.items()}

    def decode(self, batch: Any, offsets: NDArray[np.int64]) -> tuple[Decoded, NDArray[np.int64]]:
        """Return a record batch's rows by model, and each row's time."""
        ts_ms = np.zeros(len(batch), np.int64)
        if (column := self._fields["ts"]) is not None:
            ts_ms, wrong = columns.times_ms(batch.column(column), self._where(column))
            if wrong is not None:
                ts_ms = np.where(wrong, UNKNOWN_MS, ts_ms)
        decoded = Decoded()
        for model, rows in self._rows_by_model(batch, decoded.bad):
            part = batch if len(rows) == len(batch) else batch.take(pa.array(rows))
            if model in self._watched:
                self._place(decoded, model, rows, part, offsets[rows], ts_ms[rows])
            else:
                decoded.unmonitored[model] = Rows(rows, _volume(offsets[rows], ts_ms[rows]))
        decoded.bad.sort(key=lambda one: one.row)
        return decoded, ts_ms

    def _rows_by_model(self, batch: Any, bad: list[BadEvent]) -> list[tuple[str, NDArray[np.intp]]]:
        everything = np.arange(len(batch), dtype=np.intp)
        column = self._fields["model"]
        if column is None:
            return [(self.only_model, everything)] if len(batch) else []
        names = columns.texts(batch.column(column), self._where(column), blank_is_missing=True)
        distinct = dict.fromkeys(names)
        if len(distinct) == 1 and None not in distinct:
            return [(str(names[0]), everything)]
        held = np.array(names, dtype=object)
        for row in [at for at, name in enumerate(names) if name is None]:
            bad.append(BadEvent(row, BadCode.MISSING_FIELD, "model: missing; name the model that predicted"))
        return [(name, np.flatnonzero(held == name)) for name in distinct if name is not None]

    def _place(
        self,
        decoded: Decoded,
        model: str,
        rows: NDArray[np.intp],
        part: Any,
        offsets: NDArray[np.int64],
        ts_ms: NDArray[np.int64],
    ) -> None:
        """Add one model's rows, the bad ones apart."""
        bad: dict[int, tuple[BadCode, str]] = {}
        batch = self._batch(self._plans[model], part, offsets, ts_ms, bad)
        if bad:
            for at in sorted(bad):
                code, reason = bad[at]
                decoded.bad.append(BadEvent(int(rows[at]), code, reason, model, batch.versions[at]))
            good = np.ones(len(rows), np.bool_)
            good[list(bad)] = False
            kept = np.flatnonzero(good)
            rows, batch = rows[kept], batch.take(kept)
        if len(rows):
            decoded.models[model] = Rows(rows, batch)

    def _batch(
        self,
        plan: _Plan,
        part: Any,
        offsets: NDArray[np.int64],
        ts_ms: NDArray[np.int64],
        bad: dict[int, tuple[BadCode, str]],
    ) -> Batch:
        n = len(part)

        def refuse(wrong: NDArray[np.bool_] | None, code: BadCode, reason: str) -> None:
            if wrong is not None:
                for at in np.flatnonzero(wrong).tolist():
                    bad.setdefault(at, (code, reason))

        refuse(ts_ms == UNKNOWN_MS, BadCode.WRONG_TYPE, "ts: missing, or not a time")
        numbers = np.full((n, len(plan.numbers)), np.nan, order="F")
        failed = self._failed(part)
        for position, (name, role, column) in enumerate(plan.numbers):
            if column is None:
                continue
            values, wrong = columns.numbers(part.column(column), self._where(column))
            refuse(wrong, BadCode.WRONG_TYPE, f"{name}: not a finite number")
            if role == "latency":
                refuse(values < 0, BadCode.WRONG_TYPE, f"{name}: below 0")
            elif role == "prediction" and name == "prediction" and self._timed:
                refuse(np.isnan(values) & ~failed, BadCode.MISSING_FIELD, _NO_PREDICTION)
            numbers[:, position] = values
        texts: list[Sequence[str | None]] = []
        for name, is_flag, column in plan.categories:
            if column is None:
                texts.append([None] * n)
            elif is_flag:
                found, wrong = columns.flags(part.column(column), self._where(column))
                refuse(wrong, BadCode.WRONG_TYPE, f"{name}: not true or false")
                texts.append(found)
            else:
                texts.append(self._texts(part, column))
            if name == "prediction" and self._timed:
                absent = np.array([text is None for text in texts[-1]], np.bool_)
                refuse(absent & ~failed, BadCode.MISSING_FIELD, _NO_PREDICTION)
        versions = self._fields["version"]
        return Batch(
            offsets=offsets,
            ts_ms=ts_ms,
            record_ms=ts_ms,
            id_hashes=self._id_hashes(part, offsets),
            errors=failed,
            numbers=numbers,
            texts=texts,
            versions=[""] * n
            if versions is None
            else columns.names(part.column(versions), self._where(versions)),
            segments=[
                [""] * n if column is None else columns.names(part.column(column), self._where(column))
                for column in plan.segments
            ],
        )

    def _texts(self, part: Any, column: str) -> list[str | None]:
        return columns.texts(part.column(column), self._where(column), blank_is_missing=self._text)

    def _failed(self, part: Any) -> NDArray[np.bool_]:
        column = self._fields["error"]
        return np.zeros(len(part), np.bool_) if column is None else columns.failures(part.column(column))

    def _id_hashes(self, part: Any, offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
        column = self._fields["id"]
        if column is None:
            return columns.id_hashes(pa.array(offsets))
        ids = part.column(column)
        if ids.null_count:
            ids = pc.coalesce(pc.cast(ids, pa.string()), pc.cast(pa.array(offsets), pa.string()))
        return columns.id_hashes(ids)

    def _plan_of(self, watched: Watched) -> _Plan:
        monitor, layout = watched.monitor, watched.layout
        numbers = tuple((one.name, one.role, self._column(one.name, one.role)) for one in layout.numbers)
        categories = tuple(
            (
                one.name,
                one.role == "feature" and monitor.features[one.name].type == "boolean",
                self._column(one.name, one.role),
            )
            for one in layout.categories
        )
        segments = tuple(self._of("segments", name) for name in monitor.segments)
        found = {name: column for name, *_, column in (*numbers, *categories)}
        self._check_plan(monitor.model, list(monitor.features), found)
        for name, column in zip(monitor.segments, segments, strict=True):
            if column is None:
                self._note(f"{self._path}: no column for segment {name!r} of {monitor.model}; it is blank")
        return _Plan(numbers, categories, segments)

    def _check_plan(self, model: str, features: Sequence[str], found: Mapping[str, str | None]) -> None:
        predictions = [name for name in found if name.split(".")[0] == "prediction" and name not in features]
        if not any(found[name] for name in predictions):
            if self._timed:
                raise self._missing(predictions[0], f"what {model} predicted")
            self._note(f"{self._path}: no column for the prediction of {model}; its drift cannot be judged")
        absent = [name for name in features if found[name] is None]
        if features and len(absent) == len(features):
            raise MissingColumnError(
                f"{self._path}: none of the {len(features)} features of {model} is a column; "
                f"name them with --map, e.g. {absent[0]}=COLUMN. There are: {self._shown()}"
            )
        if absent:
            shown = ", ".join(absent[:5]) + (", …" if len(absent) > 5 else "")
            self._note(
                f"{self._path}: no column for {len(absent)} features of {model} ({shown}); all missing"
            )

    def _column(self, name: str, role: Role) -> str | None:
        return self._of("features", name) if role == "feature" else self._source(name)

    def _of(self, group: str, name: str) -> str | None:
        """Return the column of a feature or segment; the event's own fields keep their plain names."""
        qualified = self._source(f"{group}.{name}")
        return qualified if qualified is not None or name in FIELDS else self._source(name)

    def _source(self, name: str) -> str | None:
        column = self._mapping.get(name, name)
        return column if column in self._names else None

    def _check_mapping(self) -> None:
        known = {*FIELDS}
        for one in self._watched.values():
            known |= {column.name for column in one.layout.numbers}
            known |= {column.name for column in one.layout.categories}
            for group, names in (("features", one.monitor.features), ("segments", one.monitor.segments)):
                known |= {*names, *(f"{group}.{name}" for name in names)}
        for target, column in self._mapping.items():
            if target not in known:
                raise MissingColumnError(
                    f"--map {target}={column}: {target!r} is neither a field ({', '.join(FIELDS)}) nor a "
                    "feature or segment of a monitor; correct its spelling"
                )
            if column not in self._names:
                raise MissingColumnError(
                    f"--map {target}={column}: {self._path} has no column {column!r}; there are: {self._shown()}"
                )

    def _missing(self, field: str, why: str) -> MissingColumnError:
        return MissingColumnError(
            f"{self._path}: no column {field!r} ({why}); name another with --map {field}=COLUMN. "
            f"There are: {self._shown()}"
        )

    def _shown(self) -> str:
        names = sorted(self._names)
        return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")

    def _where(self, column: str) -> str:
        return f"{self._path}: column {column!r}"


_NO_PREDICTION = "prediction: missing, and no error says why"


def _volume(offsets: NDArray[np.int64], ts_ms: NDArray[np.int64]) -> Batch:
    """Return the rows of a model without a monitor: that they came, and when."""
    n = len(offsets)
    return Batch(
        offsets=offsets,
        ts_ms=ts_ms,
        record_ms=ts_ms,
        id_hashes=np.zeros(n, np.uint64),
        errors=np.zeros(n, np.bool_),
        numbers=np.full((n, 1), np.nan),
        texts=(),
        versions=[""] * n,
    )
