"""Categories that used to come and no longer do."""

import numpy as np
from pydantic import Field
from scipy import special

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import Comparison, Shortfall, compare
from detectors.divergence import shares
from detectors.sentence import listing, percent, quantity, shorten
from detectors.significance import SignificanceParams
from detectors.swing import Swing, swing_of
from detectors.window import Column, Window


class VanishedCategoriesParams(SignificanceParams):
    """Parameters of the vanished categories."""

    threshold: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="share of the reference that may be gone without an alert (0 to 1)",
    )
    min_share: float = Field(
        default=0.02, gt=0.0, le=1.0, description="reference share (0 to 1) a category must have to be missed"
    )
    remaining: float = Field(
        default=0.1,
        ge=0.0,
        lt=1.0,
        description="part of its usual share (0 to 1) at which a category counts as gone",
    )


class VanishedCategories(Detector[VanishedCategoriesParams]):
    """Fires when a category of notable share in the reference has all but gone.

    A category is gone when at most ``remaining`` of its usual share is left and so few events would be
    seen by chance with probability below ``alpha`` (shared out over the categories), also where its share is as
    low as it falls in the reference's spans (`swing`). ``score`` is the share of the reference in the
    categories gone, of those that have ``min_share`` in it.

    References
    ----------
    Przyborowski, J. and Wilenski, H. (1940), Homogeneity of results in testing samples from Poisson
    series, Biometrika 31 (the conditional test).
    """

    name = "vanished_categories"
    kind = "VanishedCategories"
    targets = frozenset({"category"})
    also = frozenset({"FeatureDrift"})
    params_class = VanishedCategoriesParams
    default = True
    needs_reference = True

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge which of the reference's categories are gone."""
        comparison = compare(window, reference, self.column, self.params.min_samples)
        if isinstance(comparison, Shortfall):
            return self.insufficient(comparison.samples, comparison.reason)
        usual = comparison.reference.shares
        gone = gone_categories(
            comparison,
            min_share=self.params.min_share,
            remaining=self.params.remaining,
            alpha=self.params.alpha,
        )
        score = float(sum(usual[i] for i in gone))
        evidence = Evidence.when_asked(self._evidence, comparison, gone, score)
        return self.verdict(score, comparison.samples, evidence)

    def _evidence(self, comparison: Comparison, gone: list[int], score: float) -> Evidence:
        usual = comparison.reference.shares
        return Evidence(
            self._sentence(comparison, gone),
            value=score,
            labels=comparison.current.labels,
            reference=comparison.reference.listed_shares,
            current=comparison.current.listed_shares,
            details={"categories": {comparison.current.labels[i]: float(usual[i]) for i in gone}},
        )

    def _sentence(self, comparison: Comparison, gone: list[int]) -> str:
        seen = f"over {quantity(comparison.samples, 'event')}"
        if not gone:
            return f"{shorten(self.column)}: no category of the reference is gone {seen}"
        labels, sides = comparison.current.labels, (comparison.current.shares, comparison.reference.shares)
        now, lost = (percent(float(sum(side[i] for i in gone))) for side in sides)
        names = listing([labels[i] for i in gone])
        return f"{shorten(self.column)}: {lost} of the reference gone {seen}, now {now}: {names}"


def gone_categories(comparison: Comparison, *, min_share: float, remaining: float, alpha: float) -> list[int]:
    """Return the bins of categories gone, the largest first; the last bin, all others, is none.

    Parameters
    ----------
    min_share
        Reference share (0 to 1) a category must have to be missed.
    remaining
        Part of its usual share (0 to 1) at which it counts as gone.
    alpha
        Probability that chance alone makes any of them so rare, shared out over the categories.
    """
    current, reference = comparison.counts
    now, usual = comparison.current.shares[:-1], comparison.reference.shares[:-1]
    odds = comparison.reference_samples / (comparison.samples + comparison.reference_samples)
    few = (usual >= min_share) & (now <= remaining * usual)
    each = alpha / max(len(usual), 1)

    def is_gone(place: int) -> bool:
        def chance(part: float) -> float:
            """Return how probable so few are where only that part of the usual share is to be expected."""
            return float(special.betainc(reference[place] * part, current[place] + 1, odds)) if part else 1.0

        if chance(1.0) >= each:
            return False
        ebb = _ebb(comparison.reference, place, each)
        return all(chance(_part_left(usual[place], level)) < probability for level, probability in ebb.steps)

    return sorted((int(i) for i in few.nonzero()[0] if is_gone(int(i))), key=lambda i: (-usual[i], i))


def _ebb(reference: Column, place: int, alpha: float) -> Swing:
    """Return how far a category's share falls in the reference's spans, as a difference of square roots."""
    usual = float(np.sqrt(shares(reference.bins)[place]))
    return swing_of(
        lambda counts: np.maximum(usual - np.sqrt(shares(counts)[..., place]), 0.0),
        reference.bins,
        reference.spans,
        alpha,
    )


def _part_left(share: float, level: float) -> float:
    """Return the part of a share that is left when its square root has fallen by ``level``."""
    return float(max(1 - level / np.sqrt(share), 0.0) ** 2)
