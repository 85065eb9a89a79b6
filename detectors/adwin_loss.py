"""Adaptive windowing over the loss of panes."""

from pydantic import Field

from detectors.loss_shift import LossShift, LossShiftParams, Series, first_change


class AdwinLossParams(LossShiftParams):
    """Parameters of adaptive windowing over losses."""

    alpha: float = Field(
        default=2e-3, gt=0.0, lt=0.5, description="probability (0 to 0.5) of a false cut, the paper's delta"
    )


class AdwinLoss(LossShift[AdwinLossParams]):
    """Fires while the loss is higher than it has been, by adaptive windowing; no shape of the change assumed.

    ADWIN keeps as long a stretch of panes' losses as has one level. ``score`` is the rise in standard errors.

    References
    ----------
    Bifet, A. and Gavaldà, R. (2007), Learning from Time-Changing Data with Adaptive Windowing, SDM.
    """

    name = "adwin_loss"
    params_class = AdwinLossParams

    def changes(self, series: Series, start: int) -> int | None:
        """Return the pane by which river's ADWIN has cut."""
        from river.drift import ADWIN  # see `adwin`: river is slow to import

        change = ADWIN(delta=self.params.alpha, clock=1, min_window_length=2, grace_period=4)

        def update(score: float) -> bool:
            change.update(score)
            return bool(change.drift_detected)

        found = first_change(series.scores[start:], update)
        return None if found is None else start + found
