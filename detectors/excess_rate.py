"""What detectors of a share above its usual one have in common."""

from collections.abc import Sequence
from typing import ClassVar, Generic, Self, TypeVar

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import Shortfall
from detectors.sentence import against_percent, percent, shorten
from detectors.significance import Rate, SignificanceParams, excess_limits
from detectors.window import Column, Window

R = TypeVar("R", bound=SignificanceParams)


class ExcessRate(Detector[R], Generic[R]):
    """Holds the share of a column's values that are not as they should be against the reference's.

    ``score`` is what the share exceeds the reference's by. The threshold in force is the larger of
    `smallest_excess` and the excess that chance explains with probability ``alpha``. All columns at once.
    """

    #: What is counted, in sentences: "values missing".
    what: ClassVar[str]

    def rate(self, column: Column) -> Rate:
        """Return what is counted in a column, and of how many."""
        raise NotImplementedError

    def current(self, window: Window, usual: Rate | None) -> Rate | Shortfall:
        """Return the window's rate, or why there is nothing to judge by."""
        raise NotImplementedError

    @property
    def smallest_excess(self) -> float:
        """The excess that matters, as a share of one."""
        return self.params.threshold

    @classmethod
    def observe_many(
        cls, detectors: Sequence[Self], window: Window, reference: Window | None
    ) -> list[Verdict]:
        """Judge the columns' shares against the reference's."""
        usual = [one._usual(reference) for one in detectors]
        found = [one.current(window, rate) for one, rate in zip(detectors, usual, strict=True)]
        ready = [
            (rate.total, before) for rate, before in zip(found, usual, strict=True) if isinstance(rate, Rate)
        ]
        totals, references = [total for total, _ in ready], [before for _, before in ready]
        first = detectors[0]
        limits = iter(excess_limits(totals, references, first.smallest_excess, first.params.alpha))
        return [
            one.insufficient(rate.samples, rate.reason)
            if isinstance(rate, Shortfall)
            else one._verdict(rate, before, next(limits))
            for one, rate, before in zip(detectors, found, usual, strict=True)
        ]

    def _usual(self, reference: Window | None) -> Rate | None:
        column = None if reference is None else reference.column(self.column)
        rate = None if column is None else self.rate(column)
        return rate if rate is not None and rate.total else None

    def _verdict(self, current: Rate, usual: Rate | None, limit: float) -> Verdict:
        excess = max(current.share - (usual.share if usual else 0.0), 0.0)
        evidence = Evidence.when_asked(_evidence, self.column, self.what, current, usual, limit)
        return self.verdict(excess, current.total, evidence, threshold=limit)


def _evidence(column: str, what: str, current: Rate, usual: Rate | None, limit: float) -> Evidence:
    """Return evidence: ``age: 12 % of 3,000 values missing (reference 1 %), excess 11 % > 2 %``."""
    head = f"{shorten(column)}: {percent(current.share)} of {current.total:,} {what}"
    if usual is None:
        return Evidence(f"{head}, {against_percent(current.share, limit)}", value=current.share)
    excess = max(current.share - usual.share, 0.0)
    return Evidence(
        f"{head} (reference {percent(usual.share)}), excess {against_percent(excess, limit)}",
        value=current.share,
        details={"rate": [usual.share, current.share]},
    )
