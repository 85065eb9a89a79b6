"""Latency above its objective."""

from pydantic import Field

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.sentence import against, figure, percent, quantity
from detectors.significance import Rate, SignificanceParams, critical_count_at
from detectors.window import Column, Window


class LatencyParams(SignificanceParams):
    """Parameters of the latency objective."""

    threshold: float = Field(default=1000.0, gt=0.0, description="objective: latency (ms) at the quantile")
    quantile: float = Field(default=0.99, gt=0.0, lt=1.0, description="quantile judged (0 to 1)")
    alpha: float = Field(
        default=0.001,
        gt=0.0,
        lt=0.5,
        description="probability (0 to 0.5) that a latency just at the objective fires in one window",
    )


class Latency(Detector[LatencyParams]):
    """Fires when a quantile of the latency is above its objective, and not by chance.

    ``score`` is the quantile in ms, within the sketch's relative error. While no more events are slower
    than the objective than a true quantile just at it explains (binomial, with probability ``alpha``), the
    score is held at the objective.

    References
    ----------
    Conover, W. (1999), Practical Nonparametric Statistics, 3rd ed., section 3.2, the quantile test.
    """

    name = "latency"
    kind = "LatencyHigh"
    targets = frozenset({"latency"})
    params_class = LatencyParams
    severity = "critical"

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the quantile of the latency against the objective."""
        column = window.latency
        if column is None:
            return self.insufficient(0, "the model reports no latency_ms")
        if column.count < self.params.min_samples:
            lack = shortage(column.count, self.params.min_samples, "value") + " of latency_ms"
            return self.insufficient(column.count, lack)
        value = column.quantile(self.params.quantile)
        slow = _slower_than(column, self.params.threshold)
        if slow.total == 0:
            return self.insufficient(0, "the sketch holds no latencies")
        chance = critical_count_at(slow.total, 1 - self.params.quantile, self.params.alpha)
        score = value if slow.hits > chance else min(value, self.params.threshold)
        evidence = Evidence(self._sentence(value, slow), value=value, details={"slow": slow.hits})
        return self.verdict(score, column.count, evidence)

    def _sentence(self, value: float, slow: Rate) -> str:
        name = f"p{figure(self.params.quantile * 100, 5)} latency"
        return (
            f"{name} {against(value, self.params.threshold, ' ms')}; {percent(slow.share)} of "
            f"{quantity(slow.total, 'event')} slower (objective {percent(1 - self.params.quantile)})"
        )


def _slower_than(column: Column, limit_ms: float) -> Rate:
    slow = column.sketch_counts[column.sketch_values > limit_ms]
    return Rate(int(slow.sum()), int(column.sketch_counts.sum()))
