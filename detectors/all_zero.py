"""Events of which every number is 0: a feature store that answers, and knows nothing."""

from pydantic import Field

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.sentence import against_percent, percent, quantity
from detectors.significance import Rate, SignificanceParams, excess_limit
from detectors.window import Window


class AllZeroParams(SignificanceParams):
    """Parameters of the all-zero events."""

    threshold: float = Field(
        default=0.01,
        ge=0.0,
        le=1.0,
        description="excess over the reference's share of events whose number features are all 0 (0 to 1)",
    )


class AllZero(Detector[AllZeroParams]):
    """Fires when more events than in the reference have nothing but zeros for numbers.

    An event counts that carries two number features or more, all of them 0; what is missing does not speak for
    it nor against it. ``score = all-zero events / events - the same in the reference``. The threshold in force is
    the larger of ``threshold`` and the excess that chance explains with probability ``alpha``. A model with fewer
    than two number features is not judged.

    References
    ----------
    Przyborowski, J. and Wilenski, H. (1940), Homogeneity of results in testing samples from Poisson
    series, Biometrika 31 (the conditional test, see `significance.critical_count`).
    Breck, E. et al. (2019), Data Validation for Machine Learning, SysML (features filled with a default value by a
    backend that fails).
    """

    name = "all_zero"
    kind = "AllZeroEvents"
    targets = frozenset({"model"})
    params_class = AllZeroParams
    default = True
    needs_reference = True

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the share of events that hold nothing but zeros against the reference's."""
        current = _rate(window)
        if current.total < self.params.min_samples:
            return self._lack(current.total, shortage(current.total, self.params.min_samples, "event"))
        if reference is None:
            return self._lack(current.total, "no reference to compare with")
        usual = _rate(reference)
        if not usual.total:
            return self._lack(current.total, "the reference has not counted them; build it again")
        limit = excess_limit(current.total, usual, self.params.threshold, self.params.alpha)
        excess = max(current.share - usual.share, 0.0)
        sentence = (
            f"{percent(current.share)} of {quantity(current.total, 'event')} have 0 in every number feature "
            f"(reference {percent(usual.share)}), excess {against_percent(excess, limit)}"
        )
        details = {"all_zero": current.hits, "rate": [usual.share, current.share]}
        evidence = Evidence(sentence, value=current.share, details=details)
        return self.verdict(excess, current.total, evidence, threshold=limit)

    def _lack(self, events: int, reason: str) -> Verdict:
        return self.insufficient(events, f"all-zero events: {reason}")


def _rate(window: Window) -> Rate:
    return Rate(window.all_zero, window.vectors)
