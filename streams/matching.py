"""Counting which texts of a column are as their owner's patterns want them (``match_regex``, ``not_match_regex``)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.expected import PatternName
from streams.expect import PATTERNS
from streams.layout import Layout
from streams.monitor import Monitor
from streams.name_counts import NAME_KEPT, capped, summed
from streams.patterns import matches

#: Values named of those that are not as wanted.
EXAMPLES_KEPT = 3


class MatchKey(NamedTuple):
    """Which pattern of which category column of the layout, by place."""

    position: int
    name: PatternName
    regex: str


class Matched(NamedTuple):
    """How many values were looked at, how many are as wanted, and some that are not with their counts."""

    looked: int = 0
    met: int = 0
    examples: Mapping[str, int] = {}

    def plus(self, other: "Matched") -> "Matched":
        """Return the sum."""
        examples = capped(summed(self.examples, other.examples), EXAMPLES_KEPT)
        return Matched(self.looked + other.looked, self.met + other.met, examples)


class Held(NamedTuple):
    """A column's values held against a pattern.

    Parameters
    ----------
    values
        The distinct ones, in the order they came.
    codes
        Per row the place of its value among them; -1 where it is missing, shape ``(n,)``.
    met
        Per distinct value whether it is as wanted.
    """

    values: Sequence[str]
    codes: NDArray[np.int64]
    met: NDArray[np.bool_]

    def taken(self, rows: NDArray[np.intp] | slice) -> "Held":
        """Return the same of some rows."""
        return Held(self.values, self.codes[rows], self.met)

    def counted(self) -> Matched:
        """Return the counts of its rows."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))
        examples: dict[str, int] = {}
        for place in np.flatnonzero(~self.met & (counts > 0)).tolist():
            name = self.values[place][:NAME_KEPT]
            examples[name] = examples.get(name, 0) + int(counts[place])
        return Matched(int(counts.sum()), int(counts[self.met].sum()), capped(examples, EXAMPLES_KEPT))


def pattern_keys(monitor: Monitor, layout: Layout) -> tuple[MatchKey, ...]:
    """Return the patterns of a monitor, by where their columns stand in its layout."""
    return tuple(
        MatchKey(position, name, wanted.regex)
        for position, column in enumerate(layout.categories)
        if column.role == "feature"
        for name in PATTERNS
        if (wanted := getattr(monitor.features[column.name].expect, name)) is not None
    )


def hold(keys: Sequence[MatchKey], texts: Sequence[Sequence[str | None]]) -> dict[MatchKey, Held]:
    """Return the rows of a chunk held against each pattern; each distinct value is looked at once.

    Parameters
    ----------
    texts
        Per category column of the layout, each row's category; None where missing.
    """
    found: dict[MatchKey, Held] = {}
    encoded: dict[int, tuple[list[str], NDArray[np.int64]]] = {}
    for key in keys:
        if key.position not in encoded:
            encoded[key.position] = _encoded(texts[key.position])
        values, codes = encoded[key.position]
        met = matches(key.regex, values)
        found[key] = Held(values, codes, ~met if key.name == "not_match_regex" else met)
    return found


def total(parts: Sequence[Mapping[MatchKey, Matched]]) -> dict[MatchKey, Matched]:
    """Return the sum of what profiles counted."""
    found: dict[MatchKey, Matched] = {}
    for part in parts:
        for key, counts in part.items():
            found[key] = found[key].plus(counts) if key in found else counts
    return found


def _encoded(texts: Sequence[str | None]) -> tuple[list[str], NDArray[np.int64]]:
    values = [text for text in dict.fromkeys(texts) if text is not None]
    place: dict[str | None, int] = {None: -1} | {text: code for code, text in enumerate(values)}
    return values, np.fromiter(map(place.__getitem__, texts), np.int64, count=len(texts))
