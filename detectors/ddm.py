"""The drift detection method over the loss of panes."""

import numpy as np
from pydantic import Field

from detectors.loss_shift import LossShift, LossShiftParams, Series


class DdmParams(LossShiftParams):
    """Parameters of the drift detection method."""

    deviations: float = Field(
        default=3.0, gt=0.0, description="standard deviations above the lowest loss so far that are a change"
    )


class Ddm(LossShift[DdmParams]):
    """Fires while the loss is higher than it has been, by its running mean against its best so far.

    A change is where the running mean and its standard deviation *s* together exceed the lowest they have
    been by ``deviations`` of the *s* of then. Panes are added whole, since the order within them is not
    known; river's takes outcomes one by one. Slow changes escape it. ``score`` is the rise in standard errors.

    References
    ----------
    Gama, J., Medas, P., Castillo, G. and Rodrigues, P. (2004), Learning with Drift Detection, SBIA.
    """

    name = "ddm"
    params_class = DdmParams

    def changes(self, series: Series, start: int) -> int | None:
        """Return the pane by which the running mean has left its best."""
        count = np.cumsum(series.count[start:])
        mean = np.cumsum(series.count[start:] * series.mean[start:]) / count
        deviation = np.sqrt(series.variance / count)
        total = mean + deviation
        best = np.array([int(np.argmin(total[: place + 1])) for place in range(total.size)], dtype=np.int64)
        found = np.flatnonzero(total > mean[best] + self.params.deviations * deviation[best])
        found = found[found > 0]
        return start + int(found[0]) if found.size else None
