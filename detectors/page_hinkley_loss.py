"""The Page-Hinkley test over the loss of panes."""

from pydantic import Field

from detectors.loss_shift import LossShift, LossShiftParams, Series, first_change


class PageHinkleyLossParams(LossShiftParams):
    """Parameters of the Page-Hinkley test over losses."""

    tolerance: float = Field(
        default=0.5, ge=0.0, description="rise of a pane's loss that is let pass (standard errors), delta"
    )
    sum_threshold: float = Field(
        default=10.0,
        gt=0.0,
        description="sum of deviations beyond the tolerance that is a change (standard errors), lambda",
    )


class PageHinkleyLoss(LossShift[PageHinkleyLossParams]):
    """Fires while the loss is higher than it has been; quick to see small, lasting rises.

    Sums each pane's deviation from the running mean, less ``tolerance``, and cuts where the sum has come
    ``sum_threshold`` away from its extreme, up or down. ``score`` is the rise in standard errors.

    References
    ----------
    Page, E. (1954), Continuous Inspection Schemes, Biometrika 41(1/2).
    """

    name = "page_hinkley_loss"
    params_class = PageHinkleyLossParams

    def changes(self, series: Series, start: int) -> int | None:
        """Return the pane by which river's two-sided test has found a change."""
        from river.drift import PageHinkley  # see `adwin`: river is slow to import

        change = PageHinkley(
            min_instances=2, delta=self.params.tolerance, threshold=self.params.sum_threshold, alpha=1.0
        )

        def update(score: float) -> bool:
            change.update(score)
            return bool(change.drift_detected)

        found = first_change(series.scores[start:], update)
        return None if found is None else start + found
