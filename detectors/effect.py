"""What the tests of a changed distribution share: the effect that counts."""

import math
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

from detectors.distribution import DistributionDetector
from detectors.divergence import Counts, Pooled, Shares, pool_rare_of_spans
from detectors.homogeneity import effect_by_chance, effects
from detectors.significance import SignificanceParams
from detectors.swing import Swing, limits
from detectors.window import Column

#: Cochran's 5 events serve a p-value of 0.05; one of a millionth needs the approximation further out.
LEAST_EXPECTED = 20.0

E = TypeVar("E", bound=SignificanceParams)


class EffectDetector(DistributionDetector[E], Generic[E]):
    """Asks of a change that it is significant, and that its effect (Cohen's w) is neither small nor usual."""

    def threshold_of_p(self, columns: int) -> Shares:
        """Return the threshold in force of -log10 p, the same for all columns, shape ``(columns,)``."""
        params = self.params
        return np.full(columns, max(params.threshold, -math.log10(params.alpha)))

    def distances(self, spans: Counts, reference: Column) -> Shares:
        """Return the spans' effects."""
        return effects(*pool_rare_of_spans(spans, reference.bins, LEAST_EXPECTED))


def least_effects(pooled: Pooled, usual: Sequence[Swing], min_effect: float) -> Shares:
    """Return the effects that count: ``min_effect``, or more where a column's reference swings further."""
    swings = np.array([one.furthest > 0 for one in usual])
    further = limits(usual, lambda alpha: effect_by_chance(pooled, alpha))
    return np.where(swings, np.maximum(min_effect, further), min_effect)
