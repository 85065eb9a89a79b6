"""The rules of others, as they publish them, and the same rules held to our budget of false alarms.

- *Evidently* (docs.evidentlyai.com/metrics/explainer_drift), per chunk: of references above 1,000 rows the Wasserstein
  distance over the reference's standard deviation for numbers, the Jensen-Shannon distance for categories, drift
  from 0.1 on; of smaller ones a two-sample Kolmogorov-Smirnov or chi-square test, drift at p < 0.05.
- *NannyML* (nannyml.readthedocs.io, tutorials/thresholds), per chunk: a statistic beyond the mean and three standard
  deviations of the same statistic over the reference's chunks. Here of the Jensen-Shannon distance over ten bins, of
  the mean, of the standard deviation and of the share of missing values.
- *river* (riverml.xyz/latest/api/drift): ADWIN and Page-Hinkley, here over the means of panes.

To hold a chunk's rule to the budget its threshold becomes the level that healthy chunks pass as often as that.
River's parameter is searched for until healthy series alarm as often.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from judgement_streams import Counts, Floats
from river import drift
from scipy import special

from detectors.divergence import jensen_shannon, shares
from detectors.tail import return_level

#: Published limits: of Evidently's distances, of its tests, and of NannyML in standard deviations.
EVIDENTLY = 0.1
P_VALUE = 0.05
SIGMAS = 3.0


@dataclass(frozen=True, slots=True)
class Usual:
    """A reference of numbers, sorted, with a bin for each tenth; NaN stands for a missing value."""

    ordered: Floats
    missing: float
    edges: Floats
    bins: Counts

    @classmethod
    def of(cls, values: Floats) -> "Usual":
        """Return what is known of a reference's values."""
        ordered = np.sort(values[~np.isnan(values)])
        edges = np.quantile(ordered, np.arange(1, 10) / 10)
        bins = np.bincount(np.searchsorted(edges, ordered, side="right"), minlength=10)
        return cls(ordered, float(np.isnan(values).mean()), edges, bins)

    def statistics(self, chunk: Floats) -> dict[str, float]:
        """Return each rule's statistic of a chunk, higher when worse."""
        values = np.sort(chunk[~np.isnan(chunk)])
        deviation = float(self.ordered.std())
        bins = np.bincount(np.searchsorted(self.edges, values, side="right"), minlength=10)
        ranks = (np.arange(len(values)) + 0.5) / len(values)
        usual = np.interp(ranks, (np.arange(len(self.ordered)) + 0.5) / len(self.ordered), self.ordered)
        below = np.searchsorted(self.ordered, values, side="right") / len(self.ordered)
        distance = max(np.max(below - ranks), np.max(ranks - below)) + 0.5 / len(values)
        return {
            "Evidently Wasserstein": float(np.abs(values - usual).mean()) / deviation,
            "Evidently Kolmogorov-Smirnov": float(distance),
            "NannyML Jensen-Shannon": float(jensen_shannon(shares(bins), shares(self.bins))),
            "NannyML mean": abs(float(values.mean() - self.ordered.mean())),
            "NannyML deviation": abs(float(values.std()) - deviation),
            "NannyML missing": abs(float(np.isnan(chunk).mean()) - self.missing),
        }


def category_statistics(chunk: Counts, usual: Counts) -> dict[str, float]:
    """Return each rule's statistic of a chunk of a category, by the counts of its values."""
    n, m = int(chunk.sum()), int(usual.sum())
    expected = (chunk + usual) * (n / (n + m))
    chi_square = float(np.sum((chunk - expected) ** 2 / np.maximum(expected, 1e-9)) * (1 + n / m))
    distance = float(jensen_shannon(shares(chunk), shares(usual)))
    return {
        "Evidently Jensen-Shannon": distance,
        "Evidently chi-square": chi_square,
        "NannyML Jensen-Shannon": distance,
    }


def published(name: str, reference_chunks: Floats, chunk: int, usual: int, bins: int = 0) -> float:
    """Return a rule's published threshold; ``reference_chunks`` is its statistic over the reference's chunks."""
    if name.startswith("NannyML"):
        return float(reference_chunks.mean() + SIGMAS * reference_chunks.std())
    if name.endswith("Smirnov"):
        return float(special.kolmogi(P_VALUE) * np.sqrt(1 / chunk + 1 / usual))
    if name.endswith("chi-square"):
        return float(special.chdtri(bins - 1, P_VALUE))
    return EVIDENTLY


def calibrated(healthy: Floats, wanted: float) -> float:
    """Return the threshold that healthy chunks pass once in ``wanted`` chunks."""
    return return_level(healthy, max(wanted / healthy.size, 1.0))


#: River's detectors by a parameter that is stricter the larger it is.
RIVER: dict[str, Callable[[float], drift.ADWIN | drift.PageHinkley]] = {
    "river ADWIN": lambda strict: drift.ADWIN(delta=10.0**-strict, clock=1),
    "river Page-Hinkley": lambda strict: drift.PageHinkley(threshold=strict),
}
RIVER_RANGE = {"river ADWIN": (1.0, 12.0), "river Page-Hinkley": (5.0, 200.0)}


def first_alarm(name: str, strict: float, values: Floats, begins: int = 0) -> int | None:
    """Return how many values after ``begins`` a detector of river alarms; None where it does not."""
    detector = RIVER[name](strict)
    for at, value in enumerate(values.tolist()):
        detector.update(value)
        if detector.drift_detected and at >= begins:
            return at - begins + 1
    return None


def river_calibrated(name: str, healthy: Sequence[Floats], alarms: float, halvings: int = 7) -> float:
    """Return the least strict parameter at which these series together alarm so often at most."""
    low, high = RIVER_RANGE[name]
    for _ in range(halvings):
        middle = (low + high) / 2
        found = 0
        for values in healthy:
            detector = RIVER[name](middle)
            for value in values.tolist():
                detector.update(value)
                found += detector.drift_detected
            if found > alarms:
                break
        low, high = (middle, high) if found > alarms else (low, middle)
    return high
