"""What the tests of a changed distribution share: the effect that counts."""

from typing import Generic, TypeVar

from detectors.comparison import Comparison
from detectors.distribution import DistributionDetector
from detectors.divergence import Counts, Shares, pool_rare_of_spans
from detectors.homogeneity import effect_by_chance, effects
from detectors.significance import SignificanceParams
from detectors.window import Column

#: Cochran's 5 events serve a p-value of 0.05; one of a millionth needs the approximation further out.
LEAST_EXPECTED = 20.0

E = TypeVar("E", bound=SignificanceParams)


class EffectDetector(DistributionDetector[E], Generic[E]):
    """Asks of a change that it is significant, and that its effect (Cohen's w) is neither small nor usual."""

    def least_effect(self, comparison: Comparison, pooled: tuple[Counts, Counts], min_effect: float) -> float:
        """Return the effect that counts: ``min_effect``, or more where the reference swings further."""
        if not self.usual(comparison.reference, comparison.samples).furthest:
            return min_effect
        return max(min_effect, self.limit(comparison, lambda alpha: effect_by_chance(*pooled, alpha)))

    def distances(self, spans: Counts, reference: Column) -> Shares:
        """Return the spans' effects."""
        return effects(*pool_rare_of_spans(spans, reference.bins, LEAST_EXPECTED))
