"""Alert states, in event time: inactive, pending, firing, resolved.

A *signal* is what one detector says of one column; it is pending from its first firing verdict, and
active once that has held for ``for``. An alert is active while any of its signals is. *Insufficient*
changes nothing: it never resolves.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from detectors.base import Verdict

#: A firing signal is well again only when its score is clearly below the threshold.
CLEAR_RATIO = 0.9


class SignalState(StrEnum):
    """Where a signal stands."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


class Signal(msgspec.Struct):
    """One detector's say on one column; times are event time, epoch ms."""

    state: SignalState = SignalState.INACTIVE
    since_ms: int = 0
    well_since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a signal must fire before it counts, and be well before it stops; milliseconds."""

    for_ms: int
    clear_for_ms: int


def step(signal: Signal, verdict: Verdict, at_ms: int, patience: Patience) -> Signal:
    """Return the signal after a verdict at event time ``at_ms``."""
    if verdict.status == "insufficient":
        return signal
    if verdict.status == "firing":
        if signal.state is SignalState.FIRING:
            return Signal(SignalState.FIRING, signal.since_ms)
        since_ms = signal.since_ms if signal.state is SignalState.PENDING else at_ms
        held = at_ms - since_ms >= patience.for_ms
        return Signal(SignalState.FIRING if held else SignalState.PENDING, since_ms)
    if signal.state is not SignalState.FIRING:
        return Signal()
    if verdict.score > CLEAR_RATIO * verdict.threshold:
        return Signal(SignalState.FIRING, signal.since_ms)
    well_since_ms = at_ms if signal.well_since_ms is None else signal.well_since_ms
    if at_ms - well_since_ms >= patience.clear_for_ms:
        return Signal()
    return Signal(SignalState.FIRING, signal.since_ms, well_since_ms)


class AlertKey(msgspec.Struct, frozen=True, array_like=True, order=True):
    """What an alert is about; with the model, its identity."""

    kind: str
    version: str
    segment: str
    column: str


class Alert(msgspec.Struct):
    """An alert that fires: since when (event time), and what was last told of it, and when.

    ``pending_since_ms`` is the first verdict that led to it; None where it is not known. ``no_data_ms``: since when
    (event time) it could not be judged, where that is so.
    """

    starts_at_ms: int
    severity: str
    told_ms: int
    annotations: dict[str, str] = {}
    pending_since_ms: int | None = None
    no_data_ms: int | None = None


def is_active(signals: Iterable[Signal]) -> bool:
    """Return whether any signal fires."""
    return any(signal.state is SignalState.FIRING for signal in signals)


def subject(column: str) -> str:
    """Return what an alert says it is about: a feature or prediction, or "" for the model itself."""
    return "" if column == "latency_ms" else column


def telling(
    verdicts: Sequence[Verdict], group: tuple[str, str], standing: Iterable[AlertKey]
) -> list[Verdict]:
    """Return the verdicts on a version and segment that change anything, or could.

    Those about what fires now, or has an alert or a signal ``standing``. Most verdicts say that nothing is, where
    nothing was.
    """
    told = {(key.kind, key.column) for key in standing if (key.version, key.segment) == group}
    told |= {(one.kind, subject(one.column)) for one in verdicts if one.status == "firing"}
    return [one for one in verdicts if (one.kind, subject(one.column)) in told] if told else []
