"""What drives a drift of correlations: pairs by their part of what has changed, and the features that are in them."""

from detectors.base import Verdict
from detectors.cause.drivers import Driver
from detectors.sentence import figure, percent, shorten

#: Half of each pair's part is either feature's: one that is in all pairs has half of everything, but for rounding.
_IN_ALL = 0.4998


def pairs_apart(verdict: Verdict) -> list[Driver]:
    """Return the pairs of a `CorrelationDrift` that fires, most of the change first.

    A pair's share is its part of the sum of squares of all changes beyond their thresholds, each by its threshold:
    the score itself is the change of one pair.
    """
    found = []
    for one in verdict.evidence.details.get("pairs", ()):
        left, right = one["features"]
        before, now = one["correlation"]
        moved = f"{figure(before, 2)} → {figure(now, 2)}"
        words = f"{shorten(left, 32)}~{shorten(right, 32)} {moved} ({percent(one['share'], 2)} of the shift)"
        found.append(Driver(f"{left}~{right}", one["share"], before, now, words))
    return sorted(found, key=lambda one: -one.share)


def features_apart(verdict: Verdict) -> list[Driver]:
    """Return the features that are in those pairs, by their share, half of each pair's."""
    return [
        Driver(name, share, None, None, f"{shorten(name)} {percent(share, 2)}")
        for name, share in verdict.evidence.details.get("features", {}).items()
    ]


def common_feature(verdict: Verdict) -> tuple[str, int]:
    """Return the feature that is in all pairs that have changed, and how many these are; "" where none leads so."""
    changed = int(verdict.evidence.details.get("changed", 0))
    leading = [one for one in features_apart(verdict) if one.share >= _IN_ALL]
    return (leading[0].what, changed) if changed > 1 and len(leading) == 1 else ("", changed)
