"""What Redis holds: a projection for pages and scripts, in these shapes and under these keys.

============================================  =======  ====================================================
key                                           type     value
============================================  =======  ====================================================
``driftline:models``                          HASH     model -> `ModelSummary`
``driftline:model:<m>``                       STRING   `ModelView`: the current window, reference beside it
``driftline:model:<m>:panes``                 ZSET     `PaneRow`, scored by end; the newest `PANES_KEPT`
``driftline:model:<m>:verdicts``              HASH     ``detector|feature|version|segment`` -> `VerdictRow`
``driftline:model:<m>:alerts``                HASH     fingerprint -> `AlertRow`: firing, and lately resolved
``driftline:alerts``                          HASH     fingerprint -> `AlertRow`: those of no model
``driftline:workers``                         HASH     worker -> `WorkerRow`
============================================  =======  ====================================================

Values are JSON. Keys of a model expire `TTL_S` after its last pane. Nothing is kept here alone: the
topics are the record, and the projection is written again after a flush. What the desk shows: `streams.desk_views`.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from alerts.alert import AlertUpsert
from detectors.base import Status
from streams.finite import finite

PREFIX = "driftline"
PANES_KEPT = 2160
RESOLVED_KEPT = 50
TTL_S = 7 * 24 * 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: JSON has no infinity: such a score is the largest number there is.
Finite = Annotated[float, AfterValidator(finite)]
State = Literal["ok", "firing", "warming", "silent", "unmonitored"]


class Bin(BaseModel):
    """One bar of a distribution; shares of one."""

    label: str
    current: float
    reference: float | None = None


class ColumnView(BaseModel):
    """A column's current window with its reference beside it."""

    name: str
    kind: Literal["number", "category"]
    count: int
    missing: int
    out_of_range: int
    mean: float | None = None
    standard_deviation: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    distinct: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    reference_mean: float | None = None
    reference_missing_rate: float | None = None
    bins: list[Bin] = []
    unlisted: dict[str, int] = {}


class WindowView(BaseModel):
    """The current window of one version ("" where events carry none) and segment ("" is all of them)."""

    version: str
    segment: str
    start_ms: int
    end_ms: int
    events: int
    invalid: int
    late: int
    errors: int
    duplicates: int
    events_per_second: float
    not_judged: str | None = Field(default=None, description="why there is no verdict yet")
    share: float | None = Field(
        default=None, description="of a segment: its part of the version's events (0 to 1)"
    )
    unexpected: dict[str, int] = {}
    features: list[ColumnView] = []
    prediction: list[ColumnView] = []
    latency: ColumnView | None = None


class ModelSummary(BaseModel):
    """One line of the fleet page."""

    model: str
    team: str = ""
    state: State
    versions: list[str] = []
    events_per_second: float = 0.0
    error_rate: float = 0.0
    invalid_rate: float = 0.0
    latency_p99_ms: float | None = None
    firing: int = 0
    not_judged: str | None = None
    last_event_ms: int | None = None
    updated_ms: int


class ModelView(BaseModel):
    """Everything the model page shows but its series, verdicts and alerts."""

    summary: ModelSummary
    windows: list[WindowView]
    segments: list[str] = Field(default=[], description="where each segment's values come from, in words")


class PaneColumn(BaseModel):
    """A column in a closed pane."""

    count: int
    missing: int
    out_of_range: int = 0
    mean: float | None = None
    standard_deviation: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class PaneRow(BaseModel):
    """A closed pane, as ``GET /api/v1/models/<m>/panes`` returns it. Times are RFC 3339."""

    start: str
    end: str
    version: str
    segment: str = ""
    events: int
    invalid: int
    late: int
    errors: int = 0
    duplicates: int = 0
    all_zero: int = Field(default=0, description="events whose number features, two or more, are all 0")
    features: dict[str, PaneColumn] = {}
    prediction: dict[str, PaneColumn] = {}
    latency_ms: PaneColumn | None = None


def pane_place(row_json: str) -> str:
    """Return the beginning of a pane row's text that says which pane it is: start, end, version and segment.

    Examples
    --------
    >>> pane_place('{"start":"a","end":"b","version":"1","segment":"","events":3,"invalid":0}')
    '{"start":"a","end":"b","version":"1","segment":""'
    """
    return row_json.partition(',"events":')[0]


class VerdictRow(BaseModel):
    """The latest verdict of one detector on one column; also a line of ``--verdicts-out``."""

    at: str
    model: str
    version: str
    detector: str
    kind: str
    feature: str
    segment: str
    status: Status
    score: Finite
    threshold: Finite
    firing: bool
    samples: int
    sentence: str
    evidence: dict[str, Any] = {}


class AlertRow(BaseModel):
    """An alert of a model, or of the fleet; also a line of ``--alerts-out``."""

    at: str
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: str
    endsAt: str | None = None

    @classmethod
    def of(cls, upsert: AlertUpsert) -> "AlertRow":
        """Return the row of an upsert."""
        return cls(
            at=rfc3339(upsert.pane_end_ms),
            status=upsert.status,
            labels=upsert.labels,
            annotations=upsert.annotations,
            startsAt=rfc3339(upsert.starts_at_ms),
            endsAt=None if upsert.ends_at_ms is None else rfc3339(upsert.ends_at_ms),
        )


#: A worker's stages; ``join`` runs where a monitor has ``labels:``.
StageName = Literal["profile", "judge", "desk", "join"]


class WorkerRow(BaseModel):
    """A stage's heartbeat."""

    worker: str
    stage: StageName
    at_ms: int
    partitions: int
    lag: int
    caught_up: bool


@lru_cache(maxsize=256)
def rfc3339(at_ms: int) -> str:
    """Return an epoch-millisecond time as RFC 3339 in UTC.

    Examples
    --------
    >>> rfc3339(0), rfc3339(-86_399_999)
    ('1970-01-01T00:00:00.000Z', '1969-12-31T00:00:00.001Z')
    """
    at = _EPOCH + timedelta(milliseconds=at_ms)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
