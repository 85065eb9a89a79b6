"""Adaptive windowing over a column's pane means."""

from typing import cast

from pydantic import Field

from detectors.mean_shift import ChangeDetector, MeanShiftDetector, MeanShiftParams


class AdwinParams(MeanShiftParams):
    """Parameters of adaptive windowing."""

    alpha: float = Field(
        default=1e-3, gt=0.0, lt=0.5, description="probability (0 to 0.5) of a false cut, the paper's delta"
    )


class Adwin(MeanShiftDetector[AdwinParams]):
    """Fires when the mean of a column has moved to another level and stays there; no shape assumed.

    ADWIN keeps as long a stretch of pane means as has one level, and cuts it where two parts differ by more
    than a Hoeffding-Bernstein bound. ``score`` is the shift in standard deviations of the values.

    References
    ----------
    Bifet, A. and Gavaldà, R. (2007), Learning from Time-Changing Data with Adaptive Windowing, SDM.
    """

    name = "adwin"
    kind = "MeanShift"
    targets = frozenset({"number", "prediction"})
    params_class = AdwinParams

    def change_detector(self) -> ChangeDetector:
        """Return river's ADWIN, testing at every pane."""
        from river.drift import ADWIN  # river takes two seconds to import, and few monitors ask for it

        return cast(
            ChangeDetector, ADWIN(delta=self.params.alpha, clock=1, grace_period=self.params.min_panes)
        )
