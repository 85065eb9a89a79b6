"""How well estimates did once labels came, pane by pane, and whether they are still to be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.special import bdtrc

from detectors.estimation.estimate import Estimate
from detectors.outcomes.metrics import Metric

#: Panes an estimate is followed over, at most; older and neighbouring ones are joined into as many.
MOST_PANES = 24
#: Labels a pane must have to say anything about an estimate.
LEAST_LABELS = 30
#: A share of misses this unlikely is more than was promised.
UNLIKELY = 0.01
#: Standard errors that the estimate of all the panes together must be off by as well: 1 % of chance.
CLEARLY_OFF = 2.576


@dataclass(frozen=True, slots=True)
class Track:
    """What became of a metric's estimates.

    Parameters
    ----------
    panes, misses
        Panes whose labels are in, and those of them whose realised metric fell outside the interval.
    promised
        Share of misses (0 to 1) that the interval promises.
    estimated, realised
        The metric over all those panes together, in its own unit.
    off
        By how many standard errors the two differ, 0 upwards.
    """

    panes: int
    misses: int
    promised: float
    estimated: float
    realised: float
    off: float

    @property
    def error(self) -> float:
        """How far the estimate was off, in the metric's unit."""
        return abs(self.estimated - self.realised)

    @property
    def is_trusted(self) -> bool:
        """Whether the estimates do what they promise.

        They do not where so many misses have a probability below `UNLIKELY`, and the panes together are off
        by `CLEARLY_OFF` standard errors as well: misses of panes that rest on the same few labels come
        together, and prove less than they seem to.
        """
        unlikely = bool(self.misses) and bdtrc(self.misses - 1, self.panes, self.promised) < UNLIKELY
        return not (unlikely and self.off > CLEARLY_OFF)


def tracks(
    panes: Sequence[tuple[Mapping[str, Estimate], Mapping[str, Metric]]],
    whole: tuple[Mapping[str, Estimate], Mapping[str, Metric]],
    level: float,
) -> dict[str, Track]:
    """Return the track of each metric that has an estimate and is realised.

    Parameters
    ----------
    panes
        Of each pane the estimates, made without its labels, and the metrics by its labels.
    whole
        The same of all the panes together.
    level
        Share of the intervals (0 to 1) that hold the realised metric, as promised.
    """
    found = {}
    for name, estimate in whole[0].items():
        realised = whole[1].get(name)
        if realised is None or realised.value is None or estimate.value is None:
            continue
        held = [
            one.low <= seen.value <= one.high
            for estimated, metrics in panes
            if (one := estimated[name]).value is not None
            and (seen := metrics[name]).value is not None
            and seen.samples >= LEAST_LABELS
        ]
        off = abs(estimate.value - realised.value) / max(estimate.error, 1e-12)
        found[name] = Track(
            len(held), held.count(False), 1.0 - level, estimate.value, realised.value, min(off, 1e6)
        )
    return found
