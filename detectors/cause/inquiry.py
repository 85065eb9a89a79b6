"""An alert's cause, as it is told: what drives it, and where that probably comes from."""

from dataclasses import dataclass
from typing import Any

from detectors.base import Verdict
from detectors.cause.apart import common_feature
from detectors.cause.drivers import new_categories
from detectors.cause.likely import Found, Likely, likely
from detectors.cause.ranked import Ranked, ranked
from detectors.cause.scene import Place, Scene
from detectors.cause.unit import unit_change
from detectors.window import Window

#: Share of the values that a column may lack in the reference, lest lacking them is no news.
_USUALLY_THERE = 0.5
#: Kinds on the values of a number, of which the unit may have changed.
_OF_VALUES = frozenset({"FeatureDrift", "MeanShift", "OutOfRange", "ExpectationFailed"})


@dataclass(frozen=True, slots=True)
class Cause:
    """What an alert says of its cause, in words and as JSON-able data."""

    sentence: str
    told: dict[str, Any]


def inquire(
    verdict: Verdict, place: Place, scene: Scene, window: Window, usual: Window | None
) -> Cause | None:
    """Return the cause of a firing verdict; None where nothing can be said of it.

    Parameters
    ----------
    place
        What the alert is about.
    window, usual
        What the verdict was made of.

    Notes
    -----
    Some dozen numpy calls; for drift of a prediction some dozen for all features together.
    """
    drives = ranked(verdict, window, usual)
    found = _found(verdict, window, usual, drives)
    return _cause(drives, likely(verdict.kind, place, scene, found))


def glance(verdict: Verdict, place: Place, scene: Scene, others: int) -> Cause:
    """Return what can be said without a look at the column itself, where too many alerts are told at once.

    Parameters
    ----------
    others
        How many alerts are left out like this one.
    """
    left_out = f"one of {others:,} more alerts told at once that are not taken apart"
    cause = _cause(None, likely(verdict.kind, place, scene, Found()))
    if cause is None:
        return Cause(left_out, {"sentence": left_out, "drivers": []})
    sentence = f"{cause.sentence}; {left_out}"
    return Cause(sentence, cause.told | {"sentence": sentence})


def _cause(drives: Ranked | None, origin: Likely | None) -> Cause | None:
    if drives is None and origin is None:
        return None
    told: dict[str, Any] = {"sentence": "", "drivers": []} if drives is None else drives.told()
    words = [] if drives is None else [drives.sentence]
    if origin is not None:
        words.append(f"likely {origin.sentence}")
        told["likely"] = {"origin": origin.origin, "sentence": origin.sentence}
    told["sentence"] = "; ".join(words)
    return Cause(told["sentence"], told)


def _found(verdict: Verdict, window: Window, usual: Window | None, drives: Ranked | None) -> Found:
    if verdict.kind == "MultivariateDrift":
        return Found(apart=common_feature(verdict))
    if verdict.kind in ("PredictionDrift", "EstimatedPerformanceDrop"):
        features = () if drives is None else tuple(one.what for one in drives.features)
        return Found(compared=0 if drives is None else drives.compared, with_it=features)
    column = window.column(verdict.column)
    before = None if usual is None else usual.column(verdict.column)
    if column is None:
        return Found()
    if verdict.kind == "MissingValues":
        was_there = before is None or before.missing <= _USUALLY_THERE * before.rows
        return Found(missing=column.missing / max(column.rows, 1) if was_there else 0.0)
    if column.kind == "category" and verdict.kind in ("NewCategories", "FeatureDrift"):
        new = next((one.what for one in new_categories(column, before)), "")
        leads = verdict.kind == "NewCategories" or (
            drives is not None and bool(drives.drivers) and drives.drivers[0].is_new
        )
        return Found(new_category=new if leads else "")
    if before is not None and verdict.kind in _OF_VALUES:
        return Found(unit=unit_change(window, verdict.column, before))
    return Found()
