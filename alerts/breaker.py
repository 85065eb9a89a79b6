"""A breaker per receiver: one that is down or asks to wait is let rest, and what is for it waits.

It only ever delays: a delivery that is held back is a `Retry`, with nothing in doubt, and the desk keeps it.
"""

from dataclasses import dataclass, replace

from alerts.outcome import Finding, Outcome, Retry

_FAILURES = 5
_FIRST_PAUSE_MS = 5_000
_LONGEST_PAUSE_MS = 2 * 60_000
#: A probe whose outcome never comes, as its task was ended, makes way for another after this.
_PROBE_MS = 60_000
_BESIDE_PROBE_MS = 5_000


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of one receiver: tries that failed in a row, and until when it is let rest."""

    failures: int = 0
    rests_until_ms: int = 0
    probing: bool = False


def admit(breaker: Breaker, now_ms: int) -> tuple[Breaker, int]:
    """Return the breaker, and how long a delivery has to wait, in ms: 0 if it may go now.

    When the rest is over after failures, one delivery goes as a probe, and the others wait for what comes of it.

    Examples
    --------
    >>> admit(Breaker(failures=5, rests_until_ms=2_000), 1_500)[1]
    500
    >>> probe, wait_ms = admit(Breaker(failures=5, rests_until_ms=2_000), 2_000)
    >>> wait_ms, admit(probe, 2_001)[1]
    (0, 5000)
    """
    if now_ms < breaker.rests_until_ms:
        return breaker, _BESIDE_PROBE_MS if breaker.probing else breaker.rests_until_ms - now_ms
    if breaker.failures < _FAILURES:
        return breaker, 0
    return replace(breaker, probing=True, rests_until_ms=now_ms + _PROBE_MS), 0


def after(breaker: Breaker, outcome: Outcome | Finding, now_ms: int) -> Breaker:
    """Return the breaker after a try.

    Five failures in a row begin a rest of 5 s, each probe that fails one of twice the length, 2 min at most. A
    wait that the receiver asks for holds for all that is for it. An answer of any other kind, a refusal too,
    shows that it is there.

    Examples
    --------
    >>> after(Breaker(), Retry(30_000, "asks to wait"), 1_000)
    Breaker(failures=0, rests_until_ms=31000, probing=False)
    """
    if not isinstance(outcome, Retry):
        return Breaker()
    asked_until_ms = now_ms + outcome.after_ms
    if outcome.after_ms and not outcome.maybe_delivered:
        return Breaker(0, max(asked_until_ms, 0 if breaker.probing else breaker.rests_until_ms))
    if now_ms < breaker.rests_until_ms and not breaker.probing:
        # Began before the rest did: the same failure, not another one.
        return replace(breaker, rests_until_ms=max(breaker.rests_until_ms, asked_until_ms))
    failures = breaker.failures + 1
    pause_ms = 0 if failures < _FAILURES else _pause_ms(failures)
    return Breaker(failures, max(now_ms + pause_ms, asked_until_ms))


def _pause_ms(failures: int) -> int:
    return int(min(_FIRST_PAUSE_MS * 2 ** min(failures - _FAILURES, 20), _LONGEST_PAUSE_MS))
