"""The causes of the alerts that are told at once: what fires beside them, and who is looked into."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from detectors.base import Verdict
from detectors.cause.inquiry import Cause, glance, inquire
from detectors.cause.scene import INPUT_KINDS, PERFORMANCE_KINDS, ZERO_KIND, Place, Scene
from detectors.window import Window
from streams.alert_state import AlertKey, Signal, is_active
from streams.inbox import Group
from streams.monitor import Monitor

#: Alerts whose columns are looked into at a time, those furthest beyond their thresholds.
INQUIRIES = 20
_DRIFT_KINDS = frozenset({"FeatureDrift", "PredictionDrift", "MultivariateDrift"})
_COLUMN_KINDS = INPUT_KINDS | _DRIFT_KINDS
_KINDS = _COLUMN_KINDS | PERFORMANCE_KINDS


@dataclass(frozen=True, slots=True)
class Taken:
    """Verdicts on one version and segment, and what they were made of: the window and its reference."""

    group: Group
    verdicts: Sequence[Verdict]
    seen: tuple[Window, Window | None] | None = None


class Due(NamedTuple):
    """An alert that is told, by its worst verdict, and how far that is beyond its threshold."""

    key: AlertKey
    verdict: Verdict
    beyond: float
    seen: tuple[Window, Window | None]


def causes(
    monitor: Monitor,
    signals: Mapping[AlertKey, Mapping[str, Signal]],
    takes: Sequence[Taken],
    due: Iterable[Due],
) -> dict[AlertKey, Cause]:
    """Return the causes of the alerts that are due, where anything can be said of them.

    Only `INQUIRIES` of them are looked into, so that thousands of features that move at once, which is the
    very moment when nobody should wait, cost no more than some; the others tell what fires beside them.

    Parameters
    ----------
    signals
        All of the model's, with these verdicts taken.
    takes
        All that was judged at the same time.
    """
    asked = sorted(
        (one for one in due if one.key.kind in _KINDS), key=lambda one: (-one.beyond, one.key)
    )  # fmt: skip
    if not asked:
        return {}
    scene, found = scene_of(monitor, signals, takes), {}
    for rank, (key, verdict, _, seen) in enumerate(asked):
        place = Place(key.version, key.segment, key.column)
        if rank < INQUIRIES:
            cause = inquire(verdict, place, scene, *seen)
        else:
            cause = glance(verdict, place, scene, len(asked) - INQUIRIES)
        if cause is not None:
            found[key] = cause
    return found


def scene_of(
    monitor: Monitor, signals: Mapping[AlertKey, Mapping[str, Signal]], takes: Sequence[Taken]
) -> Scene:
    """Return what fires about a model, and what has just been judged well.

    What was judged earlier does not count as steady: so a judge that was restored in between tells the same.
    """
    active = [key for key, held in signals.items() if is_active(held.values())]
    moving = {Place(key.version, key.segment, key.column) for key in active if key.kind in _COLUMN_KINDS}
    performance: dict[str, set[str]] = {}
    for key in active:
        if key.kind in PERFORMANCE_KINDS:
            performance.setdefault(key.version, set()).add(key.kind)
    well, ill = set(), set(moving)
    for taken in takes:
        for verdict in taken.verdicts:
            if verdict.kind in _COLUMN_KINDS and verdict.status == "firing":
                ill.add(Place(*taken.group, verdict.column))
            elif verdict.kind in _DRIFT_KINDS and verdict.status == "ok":
                well.add(Place(*taken.group, verdict.column))
    return Scene(
        moving=moving,
        steady=well - ill,
        performance=performance,
        features={name: feature.source for name, feature in monitor.features.items()},
        has_labels=monitor.labels is not None,
        zeros={(key.version, key.segment) for key in active if key.kind == ZERO_KIND},
        numbers={name for name, feature in monitor.features.items() if feature.type == "number"},
    )
