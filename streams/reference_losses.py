"""Which errors a reference's data leads to expect, as it is stored in a reference file."""

import zlib
from math import inf

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.estimation.losses import LossColumn, LossModel
from detectors.window import Window

_LOSSES = 2


class LossTableColumn(msgspec.Struct):
    """One column's cuts and limits; None where there is no limit."""

    name: str
    cells: int
    below: list[float] = []
    above: list[float] = []
    lowest: float | None = None
    highest: float | None = None


class LossTable(msgspec.Struct):
    """A `LossModel`; ``numbers`` are the columns' counts and all of its arrays, zlib of 64-bit floats."""

    labels: int
    why: str = ""
    columns: list[LossTableColumn] = []
    blocks: int = 0
    numbers: bytes = b""


def pack_losses(model: LossModel) -> LossTable:
    """Return a model as it is stored."""
    if model.why:
        return LossTable(model.labels, model.why)
    columns = [
        LossTableColumn(
            one.name,
            one.counts.size,
            list(one.below),
            list(one.above),
            one.lowest if np.isfinite(one.lowest) else None,
            one.highest if np.isfinite(one.highest) else None,
        )
        for one in model.columns
    ]
    arrays = [*(one.counts for one in model.columns), *_arrays(model)]
    numbers = np.concatenate([one.reshape(-1) for one in arrays]).astype("<f8")
    blocks = model.effects.shape[1] - 1
    return LossTable(model.labels, "", columns, blocks, zlib.compress(numbers.tobytes(), 9))


def read_losses(table: LossTable, usual: Window, source: str) -> LossModel:
    """Return a stored model.

    Parameters
    ----------
    usual
        The reference itself, whose bins the model's are.

    Raises
    ------
    ValueError
        If the table does not fit the reference.
    """
    if table.why:
        return LossModel.unknown(table.labels, source, table.why)
    cells = sum(one.cells for one in table.columns)
    shapes = [*((one.cells,) for one in table.columns), *_shapes(table.blocks, cells)]
    numbers = np.frombuffer(zlib.decompress(table.numbers), "<f8").astype(np.float64)
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    if numbers.size != ends[-1]:
        raise ValueError(f"{numbers.size} numbers of expected errors, {ends[-1]} are to be expected")
    parts = [one.reshape(shape) for one, shape in zip(np.split(numbers, ends[:-1]), shapes, strict=True)]
    counts, arrays = parts[: len(table.columns)], parts[len(table.columns) :]
    columns = [_column(one, held, usual) for one, held in zip(table.columns, counts, strict=True)]
    effects, scatter, wander, loss, error, skill = arrays
    return LossModel(tuple(columns), effects, scatter, wander, loss, error, skill, table.labels, source)


def _arrays(model: LossModel) -> list[NDArray[np.float64]]:
    return [
        model.effects, model.scatter, model.wander, model.usual_loss, model.usual_error, model.skill,
    ]  # fmt: skip


def _shapes(blocks: int, cells: int) -> list[tuple[int, ...]]:
    """Return the shapes of `_arrays`."""
    return [(_LOSSES, 1 + blocks, 1 + cells), (_LOSSES, 1 + cells), *[(_LOSSES,)] * 4]


def _column(stored: LossTableColumn, counts: NDArray[np.float64], usual: Window) -> LossColumn:
    column = usual.column(stored.name)
    cells = 0 if column is None else len(column.labels) + len(stored.below) + len(stored.above) + 1
    if column is None or cells != stored.cells:
        raise ValueError(
            f"errors are told by {stored.name!r} in {stored.cells} cells, the reference has {cells}"
        )
    return LossColumn(
        stored.name,
        column.labels,
        counts,
        tuple(stored.below),
        tuple(stored.above),
        -inf if stored.lowest is None else stored.lowest,
        inf if stored.highest is None else stored.highest,
    )
