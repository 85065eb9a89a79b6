"""An alert's history: what was decided about it, in order, in little room.

The same decision again counts up. So does a try to deliver, and what came of it, until the receiver has taken it:
an hour of tries is two lines. Of a history that is full, the beginning and the newest stay.
"""

from collections.abc import Sequence
from dataclasses import replace

from alerts.decision import Decision, Reason, Stage

#: Decisions kept per alert, and how many of them are its first.
HISTORY_KEPT = 50
FIRST_KEPT = 12


def added(history: Sequence[Decision], decision: Decision) -> list[Decision]:
    """Return a history with one more decision in it.

    Examples
    --------
    >>> def told(at_ms, reason):
    ...     return Decision(at_ms, Stage.DELIVER, reason, "ops/slack/0")
    >>> history = []
    >>> for at_ms, reason in enumerate([Reason.FIRST, Reason.RETRY, Reason.FIRST, Reason.RETRY, Reason.SENT]):
    ...     history = added(history, told(at_ms, reason))
    >>> [(one.reason.name, one.times, one.since_ms, one.at_ms) for one in history]
    [('FIRST', 2, 0, 2), ('RETRY', 2, 1, 3), ('SENT', 1, None, 4)]
    """
    again = _same(history, decision)
    if again is None:
        return [*history, decision]
    before = history[again]
    since_ms = before.at_ms if before.since_ms is None else before.since_ms
    counted = replace(decision, times=before.times + 1, since_ms=since_ms)
    return [*history[:again], counted, *history[again + 1 :]]


def kept(history: Sequence[Decision]) -> tuple[list[Decision], int]:
    """Return what stays of a history, and how many decisions are left out of it.

    Examples
    --------
    >>> history, left_out = kept([Decision(at_ms, Stage.ROUTE, Reason.ROUTED) for at_ms in range(60)])
    >>> len(history), left_out, history[11].at_ms, history[12].at_ms
    (50, 10, 11, 22)
    """
    too_many = len(history) - HISTORY_KEPT
    if too_many <= 0:
        return list(history), 0
    return [*history[:FIRST_KEPT], *history[FIRST_KEPT + too_many :]], too_many


def _same(history: Sequence[Decision], decision: Decision) -> int | None:
    """Return where the decision stands already that a new one counts up."""
    tries = decision.stage is Stage.DELIVER and decision.reason is not Reason.SENT
    for place in range(len(history) - 1, -1, -1):
        one = history[place]
        if (one.stage, one.reason, one.where) == (decision.stage, decision.reason, decision.where):
            return place
        if not tries or _ends_tries(one, decision.where):
            return None
    return None


def _ends_tries(one: Decision, place: str) -> bool:
    """Return whether tries at a receiver after this decision are to be told on their own."""
    if one.stage is Stage.DELIVER:
        return one.where == place and one.reason is Reason.SENT
    return one.reason is not Reason.REFRESHED
