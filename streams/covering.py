"""One cause, one alert: what an alert says already is not told again by others.

An alert *covers* another of the same version and column where it is of the same kind and about the model as a
whole while the other is about a segment, or where its kind says more of the same (`Detector.also`): new
categories are a drift too. What is covered is *held*: not told, but named in the alert that covers it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from detectors.registry import DETECTORS, AnyDetector
from streams.alert_state import Alert, AlertKey

#: Alerts of different kinds have one cause only where they begin within this, or the current window if longer.
TOGETHER_MS = 600_000
_RANK = {"info": 0, "warning": 1, "critical": 2}
_SEGMENTS_SHOWN = 10
_ALSO_SHOWN = 5

Under = Mapping[AlertKey, tuple[AlertKey, ...]]


class Held(msgspec.Struct):
    """An alert that is not told, for another covers it; until when (event time, epoch ms) one did."""

    alert: Alert
    covered_ms: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of alerts: those to hold from now on, each by which; those to tell; and what each covers."""

    taken_in: Mapping[AlertKey, AlertKey]
    released: tuple[AlertKey, ...]
    under: Under


def kinds_over(detectors: Iterable[type[AnyDetector]]) -> dict[str, frozenset[str]]:
    """Return by alert kind those that cover it, directly or through a third."""
    over: dict[str, set[str]] = {}
    for detector in detectors:
        for kind in detector.also:
            over.setdefault(kind, set()).add(detector.kind)
    grown = True
    while grown:
        grown = False
        for above in over.values():
            more = set().union(*(over.get(kind, ()) for kind in above)) - above
            above |= more
            grown = grown or bool(more)
    return {kind: frozenset(above) for kind, above in over.items()}


OVER = kinds_over(DETECTORS.values())


def rank(key: AlertKey) -> tuple[int, bool, AlertKey]:
    """Return what orders alerts so that each comes after all that may cover it."""
    return len(OVER.get(key.kind, ())), bool(key.segment), key


def cover(
    key: AlertKey, alert: Alert, told: Mapping[AlertKey, Alert], *, together_ms: int = TOGETHER_MS
) -> AlertKey | None:
    """Return which of the alerts told covers this one; None where none does.

    None that is less severe, and none that began more than ``together_ms`` after it: what stands on its own
    for so long stays. One of another kind must have begun at most ``together_ms`` before it, too.
    """
    kinds = (key.kind, *sorted(OVER.get(key.kind, ()), key=lambda kind: (len(OVER.get(kind, ())), kind)))
    for kind in kinds:
        for segment in dict.fromkeys(("", key.segment)):
            above = AlertKey(kind, key.version, segment, key.column)
            found = told.get(above)
            if found is None or above == key or _RANK[found.severity] < _RANK[alert.severity]:
                continue
            after_ms = alert.starts_at_ms - found.starts_at_ms
            if after_ms >= -together_ms and (kind == key.kind or after_ms <= together_ms):
                return above
    return None


def settle(
    told: Mapping[AlertKey, Alert],
    held: Mapping[AlertKey, Held],
    at_ms: int,
    *,
    together_ms: int = TOGETHER_MS,
    grace_ms: int = 0,
) -> Settled:
    """Return what becomes of the alerts that fire, told or held.

    What is held and covered no longer is told once that has been so for ``grace_ms``: at the end of an
    incident, segments and other kinds take a little longer to be well.
    """
    firing = {key: one.alert for key, one in held.items()} | dict(told)
    standing: dict[AlertKey, Alert] = {}
    taken_in: dict[AlertKey, AlertKey] = {}
    released: list[AlertKey] = []
    under: dict[AlertKey, list[AlertKey]] = {}
    for key in sorted(firing, key=rank):
        by = cover(key, firing[key], standing, together_ms=together_ms)
        if by is not None:
            under.setdefault(by, []).append(key)
            if key in told:
                taken_in[key] = by
        elif key in told:
            standing[key] = firing[key]
        elif at_ms - held[key].covered_ms >= grace_ms:
            standing[key] = firing[key]
            released.append(key)
    return Settled(taken_in, tuple(released), {by: tuple(keys) for by, keys in under.items()})


def words(by: AlertKey, under: Under, held: Mapping[AlertKey, Held]) -> dict[str, str]:
    """Return the annotations in which an alert names what it covers: ``segments``, and ``also``."""
    keys = [key for key in under.get(by, ()) if key in held]
    found: dict[str, str] = {}
    segments = sorted({key.segment for key in keys if key.segment != by.segment})
    if segments:
        found["segments"] = _listed(segments, _SEGMENTS_SHOWN, ", ")
    others = [key for key in keys if key.kind != by.kind and key.segment == by.segment]
    if others:
        told = [f"{key.kind}: {held[key].alert.annotations.get('summary', key.column)}" for key in others]
        found["also"] = _listed(told, _ALSO_SHOWN, "; ")
    return found


def _listed(names: list[str], shown: int, between: str) -> str:
    more = f"{between}and {len(names) - shown} more" if len(names) > shown else ""
    return between.join(names[:shown]) + more
