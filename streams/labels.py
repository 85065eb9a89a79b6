"""Caps on what producers may name: versions and segment values of a model, in arrival order.

Each row is judged by the rows before it alone, so that any chunking gives the same labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.events import MAX_NAME_LENGTH
from streams.monitor import DAY_MS
from streams.segment_settings import OTHER, SEGMENT_VALUES_KEPT

VERSIONS_KEPT = 20


@dataclass(frozen=True, slots=True)
class Versions:
    """The version each row counts under, and when versions came to be known or were let go.

    ``changes`` are (row, version, known from that row on), ascending by row.
    """

    labels: Sequence[str]
    known: frozenset[str]
    changes: list[tuple[int, str, bool]] = field(default_factory=list)

    def is_known(self, version: str, before_row: int) -> bool:
        """Return whether a version was known when ``before_row`` of the rows had come."""
        about = [(row, known) for row, name, known in self.changes if name == version]
        before = [known for row, known in about if row < before_row]
        if before:
            return before[-1]
        return not about[0][1] if about else version in self.known


def label_versions(
    seen_ms: dict[str, int], versions: Sequence[str], counted: NDArray[np.bool_], newest_ms: NDArray[np.int64]
) -> Versions:
    """Return the label of each row: its version, or "other" where too many are alive.

    A version that was not seen for a day of event time gives way to a new one.

    Parameters
    ----------
    seen_ms
        Known versions and the event time they were last seen, epoch ms; brought up to date.
    versions, counted, newest_ms
        Per row: its version, whether it counts, and the newest event time up to and with it.
    """
    if set(versions) <= seen_ms.keys():
        _touch(seen_ms, versions, counted, newest_ms)
        return Versions(versions, frozenset(seen_ms))
    labels: list[str] = []
    changes: list[tuple[int, str, bool]] = []
    for row, (version, counts, at_ms) in enumerate(
        zip(versions, counted.tolist(), newest_ms.tolist(), strict=True)
    ):
        if counts and version not in seen_ms and (room := _room(seen_ms, at_ms)) is not None:
            changes += [(row, name, False) for name in room]
            changes.append((row, version, True))
            seen_ms[version] = at_ms
        known = version in seen_ms
        if known and counts:
            seen_ms[version] = at_ms
        labels.append(version if known else OTHER)
    return Versions(labels, frozenset(seen_ms), changes)


def _touch(
    seen_ms: dict[str, int], versions: Sequence[str], counted: NDArray[np.bool_], newest_ms: NDArray[np.int64]
) -> None:
    rows = np.flatnonzero(counted).tolist()
    if len(set(versions)) == 1:
        rows = rows[-1:]
    for version, row in {versions[row]: row for row in rows}.items():
        seen_ms[version] = int(newest_ms[row])


def _room(seen_ms: dict[str, int], at_ms: int) -> list[str] | None:
    """Make room for one more version, and return those let go for it; None when all are alive."""
    if len(seen_ms) < VERSIONS_KEPT:
        return []
    stale = min(seen_ms, key=lambda name: (seen_ms[name], name))
    if seen_ms[stale] > at_ms - DAY_MS:
        return None
    del seen_ms[stale]
    return [stale]


def label_listed(listed: Sequence[str], values: Sequence[str]) -> Sequence[str]:
    """Return the label of each row: its value, "" for none, "other" where it is not listed."""
    kept = {value: value for value in ("", *listed)}
    label = {value: kept.get(value[:MAX_NAME_LENGTH], OTHER) for value in set(values)}
    return [label[value] for value in values]


def label_segments(known: list[str], values: Sequence[str], taken: NDArray[np.bool_]) -> Sequence[str]:
    """Return the label of each row: its value, "" for none, "other" beyond the first values taken.

    For segments of which nobody knows the values that matter: other source partitions may take other ones.

    Parameters
    ----------
    known
        Values with statistics of their own; new ones are added up to the cap.
    values, taken
        Per row: its value, and whether the row is counted at all.
    """
    distinct = set(values)
    if distinct - {""} <= set(known):
        return values
    short = [value[:MAX_NAME_LENGTH] for value in values]
    for value in dict.fromkeys(short[row] for row in np.flatnonzero(taken).tolist()):
        if value and value not in known and len(known) < SEGMENT_VALUES_KEPT:
            known.append(value)
    listed = {"", *known}
    return [value if value in listed else OTHER for value in short]
