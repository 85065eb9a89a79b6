"""What detectors of a share above its usual one have in common."""

from detectors.base import Evidence
from detectors.sentence import against_percent, percent, shorten
from detectors.significance import Rate


def excess_evidence(column: str, what: str, current: Rate, reference: Rate | None, limit: float) -> Evidence:
    """Return evidence: ``age: 12 % of 3,000 values missing (reference 1 %), excess 11 % > 2 %``."""
    usual = reference.share if reference is not None and reference.total else None
    head = f"{shorten(column)}: {percent(current.share)} of {current.total:,} {what}"
    excess = current.share - (usual or 0.0)
    if usual is None:
        return Evidence(f"{head}, {against_percent(excess, limit)}", value=current.share)
    return Evidence(
        f"{head} (reference {percent(usual)}), excess {against_percent(max(excess, 0.0), limit)}",
        value=current.share,
        details={"rate": [usual, current.share]},
    )
