"""A stream that delivers old events."""

from pydantic import AliasChoices, ConfigDict, Field

from detectors.base import Detector, Evidence, Params, Verdict
from detectors.sentence import against, duration
from detectors.window import Window


class StaleStreamParams(Params):
    """Parameters of the stale stream."""

    model_config = ConfigDict(validate_by_name=True)

    threshold: float = Field(
        default=900.0,
        gt=0.0,
        validation_alias=AliasChoices("after_seconds", "threshold"),
        description="age (s) of the newest event that is worth an alert; also written after_seconds",
    )
    min_samples: int = Field(default=1, ge=1, description="events the window must hold before a verdict")
    recent_seconds: float = Field(
        default=120.0,
        gt=0.0,
        description="time (s) since the last record within which the stream counts as running",
    )


class StaleStream(Detector[StaleStreamParams]):
    """Fires when records keep coming in, but the events in them are old: a backlog, or a producer's clock.

    ``score`` is the age in seconds of the newest event time seen. It is judged only while a record came in
    within ``recent_seconds``; a stream that stands still is `TrafficSilence`.

    References
    ----------
    Akidau, T. et al. (2015), The Dataflow Model, VLDB 8(12), section 2.3, on event-time skew.
    """

    name = "stale_stream"
    kind = "StaleStream"
    targets = frozenset({"model"})
    scope = "model"
    params_class = StaleStreamParams
    default = True
    observes = "tick"

    def observe(self, window: Window, reference: Window | None) -> Verdict:
        """Judge the age of the newest event while records come in."""
        if window.last_record_ms is None or window.last_event_ms is None:
            return self.insufficient(window.events, "no record has come in yet")
        quiet = max(window.now_ms - window.last_record_ms, 0) / 1000
        if quiet > self.params.recent_seconds:
            return self.insufficient(
                window.events, f"no record for {duration(quiet)}: the stream stands still"
            )
        if window.events < self.params.min_samples:
            return self.insufficient(
                window.events, f"{window.events:,} of {self.params.min_samples:,} events"
            )
        age = max(window.now_ms - window.last_event_ms, 0) / 1000
        limit = self.params.threshold
        sentence = (
            f"records come in, the newest {duration(quiet)} ago, "
            f"but event time is {duration(age)} behind ({against(age, limit, ' s')})"
        )
        return self.verdict(age, window.events, Evidence(sentence, value=age))
