"""Hoeffding's drift detection method over the error rate of panes."""

import numpy as np
from pydantic import Field

from detectors.base import Verdict
from detectors.loss_shift import LossShift, LossShiftParams, Series
from detectors.window import Window


class HddmParams(LossShiftParams):
    """Parameters of Hoeffding's drift detection method."""

    alpha: float = Field(
        default=1e-3, gt=0.0, lt=0.5, description="probability (0 to 0.5) of a false change, by comparison"
    )


class Hddm(LossShift[HddmParams]):
    """Fires while the error rate is higher than it has been, with a bound that holds for any distribution.

    The averages test (HDDM_A): the mean of all panes against that of the first so many for which mean and
    Hoeffding bound together are lowest, or highest for a fall. Panes are added whole; river's takes outcomes one by
    one. Losses must lie from 0 to 1, so it judges no numbers. ``score`` is the rise in standard errors.

    References
    ----------
    Frías-Blanco, I. et al. (2015), Online and Non-Parametric Drift Detection Methods Based on Hoeffding's
    Bounds, IEEE Transactions on Knowledge and Data Engineering 27(3).
    """

    name = "hddm"
    params_class = HddmParams

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the series of error rates."""
        if self.column == "mae":
            return self.insufficient(0, "mae: Hoeffding's bound is for losses from 0 to 1")
        return super().observe(window, reference)

    def changes(self, series: Series, start: int) -> int | None:
        """Return the pane by which the mean has left its lowest, or its highest, beyond the bound."""
        count = np.cumsum(series.count[start:])
        mean = np.cumsum(series.count[start:] * series.mean[start:]) / count
        reach = np.sqrt(np.log(1.0 / self.params.alpha) / (2.0 * count))
        for place in range(1, count.size):
            for sign in (1.0, -1.0):
                cut = int(np.argmin((sign * mean + reach)[: place + 1]))
                apart = 1.0 / count[cut] - 1.0 / count[place]
                bound = np.sqrt(apart / 2.0 * np.log(2.0 / self.params.alpha))
                if cut < place and sign * (mean[place] - mean[cut]) > bound:
                    return start + place
        return None
