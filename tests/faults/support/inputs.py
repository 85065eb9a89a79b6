"""Models, and events of every kind a producer may send, drawn from a seeded generator."""

import json
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from detectors.registry import DETECTORS
from streams.layout import compile_layout
from streams.monitor import Monitor
from streams.stages.fleet import Watched

T0 = 1_780_000_000_000
PANE_MS = 10_000
FUTURE_MS = 300_000
OBJECTIVE = 0.3
MIN_SAMPLES = 8
CURRENT_MS = 20_000
LATENESS_MS = {"churn": 20_000, "fraud": 5_000, "nobody": 30_000}
SEGMENTS = {"churn": ("country",), "fraud": (), "nobody": ()}
#: The share of events that a prompt producer sends late, as one does that was cut off.
HELD_UP, HELD_UP_MS = 0.05, 40_000
PLAUSIBLE = {"age": (18, 100)}
LISTED = {"plan": ("free", "pro")}

_OFF: dict[str, Any] = dict.fromkeys(DETECTORS, False)
_CHURN = {
    "model": "churn",
    "features": {
        "age": {"type": "number", "min": 18, "max": 100},
        "plan": {"type": "category", "values": ["free", "pro"]},
    },
    "segments": ["country"],
    "windows": {"pane": "10s", "current": "20s", "allowed_lateness": "20s", "min_samples": MIN_SAMPLES},
    "detectors": _OFF,
}
_FRAUD = {
    "model": "fraud",
    "features": {"amount": {"type": "number"}},
    "unexpected_features": "reject",
    "windows": {"pane": "10s", "current": "20s", "allowed_lateness": "5s", "min_samples": MIN_SAMPLES},
    "objectives": {"error_rate": OBJECTIVE},
    "detectors": _OFF
    | {
        "error_rate": {"clear_for": "0s", "min_samples": 4, "alpha": 0.2},
        "stale_stream": {"clear_for": "0s", "after_seconds": 3, "recent_seconds": 1e9},
    },
}


@cache
def watched() -> dict[str, Watched]:
    """Return the models with a monitor; *nobody* has none."""
    monitors = [Monitor.model_validate(one) for one in (_CHURN, _FRAUD)]
    return {one.model: Watched(one, compile_layout(one)) for one in monitors}


@cache
def watched_otherwise() -> dict[str, Watched]:
    """Return the models as somebody edits them for a moment: the columns of *churn* are others."""
    features = _CHURN["features"] | {"age": {"type": "number", "min": 17, "max": 100}}
    edited = Monitor.model_validate(_CHURN | {"features": features})
    return watched() | {"churn": Watched(edited, compile_layout(edited))}


@dataclass(frozen=True)
class Sent:
    """A record of the source topic, as the recount knows it; ``event`` is None where it is bad."""

    partition: int
    offset: int
    record_ms: int
    model: str
    event: dict[str, Any] | None


@dataclass
class Producer:
    """Makes events around the broker's time; few are late, ahead, bad or sent twice.

    Parameters
    ----------
    prompt
        None is late but those that were held up for long: where partitions fall idle, whether it is would depend
        on when they are seen to be. Of those held up it does.
    """

    random: Random
    models: tuple[str, ...]
    prompt: bool = False
    ids: int = 0
    again: list[tuple[str, bytes, dict[str, Any] | None]] = field(default_factory=list)

    def make(self, at_ms: int) -> tuple[str, bytes | None, dict[str, Any] | None]:
        """Return an event's model, its bytes, and what it says (None if it is bad)."""
        luck = self.random.random()
        if self.again and luck < 0.04 and not self.prompt:
            return self.random.choice(self.again)
        self.ids += 1
        model = self.random.choice(self.models)
        if luck < 0.08:
            return self._bad(model, at_ms)
        made = self._good(model, at_ms)
        sent = model, json.dumps(made).encode(), made
        if luck > 0.95:
            self.again.append(sent)
        return sent

    def held_up(self, at_ms: int) -> tuple[str, bytes, dict[str, Any]]:
        """Return an event that comes later than it may."""
        self.ids += 1
        model = self.random.choice(self.models)
        made = self._good(model, at_ms - LATENESS_MS[model] - PANE_MS - self.random.randrange(HELD_UP_MS))
        made["ts"] = min(made["ts"], at_ms - LATENESS_MS[model] - PANE_MS)
        return model, json.dumps(made).encode(), made

    def last(self, model: str, at_ms: int) -> tuple[str, bytes, dict[str, Any]]:
        """Return an event that brings a model's event time to ``at_ms``."""
        self.ids += 1
        made = {"id": f"last-{self.ids}", "model": model, "ts": at_ms, "prediction": 0.5, "version": "1"}
        return model, json.dumps(made).encode(), made

    def _bad(self, model: str, at_ms: int) -> tuple[str, bytes | None, None]:
        event = self._good(model, at_ms)
        match self.random.randrange(5):
            case 0:
                return "", self.random.choice([None, b"{", b"\xff", b"[]"]), None
            case 1:
                event["ts"] = at_ms + FUTURE_MS + self.random.randrange(1, 100_000)
            case 2:
                event["latency_ms"] = -1.0
            case 3:
                del event["prediction"]
            case _:
                event["id"] = ""
        return model, json.dumps(event).encode(), None

    def _good(self, model: str, at_ms: int) -> dict[str, Any]:
        random, lateness_ms = self.random, LATENESS_MS[model]
        luck = random.random()
        if self.prompt and luck < HELD_UP:
            ts_ms = at_ms - lateness_ms - PANE_MS - random.randrange(HELD_UP_MS)
        elif luck < 0.85 or (self.prompt and luck < 0.97):
            ts_ms = at_ms - random.randrange(lateness_ms // 2)
        elif luck < 0.97:
            ts_ms = at_ms - random.randrange(4 * lateness_ms)
        else:
            ts_ms = at_ms + random.randrange(60_000)
        # Now well, now ill, so that alerts begin and end.
        failed = random.random() < (0.7 if ts_ms // CURRENT_MS % 2 else 0.05)
        event: dict[str, Any] = {
            "id": f"{model}-{self.ids}",
            "model": model,
            "ts": ts_ms,
            "version": random.choice("112"),
            "prediction": None if failed else round(random.random(), 4),
            "latency_ms": round(random.gammavariate(2.0, 5.0), 2),
        }
        if failed:
            event["error"] = "timeout"
        if model == "churn":
            event["features"] = {
                "age": random.randrange(10, 120),
                "plan": random.choice(["free", "pro", "x"]),
            }
            if random.random() < 0.2:
                del event["features"]["age"]
            if random.random() < 0.5:
                event["segments"] = {"country": random.choice(["DE", "FR"])}
        if model == "fraud":
            event["features"] = {"amount": round(random.gammavariate(2.0, 20.0), 2)}
        return event
