"""Population stability index of how sure the model is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from pydantic import Field

from detectors.base import Verdict
from detectors.confidence import confidence
from detectors.psi import Psi, PsiParams
from detectors.window import Column, Window


class ConfidenceDriftParams(PsiParams):
    """Parameters of confidence drift."""

    threshold: float = Field(
        default=0.2, ge=0.0, description="index (nats, 0 upwards); 0.1 is a small change, 0.2 a notable one"
    )


class ConfidenceDrift(Psi):
    """Fires when the model has become less sure, or surer, of its answers than in the reference.

    The rule of `Psi` on the distribution of the confidence: ``max(p, 1 - p)`` of a score, the largest of class
    probabilities (`confidence`). More of one answer than of the other is no confidence drift; more doubtful
    cases are, and so are answers that are all too sure. Of what is true it knows nothing: see
    `CalibrationDrift`. The threshold in force is, as that of `Psi`, on the false-alarm budget.

    References
    ----------
    Hendrycks, D. and Gimpel, K. (2017), A Baseline for Detecting Misclassified and Out-of-Distribution
    Examples in Neural Networks, ICLR (the largest probability as confidence).
    """

    name = "confidence_drift"
    kind = "ConfidenceDrift"
    targets = frozenset({"prediction"})
    params_class = ConfidenceDriftParams
    default = False
    measure_name = "PSI"

    @classmethod
    def observe_many(
        cls, detectors: Sequence[Self], window: Window, reference: Window | None
    ) -> list[Verdict]:
        """Judge the distribution of the confidence against the reference's."""
        return [one._judge(window, reference) for one in detectors]

    def _judge(self, window: Window, reference: Window | None) -> Verdict:
        if not window.prediction:
            return self.insufficient(0, f"{self.column}: no predictions yet")
        now = confidence(window.prediction)
        if isinstance(now, str):
            return self.insufficient(0, f"{self.column}: {now}")
        usual = None if reference is None else confidence(reference.prediction)
        if isinstance(usual, str):
            return self.insufficient(now.count, f"{self.column}: {usual} in the reference")
        of_reference = None if reference is None else self._of(reference, usual)
        return super().observe_many([self], self._of(window, now), of_reference)[0]

    def _of(self, window: Window, column: Column | None) -> Window:
        return replace(window, features={}, prediction={} if column is None else {self.column: column})
