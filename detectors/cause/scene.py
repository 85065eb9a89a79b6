"""What fires at the same time about one model: the ground on which a likely cause stands."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

#: Alert kinds on what the model is given.
INPUT_KINDS = frozenset(
    {
        "FeatureDrift",
        "MeanShift",
        "MissingValues",
        "NewCategories",
        "VanishedCategories",
        "OutOfRange",
        "ConstantColumn",
        "ExpectationFailed",
    }
)
#: The alert kind on events that hold nothing but zeros.
ZERO_KIND = "AllZeroEvents"
#: Alert kinds on how well the model predicts, by labels and by scores alone.
LABEL_KINDS = frozenset({"PerformanceDrop", "ConceptDrift", "CalibrationDrift"})
PERFORMANCE_KINDS = LABEL_KINDS | {"EstimatedPerformanceDrop"}


class Place(NamedTuple):
    """What an alert is about: a column of a version, whole or one segment of it."""

    version: str
    segment: str
    column: str


@dataclass(frozen=True)
class Scene:
    """What fires about a model now, and what was judged well at the same time.

    Parameters
    ----------
    moving
        Columns on which an alert of `INPUT_KINDS` fires, or one on the prediction's drift.
    steady
        Columns that were judged in this very pane and found well by every detector of these kinds.
    performance
        Kinds of `PERFORMANCE_KINDS` that fire, by version.
    features
        The monitor's features, each with its ``source`` or "".
    has_labels
        Labels are joined, so that silence of `PERFORMANCE_KINDS` says something.
    zeros
        Versions and segments ("" is the whole) in which events come whose numbers are all 0.
    numbers
        Those of the features that are numbers.
    """

    moving: Collection[Place] = ()
    steady: Collection[Place] = ()
    performance: Mapping[str, Collection[str]] = field(default_factory=dict)
    features: Mapping[str, str] = field(default_factory=dict)
    has_labels: bool = False
    zeros: Collection[tuple[str, str]] = ()
    numbers: Collection[str] = ()

    def moved(self, version: str, segment: str) -> list[str]:
        """Return the features that move in a version and segment, in the order of their names."""
        return self._by_group.get((version, segment), [])

    @cached_property
    def of_source(self) -> dict[str, list[str]]:
        """The features of each source."""
        found: dict[str, list[str]] = {}
        for name, source in self.features.items():
            if source:
                found.setdefault(source, []).append(name)
        return found

    def segments(self, place: Place) -> tuple[list[str], list[str]]:
        """Return the segments in which a column moves, and in which it was judged and is steady."""
        key = (place.version, place.column)
        return self._segments_moving.get(key, []), self._segments_steady.get(key, [])

    def versions(self, column: str) -> tuple[list[str], list[str]]:
        """Return the versions in which a column as a whole moves, and in which it is steady."""
        return self._versions_moving.get(column, []), self._versions_steady.get(column, [])

    @cached_property
    def _by_group(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for place in sorted(self.moving):
            if place.column in self.features:
                found.setdefault((place.version, place.segment), []).append(place.column)
        return found

    @cached_property
    def _segments_moving(self) -> dict[tuple[str, str], list[str]]:
        return _segments(self.moving)

    @cached_property
    def _segments_steady(self) -> dict[tuple[str, str], list[str]]:
        return _segments(self.steady)

    @cached_property
    def _versions_moving(self) -> dict[str, list[str]]:
        return _versions(self.moving)

    @cached_property
    def _versions_steady(self) -> dict[str, list[str]]:
        return _versions(self.steady)


def _segments(places: Iterable[Place]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for place in sorted(places):
        if place.segment:
            found.setdefault((place.version, place.column), []).append(place.segment)
    return found


def _versions(places: Iterable[Place]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place in sorted(places):
        if not place.segment:
            found.setdefault(place.column, []).append(place.version)
    return found
