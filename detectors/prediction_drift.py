"""Population stability index of the predictions."""

from detectors.psi import Psi


class PredictionDrift(Psi):
    """Fires when what the model answers has moved away from the reference.

    The rule and the parameters of `Psi`, on scores, numbers, classes or each class's probability. Drift of
    the predictions alone, features unmoved, points at the model: a wrong version, a broken transformation.

    References
    ----------
    Siddiqi, N. (2006), Credit Risk Scorecards, Wiley, chapter 10.
    """

    name = "prediction_drift"
    kind = "PredictionDrift"
    targets = frozenset({"prediction"})
