"""What an alert says: summary, description, cause, and the evidence of its worst verdict."""

import json
from collections.abc import Sequence

from detectors.base import Verdict
from detectors.cause.inquiry import Cause
from detectors.registry import DETECTORS
from detectors.window import Window
from streams import gates
from streams.alert_state import AlertKey
from streams.evidence import evidence_of
from streams.finite import jsonable
from streams.monitor import Monitor

_STATUS_RANK = {"insufficient": 0, "ok": 1, "firing": 2}


def annotations(
    monitor: Monitor,
    key: AlertKey,
    firing: Sequence[Verdict],
    cause: Cause | None,
    impact: gates.Impact | None,
    window: Window | None = None,
) -> dict[str, str]:
    """Return an alert's annotations but for its links; the worst of the verdicts that fire speaks.

    Parameters
    ----------
    firing
        One at least.
    impact
        How the gate of a detector among them stands; None where none has one.
    window
        What they were made of.
    """
    worst = max(firing, key=badness)
    subject = f"{monitor.model} {key.version}".strip()
    where = f" [{key.segment}]" if key.segment else ""
    evidence = evidence_of(worst)
    if (span := _span(worst, window)) is not None:
        evidence["window"] = {"start_ms": span[0], "end_ms": span[1]}
    if cause is not None:
        evidence["cause"] = jsonable(cause.told)
    if impact is not None:
        evidence["gate"] = {"performance": impact}
    told = {
        "summary": f"{subject}{where}: {worst.evidence.sentence}",
        "description": (
            f"{worst.detector} scored {worst.score:.4g} against a threshold of {worst.threshold:.4g} "
            f"over {worst.samples:,} samples."
            f"{_others(worst, firing)}{'' if impact is None else f' {gates.words(impact)}'}"
        ),
        "evidence": json.dumps(evidence),
    }
    return told if cause is None else told | {"cause": cause.sentence}


def _span(verdict: Verdict, window: Window | None) -> tuple[int, int] | None:
    """Return the event time that was judged; outcomes are of an earlier one than what comes in now."""
    if window is None:
        return None
    of = window.outcomes if DETECTORS[verdict.detector].observes == "outcome" else window
    return None if of is None or not 0 < of.start_ms < of.end_ms else (of.start_ms, of.end_ms)


def badness(verdict: Verdict) -> tuple[int, float]:
    """Return what orders verdicts on one subject: by status, then by how far the score goes."""
    return _STATUS_RANK[verdict.status], (
        verdict.score / verdict.threshold if verdict.threshold else verdict.score
    )


def firing_of(verdicts: Sequence[Verdict], active: Sequence[str]) -> list[Verdict]:
    """Return the verdicts that fire, of detectors whose signals do."""
    return [one for one in verdicts if one.detector in active and one.status == "firing"]


def usual_severity(kind: str) -> str:
    """Return the severity of an alert kind where its monitor says no other."""
    return next((one.severity for one in DETECTORS.values() if one.kind == kind), "warning")


def _others(worst: Verdict, firing: Sequence[Verdict]) -> str:
    """Return the other detectors that fire on the same, each with its score and threshold."""
    others = {one.detector: one for one in sorted(firing, key=badness) if one.detector != worst.detector}
    told = [f"{name} {one.score:.4g} (above {one.threshold:.4g})" for name, one in sorted(others.items())]
    return f" So do {', '.join(told)}." if told else ""
