"""A verdict's evidence as it travels: JSON-able, every number finite."""

from typing import Any

from detectors.base import Verdict
from streams.finite import finite, finite_list, jsonable


def evidence_of(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict's evidence as JSON-able data."""
    evidence = verdict.evidence
    return {
        "detector": verdict.detector,
        "score": finite(verdict.score),
        "threshold": finite(verdict.threshold),
        "samples": verdict.samples,
        "value": jsonable(evidence.value),
        "labels": list(evidence.labels),
        "reference": finite_list(evidence.reference),
        "current": finite_list(evidence.current),
        "details": jsonable(evidence.details),
    }
