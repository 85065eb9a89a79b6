"""The layout: which columns a profile has, and the bins they are counted in.

A monitor and its reference compile to an immutable layout with a hash. Every profile carries the hash;
only profiles of equal layouts merge.
"""

import hashlib
import itertools
from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.monitor import Monitor

Role = Literal["feature", "prediction", "latency"]

LATENCY = "latency_ms"
SCORE_EDGES = tuple(round(0.05 * step, 2) for step in range(1, 20))


class NumberColumn(msgspec.Struct, frozen=True):
    """A number: its role, plausible range, and interior bin edges (ascending; empty until known)."""

    name: str
    role: Role
    minimum: float | None = None
    maximum: float | None = None
    edges: tuple[float, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """A readable name per bin."""
        if not self.edges:
            return ()
        marks = [f"{edge:.6g}" for edge in self.edges]
        inner = [f"{low} to {high}" for low, high in itertools.pairwise(marks)]
        return (f"below {marks[0]}", *inner, f"{marks[-1]} and up")


class CategoryColumn(msgspec.Struct, frozen=True):
    """A category: the listed values, in order; whether the monitor (not the reference) listed them."""

    name: str
    role: Role
    values: tuple[str, ...] = ()
    closed: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """A readable name per bin; the last is all values not listed."""
        return (*self.values, "(other)")


class SegmentValues(msgspec.Struct, frozen=True):
    """The values of a segment that have statistics of their own, in order of name."""

    name: str
    values: tuple[str, ...]


class Layout(msgspec.Struct, frozen=True, dict=True):
    """The columns of a model's profiles; ``frozen`` once its bins were cut from what a reference saw.

    ``segments`` are those whose values the reference says.
    """

    model: str
    numbers: tuple[NumberColumn, ...]
    categories: tuple[CategoryColumn, ...]
    frozen: bool = False
    segments: tuple[SegmentValues, ...] = ()

    @cached_property
    def hash(self) -> str:
        """16 hex digits over the whole layout."""
        told = msgspec.to_builtins(self)
        if not self.segments:
            # As it was before references knew of segments, so that what was counted then goes on.
            del told["segments"]
        return hashlib.blake2b(msgspec.json.encode(told), digest_size=8).hexdigest()

    @cached_property
    def number_edges(self) -> tuple[NDArray[np.float64], ...]:
        """Interior edges of each number column."""
        return tuple(np.asarray(column.edges, dtype=np.float64) for column in self.numbers)

    @cached_property
    def number_labels(self) -> tuple[tuple[str, ...], ...]:
        """A readable name per bin of each number column."""
        return tuple(column.labels for column in self.numbers)

    @cached_property
    def category_labels(self) -> tuple[tuple[str, ...], ...]:
        """A readable name per bin of each category column."""
        return tuple(column.labels for column in self.categories)

    @cached_property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The least and the greatest plausible value of each number column, infinite where there is none."""
        lowest = [-np.inf if one.minimum is None else one.minimum for one in self.numbers]
        highest = [np.inf if one.maximum is None else one.maximum for one in self.numbers]
        return np.array(lowest), np.array(highest)

    @cached_property
    def edge_table(self) -> NDArray[np.float64]:
        """Every number column's edges as a row, filled up with infinity."""
        table = np.full((len(self.numbers), max((len(one.edges) for one in self.numbers), default=0)), np.inf)
        for row, column in zip(table, self.numbers, strict=True):
            row[: len(column.edges)] = column.edges
        return table

    @cached_property
    def number_offsets(self) -> NDArray[np.int64]:
        """Where each number column's bins begin in the flat bin array; last, the total."""
        return np.cumsum([0] + [len(column.edges) + 1 for column in self.numbers])

    @cached_property
    def category_offsets(self) -> NDArray[np.int64]:
        """Where each category column's counts begin in the flat array; last, the total."""
        return np.cumsum([0] + [len(column.values) + 1 for column in self.categories])

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The features, in the order of the columns: numbers, then categories."""
        numbers = [one.name for one in self.numbers if one.role == "feature"]
        return (*numbers, *(one.name for one in self.categories if one.role == "feature"))

    @cached_property
    def number_features(self) -> int:
        """How many of the number columns are features; they come first."""
        return sum(one.role == "feature" for one in self.numbers)

    @cached_property
    def feature_places(self) -> NDArray[np.intp]:
        """Where the features stand among all columns, numbers first; shape ``(F,)``."""
        roles = [*(one.role for one in self.numbers), *(one.role for one in self.categories)]
        return np.array([at for at, role in enumerate(roles) if role == "feature"], dtype=np.intp)

    @cached_property
    def codes(self) -> tuple[dict[str | None, int], ...]:
        """For each category column: value -> position, None -> -1."""
        return tuple(
            {None: -1} | {value: code for code, value in enumerate(column.values)}
            for column in self.categories
        )


def compile_layout(
    monitor: Monitor,
    *,
    edges: Mapping[str, tuple[float, ...]] | None = None,
    values: Mapping[str, tuple[str, ...]] | None = None,
    segments: tuple[SegmentValues, ...] = (),
    frozen: bool = False,
) -> Layout:
    """Return the layout of a monitor, with the bins its reference gives.

    Parameters
    ----------
    edges
        Interior bin edges by number column, from the reference. Scores have fixed bins of 0.05 without.
    values
        Categories by category column, from the reference; the monitor's own ``values`` come first.
    segments
        What the reference says of segments; the monitor's own ``values`` come first where rows are counted.
    frozen
        Whether the reference has seen enough, so that columns without bins had no values in it.
    """
    edges, values = edges or {}, values or {}
    numbers: list[NumberColumn] = []
    categories: list[CategoryColumn] = []
    for name, feature in monitor.features.items():
        if feature.type == "number":
            numbers.append(NumberColumn(name, "feature", feature.min, feature.max, edges.get(name, ())))
        elif feature.type == "boolean":
            categories.append(CategoryColumn(name, "feature", ("false", "true"), closed=True))
        else:
            listed = feature.values if feature.values is not None else values.get(name, ())
            categories.append(CategoryColumn(name, "feature", listed, closed=feature.values is not None))
    match monitor.prediction.type:
        case "class":
            declared = monitor.prediction.classes
            listed = declared if declared is not None else values.get("prediction", ())
            categories.append(CategoryColumn("prediction", "prediction", listed, closed=declared is not None))
        case "probabilities":
            numbers += [
                NumberColumn(f"prediction.{name}", "prediction", 0.0, 1.0, SCORE_EDGES)
                for name in monitor.prediction.classes or ()
            ]
        case "score":
            numbers.append(
                NumberColumn("prediction", "prediction", 0.0, 1.0, edges.get("prediction", SCORE_EDGES))
            )
        case "number":
            numbers.append(NumberColumn("prediction", "prediction", None, None, edges.get("prediction", ())))
    numbers.append(NumberColumn(LATENCY, "latency"))
    return Layout(monitor.model, tuple(numbers), tuple(categories), frozen, segments)


def fits(monitor: Monitor, layout: Layout) -> bool:
    """Return whether a layout is one of this monitor, whatever its bins; not one of what it was before."""
    edges = {column.name: column.edges for column in layout.numbers if column.edges}
    values = {column.name: column.values for column in layout.categories if not column.closed}
    anew = compile_layout(monitor, edges=edges, values=values, segments=layout.segments, frozen=layout.frozen)
    return anew.hash == layout.hash


def unmonitored_layout(model: str) -> Layout:
    """Return the layout of a model without a monitor file: volume, latency and errors only."""
    return Layout(model, (NumberColumn(LATENCY, "latency"),), ())
