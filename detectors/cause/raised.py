"""Which columns raise the errors that are expected of a window, and by which of their bins."""

from detectors.cause.drivers import LEAST_SHARE, Driver
from detectors.estimation.losses import LOSSES, LossModel, Rise
from detectors.sentence import percent, shorten
from detectors.tally import MISSING
from detectors.window import Window


def raised(model: LossModel, window: Window, metric: str) -> tuple[Driver, ...]:
    """Return the columns that raise an expected metric, those that raise it most first.

    A column's share is its part of all that raises the expected loss (of RMSE the squared error); what
    lessens it is left out. Effects of columns that go together, as of the prediction and the features it is
    made of, are told apart only as far as the labelled rows could.

    Parameters
    ----------
    metric
        ``mae`` or ``rmse``.
    """
    if metric not in LOSSES:
        return ()
    found = [one for one in model.rises(window, metric) if one.by > 0.0]
    total = sum(one.by for one in found)
    drivers = [_driver(one, one.by / total) for one in found]
    return tuple(one for one in drivers if one.share >= LEAST_SHARE)


def _driver(one: Rise, share: float) -> Driver:
    if one.where == MISSING:
        said = "missing values"
    else:
        said = f"values {one.where}" if one.kind == "number" else repr(shorten(one.where, 32))
    how = f"{said} {percent(one.usual)} → {percent(one.current)}"
    return Driver(one.name, share, one.usual, one.current, f"{shorten(one.name)} {percent(share, 2)} ({how})")
