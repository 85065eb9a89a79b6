"""What a detector sees: statistics of one window, or of the reference, in the same shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.attributions import Attributions
from detectors.divergence import shares
from detectors.outcomes.window import OutcomeWindow
from detectors.pairs import Pairs

if TYPE_CHECKING:  # which knows of columns itself
    from detectors.estimation.calibration import Calibration
    from detectors.estimation.losses import LossModel

Kind = Literal["number", "category"]

_NO_COUNTS: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
_NO_VALUES: NDArray[np.float64] = np.zeros(0, dtype=np.float64)


class Matches(NamedTuple):
    """Values held against a pattern: how many, how many are as wanted, and some that are not with their counts."""

    looked: int
    met: int
    examples: Mapping[str, int]


@dataclass(frozen=True)
class Column:
    """One column's statistics over a span of event time.

    Parameters
    ----------
    name
        Feature name, ``prediction``, ``prediction.<class>`` or ``latency_ms``.
    kind
        ``number`` or ``category`` (booleans are categories ``false`` and ``true``).
    count
        Values present and valid. ``count + missing`` is the number of rows.
    missing
        Rows where the value was absent, null or, in tabular files, NaN.
    out_of_range
        Present numbers outside the monitor's ``min``/``max``; for categories, values outside ``values``.
    mean, variance, minimum, maximum
        Moments of the present numbers (population variance); NaN without numbers and for categories.
    bins
        Counts, shape ``(len(labels),)``. Numbers: bin ``i`` holds ``edges[i-1] <= x < edges[i]``.
        Categories: one per listed category in the layout's order, then one last bin for all others.
        Empty while the layout has no bins yet (a trailing reference that still warms up).
    edges
        Interior bin edges of a number, shape ``(len(bins) - 1,)``; empty for categories.
    labels
        A readable name per bin, shape ``(len(bins),)``.
    unlisted
        Categories outside the layout with their counts, a capped sample; ``bins[-1]`` has the full count.
    matched
        Of a category: its values held against its owner's patterns, by expectation and pattern.
    sketch_values, sketch_counts
        Log-bucketed histogram of the numbers: ascending bucket values and their counts.
    spans
        Of a reference: counts of spans of it in the bins and, last, of missing values; for each length
        of span one array of shape ``(spans, len(labels) + 1)``. Empty where its events have no times.
    """

    name: str
    kind: Kind
    count: int = 0
    missing: int = 0
    out_of_range: int = 0
    mean: float = float("nan")
    variance: float = float("nan")
    minimum: float = float("nan")
    maximum: float = float("nan")
    distinct: int = 0
    bins: NDArray[np.int64] = field(default_factory=lambda: _NO_COUNTS)
    edges: NDArray[np.float64] = field(default_factory=lambda: _NO_VALUES)
    labels: tuple[str, ...] = ()
    unlisted: Mapping[str, int] = field(default_factory=dict)
    matched: Mapping[tuple[str, str], Matches] = field(default_factory=dict)
    sketch_values: NDArray[np.float64] = field(default_factory=lambda: _NO_VALUES)
    sketch_counts: NDArray[np.int64] = field(default_factory=lambda: _NO_COUNTS)
    spans: tuple[NDArray[np.int64], ...] = ()

    @classmethod
    def of(cls, **fields: Any) -> "Column":
        """Return ``Column(**fields)`` in a third of the time: a hundred are made of each pane."""
        column = object.__new__(cls)
        column.__dict__.update(_ABSENT, **fields)
        return column

    @property
    def rows(self) -> int:
        """Rows the column was looked for in."""
        return self.count + self.missing

    @property
    def standard_deviation(self) -> float:
        """Population standard deviation; NaN without numbers."""
        return float(np.sqrt(self.variance))

    def is_counted_as(self, other: "Column") -> bool:
        """Return whether bins, spans and missing values are the same; trailing references are made anew."""
        return self is other or (
            self.kind == other.kind
            and self.missing == other.missing
            and self.labels == other.labels
            and np.array_equal(self.edges, other.edges)
            and np.array_equal(self.bins, other.bins)
            and len(self.spans) == len(other.spans)
            and all(map(np.array_equal, self.spans, other.spans))
        )

    @cached_property
    def binned(self) -> int:
        """Values in the bins; several detectors ask, and of a reference for every pane."""
        return int(self.bins.sum())

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Bin counts as shares of one; zeros when there are none."""
        return shares(self.bins)

    @cached_property
    def listed_shares(self) -> tuple[float, ...]:
        """`shares` to six digits, as evidence and pages have them."""
        return tuple(np.round(self.shares, 6).tolist())

    @cached_property
    def bins_fingerprint(self) -> str:
        """What tells the bins from those of another layout, whatever they hold."""
        told = repr((self.kind, self.labels, self.edges.tolist()))
        return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()

    @cached_property
    def percentiles(self) -> tuple[float, float, float]:
        """The `quantile` at 0.5, 0.95 and 0.99; pages and metrics ask for them."""
        p50, p95, p99 = quantiles([self], 0.5, 0.95, 0.99)[0].tolist()
        return p50, p95, p99

    def quantile(self, q: float) -> float:
        """Return the ``q``-quantile (0 to 1) within the sketch's relative error, clipped to min and max.

        NaN when the column holds no numbers.

        Examples
        --------
        >>> import numpy as np
        >>> column = Column("x", "number", count=4, minimum=1.0, maximum=8.0,
        ...                 sketch_values=np.array([1.0, 8.0]), sketch_counts=np.array([3, 1]))
        >>> column.quantile(0.5), column.quantile(0.99)
        (1.0, 8.0)
        """
        return float(quantiles([self], q)[0, 0])


#: What a column has that nobody gave; ``name`` and ``kind`` must be given.
_ABSENT = {name: value for name, value in vars(Column("", "number")).items() if name not in ("name", "kind")}


def quantiles(columns: Sequence[Column], *qs: float) -> NDArray[np.float64]:
    """Return `Column.quantile` of several columns, each at several ``q``, shape ``(columns, qs)``."""
    sizes = [column.sketch_counts.size for column in columns]
    until = np.cumsum(np.concatenate([_NO_COUNTS, *(column.sketch_counts for column in columns)]))
    values = np.concatenate([_NO_VALUES, *(column.sketch_values for column in columns)])
    ends = np.concatenate((np.zeros(1, np.int64), until))[np.cumsum([0, *sizes])]
    before, totals = ends[:-1, None], np.diff(ends)[:, None]
    ranks = before + np.minimum((np.array(qs) * totals).astype(np.int64), totals - 1)
    found = np.append(values, np.nan)[np.minimum(until.searchsorted(ranks, side="right"), values.size)]
    least, most = (np.array([[getattr(one, end)] for one in columns]) for end in ("minimum", "maximum"))
    return np.where(totals > 0, np.minimum(np.maximum(found, least), most), np.nan)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of event time of one model, version and segment, or the reference it is held against.

    Parameters
    ----------
    start_ms, end_ms
        Event time ``[start_ms, end_ms)`` in epoch milliseconds.
    events
        Valid events, among them those with ``error`` set (``errors``).
    invalid
        Events that broke the contract and went to the dead-letter topic; not among ``events``.
    late
        Events that came after their pane was closed; not among ``events``.
    duplicates
        Events whose ``id`` was seen before, estimated (0 within the sketch's error).
    unexpected
        Features the monitor does not list, with the number of events that carried them.
    features, prediction, latency
        The columns. ``prediction`` has one column, or one per class for ``probabilities``.
    pane
        The newest closed pane alone, in a current window.
    now_ms
        The tick's time: wall clock live, virtual time in replay.
    last_event_ms, last_record_ms
        Newest event time seen, and the broker's time of the newest record; None before the first.
    outcomes
        How good predictions were, where labels are joined: of an earlier time, whose labels are in.
    calibration
        What scores meant where labels are in; None where there are none.
    loss_model
        Which errors to expect of a number's predictions; None where none was fitted.
    pairs
        Sums over pairs of number features; None where none were counted.
    all_zero, vectors
        Events of which every number feature there is is 0, and the events that were looked at for it.
    attributions
        What the features contributed to the predictions; None where no event said.
    """

    model: str
    version: str = ""
    segment: str = ""
    start_ms: int = 0
    end_ms: int = 0
    events: int = 0
    invalid: int = 0
    late: int = 0
    errors: int = 0
    duplicates: int = 0
    unexpected: Mapping[str, int] = field(default_factory=dict)
    features: Mapping[str, Column] = field(default_factory=dict)
    prediction: Mapping[str, Column] = field(default_factory=dict)
    latency: Column | None = None
    pane: "Window | None" = None
    now_ms: int = 0
    last_event_ms: int | None = None
    last_record_ms: int | None = None
    outcomes: OutcomeWindow | None = None
    calibration: "Calibration | None" = None
    loss_model: "LossModel | None" = None
    pairs: Pairs | None = None
    all_zero: int = 0
    vectors: int = 0
    attributions: Attributions | None = None

    @property
    def events_per_second(self) -> float:
        """Valid events by event time."""
        return self.events * 1000.0 / max(self.end_ms - self.start_ms, 1)

    def column(self, name: str) -> Column | None:
        """Return the column a detector was made for, or None if the window does not carry it."""
        if name == "latency_ms" and self.latency is not None:
            return self.latency
        return self.features.get(name) or self.prediction.get(name)
