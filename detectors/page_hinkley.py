"""The Page-Hinkley test over a column's pane means."""

from typing import cast

from pydantic import Field

from detectors.mean_shift import ChangeDetector, MeanShiftDetector, MeanShiftParams


class PageHinkleyParams(MeanShiftParams):
    """Parameters of the Page-Hinkley test."""

    tolerance: float = Field(
        default=0.1,
        ge=0.0,
        description="drift of a pane's mean that is let pass (standard deviations), delta",
    )
    sum_threshold: float = Field(
        default=5.0,
        gt=0.0,
        description="sum of deviations beyond the tolerance that is a change (standard deviations), lambda",
    )
    forgetting: float = Field(
        default=0.9999, gt=0.0, le=1.0, description="weight of the past in the sum, pane by pane (0 to 1)"
    )


class PageHinkley(MeanShiftDetector[PageHinkleyParams]):
    """Fires when the mean of a column has moved to another level; quick to see small, lasting shifts.

    Sums each pane mean's deviation from the running mean, less ``tolerance``, and reports a change when
    the sum has come ``sum_threshold`` away from its extreme. ``score`` is the shift in standard deviations of
    the values.

    References
    ----------
    Page, E. (1954), Continuous Inspection Schemes, Biometrika 41(1/2).
    Hinkley, D. (1971), Inference about the Change-Point from Cumulative Sum Tests, Biometrika 58(3).
    """

    name = "page_hinkley"
    kind = "MeanShift"
    targets = frozenset({"number", "prediction"})
    params_class = PageHinkleyParams

    def change_detector(self) -> ChangeDetector:
        """Return river's two-sided Page-Hinkley test."""
        from river.drift import PageHinkley as RiverPageHinkley  # see `adwin`: river is slow to import

        return cast(
            ChangeDetector,
            RiverPageHinkley(
                min_instances=self.params.min_panes,
                delta=self.params.tolerance,
                threshold=self.params.sum_threshold,
                alpha=self.params.forgetting,
            ),
        )
