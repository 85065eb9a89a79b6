"""What detectors of a changed distribution share: the comparison, the evidence, the sentence."""

from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import Comparison, Shortfall, compare, means, telling_bins
from detectors.divergence import shares
from detectors.sentence import against, quantity, shorten
from detectors.significance import SignificanceParams
from detectors.window import Window

D = TypeVar("D", bound=SignificanceParams)


class DistributionDetector(Detector[D], Generic[D]):
    """Compares the bins of one column in the window with those of the reference.

    A subclass says in `measure` how far they lie apart and which distance is worth an alert.
    """

    #: The measure's name in sentences.
    measure_name: ClassVar[str]
    needs_reference = True

    def measure(self, comparison: Comparison) -> tuple[float, float]:
        """Return the score, and the threshold in force at these sample sizes."""
        raise NotImplementedError

    def obstacle(self, comparison: Comparison) -> str:
        """Return why these columns cannot be measured though both have bins; empty where they can."""
        return ""

    def details(self, comparison: Comparison) -> Mapping[str, object]:
        """Return further figures for the evidence, JSON-able."""
        return {}

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the column's distribution against the reference's."""
        comparison = compare(window, reference, self.column, self.params.min_samples)
        if isinstance(comparison, Shortfall):
            return self.insufficient(comparison.samples, comparison.reason)
        if obstacle := self.obstacle(comparison):
            return self.insufficient(comparison.samples, f"{shorten(self.column)}: {obstacle}")
        score, limit = self.measure(comparison)
        return self.verdict(
            score, comparison.samples, self._evidence(comparison, score, limit), threshold=limit
        )

    def _evidence(self, comparison: Comparison, score: float, limit: float) -> Evidence:
        figures = [
            f"{self.measure_name} {against(score, limit)} over {quantity(comparison.samples, 'event')}"
        ]
        details = {"reference_samples": comparison.reference_samples, **self.details(comparison)}
        if moved := means(comparison):
            figures.insert(0, moved)
            details["mean"] = [comparison.reference.mean, comparison.current.mean]
        telling = telling_bins(comparison)
        current, reference = (tuple(shares(counts).tolist()) for counts in comparison.counts)
        return Evidence(
            sentence=f"{shorten(self.column)}: {', '.join(figures)}" + (f"; {telling}" if telling else ""),
            value=score,
            labels=comparison.current.labels,
            reference=reference,
            current=current,
            details=details,
        )
