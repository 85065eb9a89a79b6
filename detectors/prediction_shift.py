"""Small, lasting shifts of the predictions."""

from detectors.lasting_shift import LastingShift


class PredictionShift(LastingShift):
    """Fires when what the model answers has shifted for good; small shifts after a while, large ones at once.

    The rule, the ``score`` and the parameters of `LastingShift`, on scores, numbers, classes or each class's
    probability.

    References
    ----------
    Shin, J., Ramdas, A. and Rinaldo, A. (2022), E-detectors: a nonparametric framework for sequential change
    detection, arXiv:2203.03532.
    """

    name = "prediction_shift"
    kind = "PredictionDrift"
    targets = frozenset({"prediction"})
