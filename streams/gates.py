"""Alerts gated by impact: they page only where performance, estimated before labels come, falls too.

``gate: performance`` at a detector keeps its alerts at ``info`` while the estimate says that performance holds.
Once it falls, or cannot be told, the alert has the severity it would have without a gate: a gate that knows
nothing is open, so that no alert is lost for want of an estimate.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Literal

from detectors.base import Verdict
from detectors.estimated_performance import EstimatedPerformance
from detectors.estimation.estimate import ESTIMATED
from streams.alert_state import AlertKey, Signal, is_active
from streams.inbox import Group

Impact = Literal["holds", "falls", "unknown"]
#: Severity of an alert whose gate is shut.
SHUT = "info"
_KIND = EstimatedPerformance.kind
_METRICS = tuple(dict.fromkeys(chain.from_iterable(ESTIMATED.values())))

_WORDS: Mapping[Impact, str] = {
    "holds": "Kept at info: estimated performance holds (gate: performance).",
    "falls": "Estimated performance falls too (gate: performance).",
    "unknown": "Not kept back: performance cannot be estimated now (gate: performance).",
}


def last_held(
    holds_ms: Mapping[Group, int], group: Group, verdicts: Iterable[Verdict], at_ms: int
) -> dict[Group, int]:
    """Return when each version and segment was last estimated to hold (event time, epoch ms), after verdicts.

    One metric that falls, or is taken back, is enough to end it. *Insufficient* says nothing new.

    Examples
    --------
    >>> from detectors.base import Evidence
    >>> ok = Verdict("estimated_performance", "EstimatedPerformanceDrop", "recall", "ok", 0.0, 3.0, 500, Evidence(""))
    >>> last_held({}, ("1.4.2", ""), [ok], 10_000)
    {('1.4.2', ''): 10000}
    """
    estimates = [one for one in verdicts if one.detector == EstimatedPerformance.name]
    after = dict(holds_ms)
    if any(one.status == "firing" or one.withdrawn for one in estimates):
        after.pop(group, None)
    elif any(one.status == "ok" for one in estimates):
        after[group] = at_ms
    return after


def impact(
    group: Group,
    holds_ms: Mapping[Group, int],
    signals: Mapping[AlertKey, Mapping[str, Signal]],
    at_ms: int,
    grace_ms: int,
) -> Impact:
    """Return what the estimate says of a version and segment; of the version as a whole where a segment has none.

    Parameters
    ----------
    holds_ms
        When each was last estimated to hold: `last_held`.
    signals
        The model's; an estimate falls while its own alert fires, with that alert's patience.
    grace_ms
        How long an estimate counts when no newer one can be made.
    """
    version, segment = group
    places = dict.fromkeys((segment, ""))
    alerts = (AlertKey(_KIND, version, place, metric) for place in places for metric in _METRICS)
    if any(is_active(signals.get(key, {}).values()) for key in alerts):
        return "falls"
    for place in places:
        last_ms = holds_ms.get((version, place))
        if last_ms is not None and at_ms - last_ms <= grace_ms:
            return "holds"
    return "unknown"


def words(found: Impact) -> str:
    """Return what an alert says of its gate."""
    return _WORDS[found]
