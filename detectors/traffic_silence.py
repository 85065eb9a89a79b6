"""A model that has gone quiet."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import AliasChoices, ConfigDict, Field

from detectors.base import Detector, Evidence, Params, Verdict
from detectors.comparison import shortage
from detectors.sentence import against, duration, figure
from detectors.window import Window


class TrafficSilenceParams(Params):
    """Parameters of the traffic silence."""

    model_config = ConfigDict(validate_by_name=True)

    threshold: float = Field(
        default=300.0,
        gt=0.0,
        validation_alias=AliasChoices("after_seconds", "threshold"),
        description="silence (s) that is worth an alert; also written after_seconds",
    )
    min_samples: int = Field(
        default=50, ge=1, description="events the window must have held for its rate to be known"
    )
    alpha: float = Field(
        default=1e-6,
        gt=0.0,
        lt=0.5,
        description="probability (0 to 0.5) that the usual rate falls silent this long by chance",
    )


class TrafficSilence(Detector[TrafficSilenceParams]):
    """Fires when a model that had regular traffic gets no more records.

    ``score`` is the time in seconds since the newest record came in, by the broker's clock. At a usual
    rate of r events a second, a silence of t seconds has probability ``exp(-r t)``; the threshold in
    force is the larger of ``after_seconds`` and ``-ln(alpha) / r``, so that a model asked once a minute
    is given its time. The rate is that of the last window in which records still came in.

    References
    ----------
    Kingman, J. (1993), Poisson Processes, Oxford, section 4.1, on the gaps of a Poisson process.
    """

    name = "traffic_silence"
    kind = "TrafficSilence"
    targets = frozenset({"model"})
    scope = "model"
    params_class = TrafficSilenceParams
    default = True
    severity = "critical"
    observes = "tick"

    def __init__(self, params: TrafficSilenceParams, column: str = "") -> None:
        super().__init__(params, column)
        self._newest_ms: int | None = None
        self._events = 0
        self._rate = 0.0

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the time since the newest record."""
        self._learn(window)
        if self._newest_ms is None:
            return self.insufficient(0, "no record has come in yet")
        if self._rate <= 0.0:
            return self.insufficient(
                self._events, f"usual rate: {shortage(self._events, self.params.min_samples, 'event')}"
            )
        silence = max(window.now_ms - self._newest_ms, 0) / 1000
        limit = max(self.params.threshold, -math.log(self.params.alpha) / self._rate)
        sentence = (
            f"no record for {duration(silence)} ({against(silence, limit, ' s')}); "
            f"usually {figure(self._rate)} events a second"
        )
        evidence = Evidence(sentence, value=silence, details={"events_per_second": self._rate})
        return self.verdict(silence, self._events, evidence, threshold=limit)

    def snapshot(self) -> Any:
        """Return the usual rate and the newest record's time."""
        return {"newest_ms": self._newest_ms, "events": self._events, "rate": self._rate}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up a `snapshot`."""
        self._newest_ms = snapshot["newest_ms"]
        self._events, self._rate = int(snapshot["events"]), float(snapshot["rate"])

    def _learn(self, window: Window) -> None:
        """Take the rate of a window whose records are new; an ebbing window's rate would be too low."""
        newest_ms = window.last_event_ms if window.last_record_ms is None else window.last_record_ms
        if newest_ms is None or (self._newest_ms is not None and newest_ms <= self._newest_ms):
            return
        self._newest_ms = newest_ms
        self._events = window.events
        if window.events >= self.params.min_samples:
            self._rate = window.events_per_second
