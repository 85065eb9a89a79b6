"""The demo's events as they go to Kafka, and what each incident does to them."""

from collections.abc import Callable, Collection
from typing import Any

import msgspec
import numpy as np

from driftline.demo.applicants import MODEL, VERSION, Applicants, Features, score
from driftline.demo.timetable import active

LATE_MS = 5 * 60 * 1000
OLDER_YEARS = 4.0

Event = dict[str, Any]
Chance = Callable[[float], bool]


class Traffic:
    """Makes events; the same seed, times and counts give the same events.

    Parameters
    ----------
    seed
        Of everything random.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._applicants = Applicants(self._rng)
        self._prefix = f"{seed:x}"
        self._made = 0

    def events(self, n: int, elapsed_s: float, now_ms: int) -> list[tuple[bytes, bytes]]:
        """Return ``n`` events as key and value.

        Parameters
        ----------
        elapsed_s
            Place in the timetable, seconds.
        now_ms
            Event time, epoch milliseconds.
        """
        names = {incident.name for incident in active(elapsed_s)}
        made = [
            self._event(features, latency_ms, now_ms, names)
            for features, latency_ms in zip(
                self._applicants.draw(n), self._applicants.latencies_ms(n), strict=True
            )
        ]
        return [(event["id"].encode(), msgspec.json.encode(event)) for event in made]

    def _event(self, features: Features, latency_ms: float, now_ms: int, names: Collection[str]) -> Event:
        for name in names & _INPUTS.keys():
            _INPUTS[name](features, self._chance)
        self._made += 1
        event: Event = {
            "id": f"{self._prefix}-{now_ms:x}-{self._made:x}",
            "model": MODEL,
            "version": VERSION,
            "ts": now_ms,
            "features": features,
            "prediction": score(features),
            "latency_ms": latency_ms,
        }
        for name in names & _OUTPUTS.keys():
            _OUTPUTS[name](event, self._chance)
        return event

    def _chance(self, probability: float) -> bool:
        return bool(self._rng.random() < probability)


def _income_in_thousands(features: Features, chance: Chance) -> None:
    features["income"] = features["income"] / 1000


def _employment_null(features: Features, chance: Chance) -> None:
    features["employment_years"] = None


def _new_channel(features: Features, chance: Chance) -> None:
    if chance(0.018):
        features["channel"] = "partner"


def _debt_in_percent(features: Features, chance: Chance) -> None:
    if chance(0.04):
        features["debt_ratio"] = round(100 * features["debt_ratio"], 1)


def _no_houseboats(features: Features, chance: Chance) -> None:
    if features["housing"] == "houseboat":
        features["housing"] = "rent"


def _older_people(features: Features, chance: Chance) -> None:
    features["age"] += OLDER_YEARS


def _slow(event: Event, chance: Chance) -> None:
    event["latency_ms"] *= 10


def _errors(event: Event, chance: Chance) -> None:
    if chance(1 / 12):
        event["prediction"], event["error"] = None, "credit bureau timed out"


def _age_as_text(event: Event, chance: Chance) -> None:
    if chance(1 / 15):
        event["features"]["age"] = f"{event['features']['age']:.0f} years"


def _renamed(event: Event, chance: Chance) -> None:
    event["features"]["income_eur"] = round(0.86 * event["features"]["income"], 2)


def _bad_calibration(event: Event, chance: Chance) -> None:
    event["prediction"] = round(event["prediction"] ** 0.5, 4)


def _stale(event: Event, chance: Chance) -> None:
    event["ts"] -= LATE_MS


#: What changes before the model answers, by incident.
_INPUTS: dict[str, Callable[[Features, Chance], None]] = {
    "income_in_thousands": _income_in_thousands,
    "employment_null": _employment_null,
    "new_channel": _new_channel,
    "debt_in_percent": _debt_in_percent,
    "no_houseboats": _no_houseboats,
    "older_people": _older_people,
}
#: What changes after it.
_OUTPUTS: dict[str, Callable[[Event, Chance], None]] = {
    "slow": _slow,
    "errors": _errors,
    "age_as_text": _age_as_text,
    "renamed": _renamed,
    "bad_calibration": _bad_calibration,
    "stale": _stale,
}
