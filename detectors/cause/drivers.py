"""What drives the drift of one column: bins, categories and missing values, by their share of the score."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from detectors.base import Verdict
from detectors.divergence import Counts, Shares, rare_bins, shares, smoothed_shares
from detectors.sentence import figure, listing, percent, shorten
from detectors.tally import MISSING
from detectors.window import Column

#: Drivers named of a column, at most, and the least share of the score that is worth a name.
NAMED = 3
LEAST_SHARE = 0.05
RARE = "(rarer ones)"
_NEW = "new categor"
#: Rows in the smaller sample below which a bin is told together with other rare ones, as in `pool_rare`.
_LEAST_EXPECTED = 5.0
#: Terms that sum to less are equal distributions, but for rounding.
_NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class Driver:
    """One thing that makes up a score.

    Parameters
    ----------
    what
        A bin, a category, ``missing``, or a feature.
    share
        Of the score, 0 to 1.
    reference, current
        Before and now: the share of values in a bin or category, 0 to 1; of a feature its mean. None where
        there is none.
    words
        All this as a person would say it.
    is_new
        It is categories that the reference does not know.
    """

    what: str
    share: float
    reference: float | None
    current: float | None
    words: str
    is_new: bool = False

    @property
    def direction(self) -> str:
        """``up``, ``down``, or "" where there is neither."""
        if self.reference is None or self.current is None or self.reference == self.current:
            return ""
        return "up" if self.current > self.reference else "down"

    def told(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "what": self.what,
            "share": round(self.share, 4),
            "direction": self.direction,
            "reference": self.reference,
            "current": self.current,
        }


def _symmetric(p: Shares, q: Shares) -> Shares:
    ratio = np.divide(p, q, out=np.ones(p.shape), where=(p > 0) & (q > 0))
    return np.asarray((p - q) * np.log(ratio))


def _jensen_shannon(p: Shares, q: Shares) -> Shares:
    middle = (p + q) / 2
    return np.asarray(special.rel_entr(p, middle) + special.rel_entr(q, middle))


def _hellinger(p: Shares, q: Shares) -> Shares:
    return np.asarray((np.sqrt(p) - np.sqrt(q)) ** 2)


def _absolute(p: Shares, q: Shares) -> Shares:
    return np.abs(p - q)


def _chi_square(p: Shares, q: Shares) -> Shares:
    return np.asarray((p - q) ** 2 / np.maximum(p + q, 1e-300))


#: What each bin adds to a detector's measure; of those not named here, what it adds to the population
#: stability index.
TERMS: Mapping[str, Callable[[Shares, Shares], Shares]] = {
    "jensen_shannon": _jensen_shannon,
    "hellinger": _hellinger,
    "total_variation": _absolute,
    "l_infinity": _absolute,
    "chi_square": _chi_square,
    "g_test": _jensen_shannon,
}
#: Detectors whose score, or its square, is the sum of these terms; of others they tell the shift's shares.
_SUMMED = (TERMS.keys() | {"psi", "prediction_drift"}) - {"l_infinity"}


def drivers_of(detector: str, current: Column, reference: Column, *, with_missing: bool) -> list[Driver]:
    """Return what drives a column's drift, most of it first; none where the two are not counted alike.

    Rare bins count together, as the detectors count them; then the terms of the population stability index
    add up to it.

    Parameters
    ----------
    detector
        Its measure is taken apart (`TERMS`).
    with_missing
        Missing values count as a bin of their own, as they do for lasting shifts.
    """
    if current.labels != reference.labels or not np.array_equal(current.edges, reference.edges):
        return []
    now, usual = _counted(current, with_missing), _counted(reference, with_missing)
    if not (now.sum() and usual.sum()):
        return []
    names = [*_names(current, reference), *([(MISSING, "missing values")] if with_missing else [])]
    kept, rest = _parted(now, usual)
    groups = [*kept.tolist(), *([rest] if rest.size else [])]
    counted = np.array([[one[group].sum() for group in groups] for one in (now, usual)], np.int64)
    smooth = detector not in TERMS
    p, q = smoothed_shares(*counted) if smooth else shares(counted)
    terms = TERMS.get(detector, _symmetric)(p, q)
    total = float(terms.sum())
    if total < _NOTHING:
        return []
    plain, whole = shares(counted), "score" if detector in _SUMMED else "shift"
    found = []
    for place in np.argsort(-terms, kind="stable"):
        group = groups[place]
        what, said = names[group] if isinstance(group, int) else (RARE, "rarer ones")
        share, after, before = float(terms[place]) / total, float(plain[0, place]), float(plain[1, place])
        words = f"{_move(said, before, after)} ({percent(share, 2)} of the {whole})"
        found.append(Driver(what, share, before, after, words, is_new=said.startswith(_NEW)))
    return found


def missing_driver(current: Column, reference: Column | None) -> Driver:
    """Return missing values as the one driver."""
    after = current.missing / max(current.rows, 1)
    before = None if reference is None or not reference.rows else reference.missing / reference.rows
    moved = percent(after) if before is None else f"{percent(before)} → {percent(after)}"
    return Driver(MISSING, 1.0, before, after, f"missing values {moved}")


def new_categories(current: Column, reference: Column | None) -> list[Driver]:
    """Return the categories the reference does not know, the most frequent first."""
    known = {} if reference is None else reference.unlisted
    new = {name: count for name, count in current.unlisted.items() if name not in known}
    total, values = sum(new.values()), max(current.count, 1)
    return [
        Driver(
            name,
            new[name] / total,
            0.0,
            new[name] / values,
            f"{percent(new[name] / values)} new category {shorten(name, 32)!r}",
            is_new=True,
        )
        for name in sorted(new, key=lambda name: (-new[name], name))
    ]


def vanished_categories(verdict: Verdict) -> list[Driver]:
    """Return the categories a verdict says are gone, those with the largest usual share first."""
    found = verdict.evidence.details.get("categories", {})
    now = dict(zip(verdict.evidence.labels, verdict.evidence.current, strict=False))
    total, drivers = sum(found.values()) or 1.0, []
    for name, usual in sorted(found.items(), key=lambda one: (-one[1], one[0])):
        words = _move(repr(shorten(name, 32)), usual, now.get(name, 0.0))
        drivers.append(Driver(name, usual / total, usual, now.get(name, 0.0), words))
    return drivers


def out_of_range(current: Column, reference: Column | None) -> Driver:
    """Return the values out of range as the one driver, with how far they go."""
    after = current.out_of_range / max(current.count, 1)
    before = None if reference is None or not reference.count else reference.out_of_range / reference.count
    moved = percent(after) if before is None else f"{percent(before)} → {percent(after)}"
    words = f"values out of range {moved}"
    if np.isfinite(current.minimum) and np.isfinite(current.maximum):
        words += f", values from {figure(current.minimum)} to {figure(current.maximum)}"
    return Driver("out of range", 1.0, before, after, words)


def named(drivers: list[Driver]) -> list[Driver]:
    """Return the few that are worth a name."""
    return [one for one in drivers[:NAMED] if one.share >= LEAST_SHARE]


def _counted(column: Column, with_missing: bool) -> Counts:
    return np.append(column.bins, column.missing) if with_missing else column.bins


def _parted(now: Counts, usual: Counts) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places of bins told apart, and of those told together; bins empty on both sides are neither."""
    rare = rare_bins(now, usual, _LEAST_EXPECTED)
    held = (now + usual) > 0
    return np.flatnonzero(held & ~rare), np.flatnonzero(held & rare)


def _names(current: Column, reference: Column) -> list[tuple[str, str]]:
    """Return each bin's name, and as it is said."""
    if current.kind == "number":
        return [(label, f"values {label}") for label in current.labels]
    said = [(label, repr(shorten(label, 32))) for label in current.labels]
    new = [driver.what for driver in new_categories(current, reference)]
    if new and said:
        noun = "new category" if len(new) == 1 else "new categories"
        told = listing([repr(name) for name in new])
        said[-1] = (new[0] if len(new) == 1 else said[-1][0], f"{noun} {told}")
    return said


def _move(said: str, before: float, after: float) -> str:
    if said.startswith(_NEW) and before == 0:
        return f"{percent(after)} {said}"
    return f"{said} {percent(before)} → {percent(after)}"
