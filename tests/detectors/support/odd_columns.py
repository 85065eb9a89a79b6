"""Windows of many columns that have little in common, some of them degenerate, pane after pane."""

from dataclasses import replace

import numpy as np
from detector_windows import PANE_MS, category, number, pane
from numpy.typing import NDArray

from detectors.window import Column, Window

#: Columns by name; what becomes of each is said in `_columns`.
NUMBERS = (
    "steady", "fine", "coarse", "one_bin", "ties", "constant", "moves", "rhythm", "gaps", "vanishes", "never",
    "rare_bins", "late", "rebinned", "wide_range",
)  # fmt: skip
CATEGORIES = ("plan", "tail", "renamed", "pair", "gone", "new_names", "kind_changes")
PANES, ROWS = 12, 150
_TAIL = 1 / np.arange(1, 41) ** 1.5


def odd_windows(seed: int) -> list[tuple[Window, Window | None]]:
    """Return windows with their newest panes and references; the reference moves on half way."""
    rng = np.random.default_rng(seed)
    panes = [_columns(rng, ROWS, at) for at in range(PANES)]
    references = [_reference(rng, size) for size in (20_000, 24_000)]
    found: list[tuple[Window, Window | None]] = []
    for at, columns in enumerate(panes):
        newest = pane(at, *columns.values(), events=ROWS)
        whole = _columns(rng, ROWS * min(at + 1, 5), at)
        current = replace(newest, features=whole, events=ROWS * min(at + 1, 5))
        found.append((current, None if at == 0 else references[at // (PANES // 2)]))
    return found


def _reference(rng: np.random.Generator, size: int) -> Window:
    columns = _columns(rng, size, 0)
    columns["late"] = Column("late", "number")
    columns["kind_changes"] = number(rng.normal(size=size), name="kind_changes")
    held = {name: replace(one, spans=_spans(rng, one)) for name, one in columns.items()}
    return replace(pane(0, *held.values(), events=size), start_ms=0, end_ms=40 * PANE_MS, pane=None)


def _spans(rng: np.random.Generator, column: Column) -> tuple[NDArray[np.int64], ...]:
    """Return counts of 40 spans; those of `rhythm` swing, `coarse` has none."""
    if column.name == "coarse" or not column.bins.sum():
        return ()
    shares = (column.bins + 0.5) / (column.bins + 0.5).sum()
    swing = 0.4 * np.sin(np.arange(40) / 12 * 2 * np.pi) if column.name == "rhythm" else np.zeros(40)
    tilted = shares * np.exp(swing[:, None] * np.linspace(-1.0, 1.0, shares.size))
    tilted /= tilted.sum(axis=1, keepdims=True)
    rows = np.array([rng.multinomial(column.count // 40 + 1, one) for one in tilted])
    return (np.column_stack((rows, rng.binomial(5, 0.3, 40))),)


def _columns(rng: np.random.Generator, size: int, at: int) -> dict[str, Column]:
    numbers = [_number(rng, name, size, at) for name in NUMBERS]
    categories = [_category(rng, name, size, at) for name in CATEGORIES]
    return {one.name: one for one in (*numbers, *categories) if one is not None}


def _number(rng: np.random.Generator, name: str, size: int, at: int) -> Column | None:
    values, edges, missing = rng.normal(size=size), np.linspace(-1.5, 1.5, 9), 0
    match name:
        case "fine":
            edges = np.linspace(-2.0, 2.0, 30)
        case "coarse":
            edges = np.array([0.0])
        case "one_bin":
            edges = np.zeros(0)
        case "ties":
            values, edges = np.round(values), np.array([-1.0, 0.0, 1.0])
        case "constant":
            values = np.full(size, 7.0)
        case "moves":
            values = values + (1.0 if at > 6 else 0.0)
        case "rhythm":
            values = values + 0.3 * np.sin(at / 12 * 2 * np.pi)
        case "gaps":
            missing = int(rng.binomial(size, 0.5 if at > 8 else 0.1))
        case "vanishes" if at > 7:
            values, missing = values[:0], size
        case "never":
            values, missing = values[:0], size
        case "rare_bins":
            edges = np.array([-4.0, -3.5, -3.0, -2.5, -2.0, 0.0, 2.0, 2.5, 3.0, 3.5, 4.0])
        case "late" if at < 3:
            return None
        case "rebinned" if at > 5:
            edges = edges + 0.1
        case "wide_range":
            values = np.exp(5 * values)
            edges = np.exp(np.linspace(-6.0, 6.0, 13))
    kept = values[: max(values.size - missing, 0)]
    return number(kept, name=name, edges=edges, missing=missing, low=-3.0, high=3.0)


def _category(rng: np.random.Generator, name: str, size: int, at: int) -> Column:
    shares, listed, unlisted = np.array([0.6, 0.3, 0.1]), ["free", "pro", "team"], {}
    match name:
        case "tail":
            shares, listed = _TAIL / _TAIL.sum(), [f"c{place}" for place in range(_TAIL.size)]
        case "renamed" if at > 6:
            shares, unlisted = np.array([0.9, 0.0, 0.1]), {"Pro": size // 3}
        case "pair":
            shares, listed = np.array([0.5, 0.5]), ["false", "true"]
        case "gone" if at > 4:
            shares = np.array([0.0, 0.9, 0.1])
        case "new_names":
            unlisted = {f"n{place}": 1 + place % 3 for place in range(at)}
    counts = [int(one) for one in rng.multinomial(size, shares)]
    return category(counts, name=name, listed=listed, **unlisted)
