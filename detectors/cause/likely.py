"""The likely cause of an alert: rules over what fires at the same time, each said with its grounds.

The rules in their order are the table *Likely causes* in ``docs/on-call.md``; the first that holds is told.
None is proof: each says what it stands on, so that a person can check it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from detectors.cause.scene import INPUT_KINDS, LABEL_KINDS, PERFORMANCE_KINDS, ZERO_KIND, Place, Scene
from detectors.cause.unit import Turned
from detectors.sentence import listing, percent, quantity, shorten

Origin = Literal[
    "zeros", "unit", "source", "category", "column", "segment", "mix", "version", "world", "model", "inputs"
]
#: Of a source's features, the share that must move; of all others, the share that may.
SOURCE_SHARE, OTHERS_SHARE = 2 / 3, 0.1
#: Share of missing values from which on a column is no longer sent.
GONE_SHARE = 0.9
#: Of all features, the share that moves when it is the world; how many at least, and how many there must be to tell.
MANY_SHARE, LEAST_MOVED, LEAST_FEATURES = 0.5, 3, 4


@dataclass(frozen=True, slots=True)
class Likely:
    """Where the cause of an alert probably lies, in words with its grounds."""

    origin: Origin
    sentence: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the alert's own column shows.

    Parameters
    ----------
    unit
        The turn of unit that it looks like.
    new_category
        The most frequent of the categories the reference does not know; "" where there is none.
    missing
        Share of missing values (0 to 1).
    compared, with_it
        Of a prediction: features that were compared, and those that moved with it.
    apart
        Of pairs: the one feature that is in all that changed, and how many these are.
    """

    unit: Turned | None = None
    new_category: str = ""
    missing: float = 0.0
    compared: int = 0
    with_it: tuple[str, ...] = ()
    apart: tuple[str, int] = ("", 0)


Rule = Callable[[Place, Scene, Found], Likely | None]


def likely(kind: str, place: Place, scene: Scene, found: Found) -> Likely | None:
    """Return the likely cause of an alert of a kind about a place; None where no rule holds.

    Examples
    --------
    >>> scene = Scene(moving={Place("1", "", "age"), Place("1", "", "sex")},
    ...               features={"age": "crm", "sex": "crm", "price": "shop", "stock": "shop"})
    >>> likely("FeatureDrift", Place("1", "", "age"), scene, Found()).sentence
    "upstream data of source 'crm': 2 of its 2 features fire, 0 of 2 others"
    """
    if kind in INPUT_KINDS:
        rules = _OF_FEATURES
    elif kind in PERFORMANCE_KINDS:
        rules = _OF_LABELS if kind in LABEL_KINDS else _OF_ESTIMATES
    else:
        rules = {"PredictionDrift": _OF_PREDICTIONS, "MultivariateDrift": _OF_PAIRS}.get(kind, ())
    for rule in rules:
        told = rule(place, scene, found)
        if told is not None:
            return told
    return None


def _zeros(place: Place, scene: Scene, _: Found) -> Likely | None:
    if place.column in scene.features and place.column not in scene.numbers:
        return None
    if not {(place.version, place.segment), (place.version, "")}.intersection(scene.zeros):
        return None
    return Likely("zeros", f"a feature store that answers with zeros: {ZERO_KIND} fires too, start there")


def _unit(_: Place, __: Scene, found: Found) -> Likely | None:
    if found.unit is None:
        return None
    return Likely("unit", f"the column's unit changed: at all deciles values are {found.unit.words}")


def _source(place: Place, scene: Scene, _: Found) -> Likely | None:
    source = scene.features.get(place.column, "")
    own = scene.of_source.get(source, [])
    moved = set(scene.moved(place.version, place.segment))
    inside, outside = len(moved.intersection(own)), len(moved.difference(own))
    others = len(scene.features) - len(own)
    if inside < 2 or inside < SOURCE_SHARE * len(own) or outside > OTHERS_SHARE * others or not others:
        return None
    grounds = f"{inside:,} of its {quantity(len(own), 'feature')} fire, {outside:,} of {others:,} others"
    return Likely("source", f"upstream data of source {shorten(source)!r}: {grounds}")


def _gone(_: Place, __: Scene, found: Found) -> Likely | None:
    if found.missing < GONE_SHARE:
        return None
    return Likely(
        "column", f"upstream data: {percent(found.missing)} of the column is missing, it is not sent"
    )


def _category(_: Place, __: Scene, found: Found) -> Likely | None:
    if not found.new_category:
        return None
    name = shorten(found.new_category, 32)
    return Likely("category", f"a value that is new upstream, {name!r}: new in the world, or spelt otherwise")


def _segment(place: Place, scene: Scene, _: Found) -> Likely | None:
    moving, steady = scene.segments(place)
    if place.segment:
        name = _name(place.segment)
        others = [one for one in moving if one != place.segment and _name(one) == name]
        still = [one for one in steady if _name(one) == name]
        if others or not still:
            return None
        return Likely("segment", f"the traffic of segment {shorten(place.segment)} alone: {_still(still)}")
    for name in dict.fromkeys(map(_name, moving)):
        own = [one for one in moving if _name(one) == name]
        still = [one for one in steady if _name(one) == name]
        if len(own) == 1 and still:
            return Likely("segment", f"the traffic of segment {shorten(own[0])} alone: {_still(still)}")
    return None


def _mix(place: Place, scene: Scene, _: Found) -> Likely | None:
    moving, steady = scene.segments(place)
    for name in dict.fromkeys(map(_name, steady)):
        still = [one for one in steady if _name(one) == name]
        if len(still) > 1 and not any(_name(one) == name for one in moving):
            return Likely(
                "mix", f"the traffic mix: within each of {len(still):,} segments by {name} it is steady"
            )
    return None


def _version(place: Place, scene: Scene, _: Found) -> Likely | None:
    moving, steady = scene.versions(place.column)
    if place.segment or moving != [place.version] or not steady:
        return None
    version, others = shorten(place.version) or "(none)", listing([one or "(none)" for one in steady])
    return Likely(
        "version", f"version {version} alone, its release or its own preprocessing: {others} steady"
    )


def _world(place: Place, scene: Scene, _: Found) -> Likely | None:
    moved, every = len(scene.moved(place.version, place.segment)), len(scene.features)
    if every < LEAST_FEATURES or moved < max(LEAST_MOVED, MANY_SHARE * every):
        return None
    falling = sorted(scene.performance.get(place.version, ()))
    if falling:
        means = f"{listing(falling)} fires as well, so the model suffers"
    elif scene.has_labels:
        means = "no alert on performance fires, so the model holds so far"
    else:
        means = "no labels say whether the model holds"
    return Likely(
        "world", f"the world, or whom the model serves: {moved:,} of {every:,} features fire; {means}"
    )


def _alone(place: Place, scene: Scene, _: Found) -> Likely | None:
    others = len(scene.features) - 1
    if scene.moved(place.version, place.segment) != [place.column] or others < LEAST_FEATURES - 1:
        return None
    source = scene.features.get(place.column, "")
    whose = f" of source {shorten(source)!r}" if source else ""
    return Likely(
        "column", f"this column's own upstream data{whose}: none of the {others:,} other features fires"
    )


def _inputs(place: Place, scene: Scene, found: Found) -> Likely | None:
    moved = scene.moved(place.version, place.segment) or scene.moved(place.version, "")
    if not moved:
        return None
    return Likely("inputs", f"the inputs: alerts fire on {listing(_first(found.with_it, moved))} too")


def _model(place: Place, scene: Scene, found: Found) -> Likely | None:
    if not found.compared or found.with_it or scene.moved(place.version, place.segment):
        return None
    grounds = f"none of {quantity(found.compared, 'feature')} moved"
    return Likely("model", f"the model itself, a wrong version or a broken transformation: {grounds}")


def _misplaced(_: Place, __: Scene, found: Found) -> Likely | None:
    name, pairs = found.apart
    if not name:
        return None
    return Likely(
        "column",
        f"values of {shorten(name)!r} at the wrong events, as after a join by a wrong or late key: it is in all "
        f"{pairs:,} pairs that changed",
    )


def _meaning(place: Place, scene: Scene, _: Found) -> Likely | None:
    if not scene.features or scene.moved(place.version, place.segment) or scene.moved(place.version, ""):
        return None
    return Likely(
        "world", "the world: no alert on a feature fires, so the same inputs have come to mean something else"
    )


_OF_FEATURES: tuple[Rule, ...] = (
    _zeros, _unit, _source, _gone, _category, _segment, _mix, _version, _world, _alone,
)  # fmt: skip
_OF_PREDICTIONS: tuple[Rule, ...] = (_zeros, _segment, _model, _inputs, _mix, _version)
_OF_PAIRS: tuple[Rule, ...] = (_zeros, _misplaced, _segment, _mix, _version)
_OF_LABELS: tuple[Rule, ...] = (_inputs, _meaning)
_OF_ESTIMATES: tuple[Rule, ...] = (_inputs,)


def _first(names: Sequence[str], moved: Sequence[str]) -> list[str]:
    """Return what moved, that which moved furthest first."""
    return [*(one for one in names if one in moved), *(one for one in moved if one not in names)]


def _name(segment: str) -> str:
    return segment.split("=", 1)[0]


def _still(steady: Sequence[str]) -> str:
    return f"{listing(steady)} steady"
