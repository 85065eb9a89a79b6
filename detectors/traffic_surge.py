"""Traffic far above its usual rate."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from pydantic import Field

from detectors.base import Detector, Evidence, Verdict
from detectors.comparison import shortage
from detectors.sentence import against, figure, quantity
from detectors.significance import SignificanceParams, critical_poisson_count
from detectors.window import Window


class TrafficSurgeParams(SignificanceParams):
    """Parameters of the traffic surge."""

    threshold: float = Field(default=3.0, ge=1.0, description="times the usual rate (1 upwards)")
    history_panes: int = Field(
        default=360, ge=2, le=10_000, description="panes whose median rate is the usual one (2 to 10,000)"
    )
    min_panes: int = Field(
        default=30, ge=2, le=10_000, description="panes needed before a verdict (2 to 10,000)"
    )


class TrafficSurge(Detector[TrafficSurgeParams]):
    """Fires when events come in several times as fast as usual: a retry storm, or a replayed topic.

    ``score`` is the window's rate over the median rate of the last ``history_panes`` panes. The median does
    not follow a surge until it lasts for half of them; then it is the new usual. The threshold in
    force is the larger of ``threshold`` and the ratio a Poisson process exceeds with probability ``alpha``.

    References
    ----------
    Hampel, F. (1974), The Influence Curve and its Role in Robust Estimation, JASA 69(346), on the median.
    """

    name = "traffic_surge"
    kind = "TrafficSurge"
    targets = frozenset({"model"})
    scope = "model"
    params_class = TrafficSurgeParams
    default = True

    def __init__(self, params: TrafficSurgeParams, column: str = "") -> None:
        super().__init__(params, column)
        self._rates: list[float] = []
        self._last_end_ms: int | None = None

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the window's rate against the usual one, then learn from its newest pane."""
        verdict = self._judge(window)
        pane = window.pane
        if pane is not None and (self._last_end_ms is None or pane.end_ms > self._last_end_ms):
            self._last_end_ms = pane.end_ms
            self._rates = [*self._rates, pane.events_per_second][-self.params.history_panes :]
        return verdict

    def snapshot(self) -> Any:
        """Return the rates of the panes in the history, in events a second."""
        return {"rates": list(self._rates), "last_end_ms": self._last_end_ms}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up a `snapshot`."""
        self._rates = [float(rate) for rate in snapshot["rates"]]
        self._last_end_ms = snapshot["last_end_ms"]

    def _judge(self, window: Window) -> Verdict:
        needed = min(self.params.min_panes, self.params.history_panes)
        if len(self._rates) < needed:
            return self.insufficient(
                window.events, f"usual rate: {shortage(len(self._rates), needed, 'pane')}"
            )
        if window.events < self.params.min_samples:
            return self.insufficient(window.events, shortage(window.events, self.params.min_samples, "event"))
        usual = median(self._rates)
        if usual <= 0.0:
            return self.insufficient(
                window.events, "most panes are empty: there is no usual rate to compare with"
            )
        ratio = window.events_per_second / usual
        expected = usual * max(window.end_ms - window.start_ms, 1) / 1000
        chance = critical_poisson_count(expected, self.params.alpha, int(self.params.threshold * expected))
        limit = max(self.params.threshold, chance / expected)
        sentence = (
            f"{figure(window.events_per_second)} events a second, usually {figure(usual)}: "
            f"{against(ratio, limit)} times the usual rate over {quantity(window.events, 'event')}"
        )
        evidence = Evidence(
            sentence, value=ratio, details={"events_per_second": [usual, window.events_per_second]}
        )
        return self.verdict(ratio, window.events, evidence, threshold=limit)
