"""Rows of a table as the batches stage 1 counts, those that are invalid apart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.history import columns
from driftline.history.plan import ModelPlan, Planner, ReadingPlan
from streams.bad_event import BadCode, BadEvent
from streams.batch import Batch
from streams.codec import whole_rows
from streams.decode import Decoded, Rows
from streams.pairing import paired_positions
from streams.stages.fleet import Watched
from streams.watermark import NEVER_MS

#: Event time of a row whose time could not be read.
UNKNOWN_MS = NEVER_MS


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
        self._timed = timed
        self._planner = Planner(path, watched, mapping, note, timed)
        self._plan = ReadingPlan()
        self._text = False

    @property
    def only_model(self) -> str:
        """The model of a row that could not be read: the only one there is, or ""."""
        return next(iter(self._watched)) if len(self._watched) == 1 else ""

    def plan(self, names: Sequence[str], *, text: bool = False) -> ReadingPlan:
        """Find the columns that are needed among the file's, and read by them from now on.

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
        self._plan = self._planner.plan(names)
        return self._plan

    def decode(self, batch: Any, offsets: NDArray[np.int64]) -> tuple[Decoded, NDArray[np.int64]]:
        """Return a record batch's rows by model, and each row's time."""
        ts_ms = np.zeros(len(batch), np.int64)
        if (column := self._plan.fields["ts"]) is not None:
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
        column = self._plan.fields["model"]
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
        watched = self._watched[model]
        batch = self._batch(self._plan.models[model], part, offsets, ts_ms, bad)
        batch = replace(batch, paired=paired_positions(watched.monitor, watched.layout))
        if self._timed and watched.monitor.labels is not None:
            batch = replace(batch, ids=self._ids(part, offsets), answers=_answers(watched, batch))
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
        plan: ModelPlan,
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
        attributions = np.full((n, len(plan.attributions)), np.nan)
        for position, column in enumerate(plan.attributions):
            if column is not None:
                attributions[:, position], wrong = columns.numbers(part.column(column), self._where(column))
                refuse(wrong, BadCode.WRONG_TYPE, f"{column}: not a finite number")
        versions = self._plan.fields["version"]
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
            attributions=whole_rows(attributions) if any(plan.attributions) else None,
        )

    def _texts(self, part: Any, column: str) -> list[str | None]:
        return columns.texts(part.column(column), self._where(column), blank_is_missing=self._text)

    def _failed(self, part: Any) -> NDArray[np.bool_]:
        column = self._plan.fields["error"]
        return np.zeros(len(part), np.bool_) if column is None else columns.failures(part.column(column))

    def _id_hashes(self, part: Any, offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
        column = self._plan.fields["id"]
        if column is None:
            return columns.id_hashes(pa.array(offsets))
        ids = part.column(column)
        if ids.null_count:
            ids = pc.coalesce(pc.cast(ids, pa.string()), pc.cast(pa.array(offsets), pa.string()))
        return columns.id_hashes(ids)

    def _ids(self, part: Any, offsets: NDArray[np.int64]) -> list[str]:
        column = self._plan.fields["id"]
        ids = [None] * len(offsets) if column is None else part.column(column).to_pylist()
        return [str(row if id is None else id) for id, row in zip(ids, offsets.tolist(), strict=True)]

    def _where(self, column: str) -> str:
        return f"{self._path}: column {column!r}"


def _answers(watched: Watched, batch: Batch) -> list[Any]:
    """Return each row's prediction as it would be in its event; None where there is none."""
    places = [at for at, one in enumerate(watched.layout.numbers) if one.role == "prediction"]
    if not places:
        (place,) = [at for at, one in enumerate(watched.layout.categories) if one.role == "prediction"]
        return list(batch.texts[place])
    values = batch.numbers[:, places]
    if watched.monitor.prediction.type != "probabilities":
        return [None if np.isnan(one) else one for one in values[:, 0].tolist()]
    classes = watched.monitor.prediction.classes or ()
    return [
        {name: p for name, p in zip(classes, row, strict=True) if not np.isnan(p)} for row in values.tolist()
    ]


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
