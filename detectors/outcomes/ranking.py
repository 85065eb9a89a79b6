"""How well scores rank: areas under the ROC and the precision-recall curve, from a score table.

A table counts the outcomes of each class by score bin. Outcomes in one bin are taken as tied; by how much
that may be wrong is returned with each area, and is small where bins are narrow against the scores' spread.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Area:
    """An area under a curve; its standard error, and by how much the binning may have moved it at most."""

    value: float
    error: float
    bound: float


def table(tally: Mapping[tuple[str, ...], int], name: str) -> tuple[Counts, Counts]:
    """Return the negatives and positives of a class by ascending score bin, empty bins left out."""
    found: dict[int, list[int]] = {}
    for key, count in tally.items():
        if key[0] == "bin" and key[1] == name:
            found.setdefault(int(key[2]), [0, 0])[int(key[3])] += count
    counts = np.array([found[place] for place in sorted(found)], dtype=np.int64).reshape(-1, 2)
    return counts[:, 0], counts[:, 1]


def roc_area(negatives: Counts, positives: Counts) -> Area | None:
    """Return the probability that a positive scores above a negative, ties counting half.

    None where one class is missing: then there is nothing to rank. The bound is half the share of pairs
    that fall in one bin; the standard error is DeLong's.

    Parameters
    ----------
    negatives, positives
        Outcomes by ascending score bin, shape ``(n,)``.

    References
    ----------
    DeLong, E., DeLong, D. and Clarke-Pearson, D. (1988), Comparing the Areas under Two or More Correlated
    Receiver Operating Characteristic Curves, Biometrics 44(3).

    Examples
    --------
    >>> roc_area(np.array([2, 1, 0]), np.array([0, 1, 2])).value.__round__(4)
    0.9444
    """
    n, p = int(negatives.sum()), int(positives.sum())
    if n == 0 or p == 0:
        return None
    above = (np.cumsum(negatives) - negatives / 2) / n
    below = 1.0 - (np.cumsum(positives) - positives / 2) / p
    value = float(positives @ above / p)
    variance = _variance(above, positives) / p + _variance(below, negatives) / n
    return Area(value, variance**0.5, float(negatives / n @ (positives / p)) / 2)


def pr_area(negatives: Counts, positives: Counts) -> Area | None:
    """Return the average precision: the precision at each positive's score, averaged over the positives.

    None without positives. It lies between the areas that the worst and the best order within the bins
    would give; the bound is the larger of the two distances. The standard error is that of a proportion
    over the positives, a cautious approximation.

    References
    ----------
    Davis, J. and Goadrich, M. (2006), The Relationship Between Precision-Recall and ROC Curves, ICML.
    Boyd, K., Eng, K. and Page, C. (2013), Area under the Precision-Recall Curve: Point Estimates and
    Confidence Intervals, ECML PKDD.

    Examples
    --------
    >>> pr_area(np.array([2, 1, 0]), np.array([0, 1, 2])).value.__round__(4)
    0.9167
    """
    p = int(positives.sum())
    if p == 0:
        return None
    here, false = positives[::-1], negatives[::-1]
    held = here > 0
    true_after, false_after = np.cumsum(here)[held], np.cumsum(false)[held]
    here, false = here[held], false[held]
    value = float(here @ (true_after / (true_after + false_after)) / p)
    highest = float(here @ (true_after / (true_after + false_after - false)) / p)
    # Sum of (t + i) / (t + i + f) over the positives of a bin, all its negatives ranked before them.
    before = true_after - here + false_after
    missed = false_after * (special.digamma(before + here + 1) - special.digamma(before + 1))
    lowest = float((here - missed).sum() / p)
    error = (value * (1.0 - value) / p) ** 0.5
    return Area(value, error, max(highest - value, value - lowest, 0.0))


def averaged(areas: Iterable[Area]) -> Area | None:
    """Return the unweighted mean of the areas of several classes, None for none.

    The standard error is that of fully dependent areas, hence never too small.
    """
    found = list(areas)
    if not found:
        return None
    value, error, bound = np.mean([(one.value, one.error, one.bound) for one in found], axis=0).tolist()
    return Area(value, error, bound)


def _variance(values: NDArray[np.float64], counts: Counts) -> float:
    mean = float(values @ counts / counts.sum())
    return float((values - mean) ** 2 @ counts / counts.sum())
