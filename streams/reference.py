"""The reference: what the current window is held against.

From a file (``driftline reference build``), from the model's own trailing panes, or from another
version's. The bins of all three come from here.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.estimation.scored import Scored
from streams import sketch
from streams.layout import Layout, NumberColumn, compile_layout
from streams.monitor import Monitor
from streams.profile import Profile
from streams.reference_losses import LossTable
from streams.segment_values import are_known, counted, of_counts
from streams.spans import width
from streams.wire import Part, parts_of, profile_of

FORMAT = "driftline-reference/2"
BINS = 10
#: With fewer rows a reference says nothing, and there is none; below `FEW_ROWS` it says little.
MIN_ROWS = 30
FEW_ROWS = 200
#: Categories rarer than this in the reference count as "other".
MIN_CATEGORY_SHARE = 0.001
MAX_CATEGORIES = 100
# Ten bins of equal probability of a standard normal distribution.
_NORMAL_DECILES = (-1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816)


class ReferenceError(ValueError):
    """A reference file that cannot be used; the message says why and what to do."""


class ReferenceFile(msgspec.Struct):
    """A reference as it is stored: JSON, with the layout, the statistics, and where they come from."""

    format: str
    model: str
    source: str
    source_sha256: str
    rows: int
    start_ms: int
    end_ms: int
    layout: Layout
    profile: list[bytes]
    spans: list[bytes] = []
    scored: dict[str, bytes] = {}
    pair_spans: bytes = b""
    losses: LossTable | None = None
    attribution_spans: bytes = b""

    def read(self) -> Profile:
        """Return the statistics."""
        return profile_of(self.layout, [msgspec.msgpack.decode(raw, type=Part) for raw in self.profile])

    def read_scored(self) -> dict[str, Scored]:
        """Return the scores whose labels the data has, by class; none where it has no labels."""
        return {name: _scored(zlib.decompress(raw)) for name, raw in self.scored.items()}

    def read_spans(self) -> tuple[NDArray[np.int64], ...]:
        """Return the counts of its spans by their length (`streams.spans`); none where the data has no times."""
        columns = width(self.layout)
        return tuple(
            np.frombuffer(zlib.decompress(raw), "<u4").reshape(-1, columns).astype(np.int64)
            for raw in self.spans
        )

    def read_attribution_spans(self) -> tuple[NDArray[np.float64], ...]:
        """Return the sums of its spans over attributions; none where there are none."""
        if not self.attribution_spans:
            return ()
        columns = 1 + 2 * len(self.layout.features)
        return (np.frombuffer(zlib.decompress(self.attribution_spans), "<f8").reshape(-1, columns),)

    def read_pair_spans(self, profile: Profile) -> tuple[NDArray[np.int64], ...]:
        """Return the sums of its spans over the pairs of its `read` profile; none where there are none."""
        if not self.pair_spans or profile.pairs is None:
            return ()
        columns = len(profile.pairs.row())
        return (np.frombuffer(zlib.decompress(self.pair_spans), "<i8").reshape(-1, columns).astype(np.int64),)


def number_edges(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, ...]:
    """Return interior edges of about ten bins of equal counts; fewer where values repeat.

    A column with few distinct values gets an edge between each two of them.

    Parameters
    ----------
    values
        The reference's finite numbers, shape ``(n,)``.
    """
    if not values.size:
        return ()
    distinct = np.unique(values)
    if distinct.size <= BINS + 2:
        middles = (distinct[:-1] + distinct[1:]) / 2
        return _ascending([*middles, np.nextafter(distinct[-1], np.inf)] if distinct.size == 1 else middles)
    return _ascending(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))


def sketched_edges(profile: Profile, position: int) -> tuple[float, ...]:
    """Return interior edges from a profile's sketch, or from its moments where the sketch is too coarse.

    A sketch bucket is about 3 % wide; numbers far from zero with little spread (a pressure in hPa) fall
    in few buckets, and are cut at the deciles of a normal distribution instead.
    """
    values, counts = profile.column_sketch(position)
    total = int(counts.sum())
    if total == 0:
        return ()
    deviation = float(np.sqrt(profile.squares[position] / max(int(profile.count[position]), 1)))
    if deviation == 0.0:
        return (float(np.nextafter(profile.maximum[position], np.inf)),)
    coarse = float(np.max(np.abs(values))) * 2 * sketch.RELATIVE_ERROR
    if coarse > deviation / 4 and len(values) > 1 and not _few_values(profile, position):
        return _ascending([float(profile.mean[position]) + deviation * z for z in _NORMAL_DECILES])
    if len(values) <= BINS + 2:
        return _ascending((values[:-1] + values[1:]) / 2)
    ranks = np.linspace(0, 1, BINS + 1)[1:-1] * total
    return _ascending(values[np.searchsorted(np.cumsum(counts), ranks)])


def _few_values(profile: Profile, position: int) -> bool:
    return sketch.distinct(profile.registers[position]) <= BINS + 2


def _ascending(edges: Any) -> tuple[float, ...]:
    return tuple(float(edge) for edge in np.unique(np.asarray(edges, dtype=np.float64)))


def listed_categories(counts: dict[str, int]) -> tuple[str, ...]:
    """Return the categories worth a bin: the most frequent, in order of name."""
    total = sum(counts.values())
    frequent = sorted(counts, key=lambda name: (-counts[name], name))[:MAX_CATEGORIES]
    return tuple(sorted(name for name in frequent if counts[name] >= MIN_CATEGORY_SHARE * total))


def category_counts(profile: Profile, position: int) -> dict[str, int]:
    """Return a category column's counts by name, listed and unlisted."""
    spec = profile.layout.categories[position]
    start, end = profile.layout.category_offsets[position : position + 2]
    listed = dict(zip(spec.values, profile.category_counts[start : end - 1].tolist(), strict=True))
    return {name: count for name, count in (listed | profile.unlisted[position]).items() if count}


def layout_from(monitor: Monitor, warm_up: Profile, segments: Mapping[str, int]) -> Layout:
    """Return a monitor's layout with bins frozen from what its warm-up saw.

    Parameters
    ----------
    segments
        Events of each segment (``country=DE``) in the warm-up.
    """
    edges = {
        column.name: sketched_edges(warm_up, position)
        for position, column in enumerate(warm_up.layout.numbers)
        if needs_edges(column)
    }
    values = {
        column.name: listed_categories(category_counts(warm_up, position))
        for position, column in enumerate(warm_up.layout.categories)
        if not column.closed
    }
    found = of_counts(counted(monitor.segments, segments))
    return compile_layout(monitor, edges=edges, values=values, segments=found, frozen=True)


def needs_edges(column: NumberColumn) -> bool:
    """Return whether a number column has no bins and is one that drift is judged on."""
    return not column.edges and column.role != "latency"


def is_complete(monitor: Monitor, layout: Layout) -> bool:
    """Return whether the layout has what it needs; of a column without values there are no bins to be had."""
    return layout.frozen or (
        are_known(monitor, layout)
        and not any(needs_edges(column) for column in layout.numbers)
        and all(column.closed or column.values for column in layout.categories)
    )


def dump(reference: ReferenceFile) -> bytes:
    """Return a reference file's bytes."""
    return msgspec.json.format(msgspec.json.encode(reference), indent=1)


def load(raw: bytes, model: str) -> ReferenceFile:
    """Return a reference file.

    Raises
    ------
    ReferenceError
        If it is none, of another format or of another model.
    """
    try:
        found = msgspec.json.decode(raw, type=ReferenceFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReferenceError(
            f"not a reference file ({error}); build it with `driftline reference build`"
        ) from error
    if found.format != FORMAT:
        raise ReferenceError(
            f"format {found.format!r}; this version reads {FORMAT!r}: build the reference again"
        )
    if found.rows < MIN_ROWS:
        raise ReferenceError(
            f"it was built from {found.rows:,} rows, at least {MIN_ROWS} are needed: build it from more data"
        )
    if found.model != model:
        raise ReferenceError(f"it was built for model {found.model!r}, the monitor is of {model!r}")
    return found


def pack(profile: Profile) -> list[bytes]:
    """Return a profile as it is stored in a reference file."""
    return parts_of(profile)


def pack_spans(counts: Sequence[NDArray[np.int64]]) -> list[bytes]:
    """Return the counts of spans as they are stored in a reference file."""
    return [zlib.compress(one.astype("<u4").tobytes(), 9) for one in counts]


def pack_pair_spans(rows: NDArray[np.int64]) -> bytes:
    """Return the sums of spans over pairs as they are stored in a reference file."""
    return zlib.compress(rows.astype("<i8").tobytes(), 9) if len(rows) else b""


def pack_attribution_spans(rows: NDArray[np.float64]) -> bytes:
    """Return the sums of spans over attributions as they are stored in a reference file."""
    return zlib.compress(rows.astype("<f8").tobytes(), 9) if len(rows) else b""


def _scored(raw: bytes) -> Scored:
    table: list[list[int]] = np.frombuffer(raw, "<i8").reshape(-1, 3).tolist()
    return Scored.of([(place, no, yes) for place, no, yes in table])


def pack_scored(found: Mapping[str, Scored]) -> dict[str, bytes]:
    """Return labelled scores by class as they are stored in a reference file."""
    return {
        name: zlib.compress(np.array(one.rows(), "<i8").reshape(-1, 3).tobytes(), 9)
        for name, one in found.items()
    }
