"""Events that come more than once."""

import math

from pydantic import Field
from scipy import special

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.sentence import against_percent, percent, quantity
from detectors.significance import Rate, SignificanceParams
from detectors.window import Window

#: Relative standard error of the distinct ids a window counts (4096 HyperLogLog registers).
STANDARD_ERROR = 1.04 / 64


class DuplicatesParams(SignificanceParams):
    """Parameters of the duplicates."""

    threshold: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="share of events whose id came before in the window, over the reference's share (0 to 1)",
    )


class Duplicates(Detector[DuplicatesParams]):
    """Fires when more events repeat an id than in the reference: a producer that sends again, a job run twice.

    ``score = duplicates / events - the same in the reference`` (nil without one). Duplicates are the events
    beyond the distinct ids, which are estimated with a relative standard error of 1.6 %. The threshold in
    force is the larger of ``threshold`` and what that error exceeds with probability ``alpha``: without a
    reference 7.7 % at a millionth. Every one of them has been counted in all other statistics.

    References
    ----------
    Flajolet, P., Fusy, É., Gandouet, O. and Meunier, F. (2007), HyperLogLog, Analysis of Algorithms.
    """

    name = "duplicates"
    kind = "DuplicateEvents"
    targets = frozenset({"model"})
    params_class = DuplicatesParams

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the share of events that repeat an id."""
        if window.events < self.params.min_samples:
            reason = shortage(window.events, self.params.min_samples, "event")
            return self.insufficient(window.events, reason)
        current = Rate(window.duplicates, window.events)
        usual = Rate(reference.duplicates, reference.events) if reference and reference.events else None
        excess = max(current.share - (usual.share if usual else 0.0), 0.0)
        limit = max(self.params.threshold, self._error(usual is not None))
        known = f" (reference {percent(usual.share)})" if usual else ""
        sentence = (
            f"{percent(current.share)} of {quantity(current.total, 'event')} repeat an id{known}, "
            f"excess {against_percent(excess, limit)}"
        )
        evidence = Evidence(sentence, value=current.share, details={"duplicates": current.hits})
        return self.verdict(excess, current.total, evidence, threshold=limit)

    def _error(self, of_both: bool) -> float:
        """Return the share that the estimates' errors exceed with probability ``alpha``."""
        deviations = -float(special.ndtri(self.params.alpha))
        return deviations * STANDARD_ERROR * math.sqrt(2.0 if of_both else 1.0)
