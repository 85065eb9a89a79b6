"""An alert's evidence as a message tells it: the figure against its threshold, of how many samples, over which window.

It comes as JSON in the annotation ``evidence``, from a judge of another version perhaps: what is odd in it is left out.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_FEATURES_KEPT = 10
_NAME_LIMIT = 200
_BINS_LIMIT = 500
_LONGEST_MS = 400 * 86_400_000
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict says of itself; None, "" or empty where it does not.

    Parameters
    ----------
    sentence
        In words.
    detector, score, threshold
        Who judged, and how: it fires at score > threshold.
    value
        The figure the sentence speaks of, in its own unit.
    samples
        Events, or values, that were judged.
    start_ms, end_ms
        The window they came from, event time, epoch ms.
    features
        What drives it, most of it first: features, or else bins and categories of the one that it is about.
    labels, reference, current
        Both distributions as shares, aligned with ``labels``.
    """

    sentence: str = ""
    detector: str = ""
    score: float | None = None
    threshold: float | None = None
    value: float | None = None
    samples: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    features: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    reference: tuple[float, ...] = ()
    current: tuple[float, ...] = ()

    @property
    def beyond(self) -> float:
        """How far the score is beyond its threshold: their quotient; 0 where that says nothing."""
        if self.score is None or not self.threshold or self.threshold < 0:
            return 0.0
        return self.score / self.threshold

    @property
    def against(self) -> str:
        """The score against the threshold, ``psi 0.31 > 0.2``; "" where one is missing."""
        if self.score is None or self.threshold is None:
            return ""
        sign = ">" if self.score > self.threshold else "≤"
        return f"{self.detector} {plain(self.score)} {sign} {plain(self.threshold)}".strip()

    @property
    def window(self) -> str:
        """The window, ``5 min to 2026-11-23 09:05:00 UTC``; "" where nobody says."""
        if self.start_ms is None or self.end_ms is None:
            return ""
        end = datetime.fromtimestamp(self.end_ms / 1000, UTC)
        return f"{_span(self.end_ms - self.start_ms)} to {end:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def facts(self) -> str:
        """All of it in one line, as far as there is any.

        Examples
        --------
        >>> Evidence(detector="psi", score=0.31, threshold=0.2, samples=14_203).facts
        'psi 0.31 > 0.2 · 14,203 samples'
        """
        samples = "" if self.samples is None else f"{self.samples:,} sample{'' if self.samples == 1 else 's'}"
        return " · ".join(text for text in (self.against, samples, self.window) if text)


def read(text: str) -> Evidence:
    """Return the evidence of an annotation; text that is no JSON is its sentence.

    Examples
    --------
    >>> read('{"score": 0.31, "threshold": 0.2, "samples": "many"}').against
    '0.31 > 0.2'
    """
    try:
        data = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return Evidence(sentence=text)
    if not isinstance(data, dict):
        return Evidence()
    labels, reference, current = (data.get(name) for name in ("labels", "reference", "current"))
    window = data.get("window")
    start_ms, end_ms = _window(window if isinstance(window, dict) else {})
    samples = _number(data.get("samples"))
    return Evidence(
        sentence=_text(data.get("sentence"), None),
        detector=_text(data.get("detector")),
        score=_number(data.get("score")),
        threshold=_number(data.get("threshold")),
        value=_number(data.get("value")),
        samples=None if samples is None or samples < 0 else int(samples),
        start_ms=start_ms,
        end_ms=end_ms,
        features=_features(data.get("cause")),
        **_bins(labels, reference, current),
    )


def plain(value: float) -> str:
    """Return a number at three significant digits.

    Examples
    --------
    >>> plain(0.31234), plain(730.4), plain(14203.0), plain(2.5e-7)
    ('0.312', '730', '14,203', '2.5e-07')
    """
    return f"{value:,.0f}" if 1_000 <= abs(value) < 1e12 else f"{value:.3g}"


def _span(length_ms: int) -> str:
    for unit_ms, word in _UNITS:
        if length_ms >= 2 * unit_ms or length_ms == unit_ms:
            return f"{plain(length_ms / unit_ms)} {word}"
    return f"{length_ms} ms"


def _text(value: object, limit: int | None = _NAME_LIMIT) -> str:
    return value[:limit] if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or abs(value) > 1e300 or not math.isfinite(value):  # type: ignore[arg-type]
        return None
    return float(value)  # type: ignore[arg-type]


def _window(data: Mapping[str, Any]) -> tuple[int | None, int | None]:
    start, end = _number(data.get("start_ms")), _number(data.get("end_ms"))
    if (
        start is None
        or end is None
        or not 0 <= start < end < 253_402_300_799_999
        or end - start > _LONGEST_MS
    ):
        return None, None
    return int(start), int(end)


def _features(cause: object) -> tuple[str, ...]:
    found = cause if isinstance(cause, dict) else {}
    for name in ("features", "drivers"):
        held = found.get(name)
        drivers = [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []
        named = tuple(text for one in drivers[:_FEATURES_KEPT] if (text := _text(one.get("what"))))
        if named:
            return named
    return ()


def _bins(*lists: object) -> dict[str, Any]:
    """Return the distributions, where they are two and belong to their labels."""
    if not all(isinstance(one, list) and 0 < len(one) <= _BINS_LIMIT for one in lists):
        return {}
    labels, reference, current = (one for one in lists if isinstance(one, list))
    if not len(labels) == len(reference) == len(current):
        return {}
    shares = [[_number(one) for one in held] for held in (reference, current)]
    if any(one is None or not 0 <= one <= 1.000_001 for held in shares for one in held):
        return {}
    names = tuple(str(one)[:_NAME_LIMIT] for one in labels)
    return {"labels": names, "reference": tuple(shares[0]), "current": tuple(shares[1])}


def ranked(found: Sequence[tuple[str, Evidence]]) -> list[str]:
    """Return names, each once, those furthest beyond their thresholds first."""
    order = sorted(found, key=lambda one: -one[1].beyond)
    return list(dict.fromkeys(name for name, _ in order if name))
