"""Whether a stage's wall clock can be trusted to tell how long nothing came."""

#: Flushes further apart than this do not tell what came in between.
LONGEST_STEP_MS = 5_000


class Pace:
    """Notices that a worker stood still, or that its clock was set.

    What came to a partition meanwhile is not known yet: taken for quiet, its event time would be moved on
    past events that wait to be read, and make them late.

    Parameters
    ----------
    longest_step_ms
        Between two calls of a worker at work.

    Examples
    --------
    >>> pace = Pace()
    >>> [pace.is_steady(now_ms) for now_ms in (0, 500, 1_000, 60_000, 60_500, 30_000)]
    [False, True, True, False, True, False]
    """

    def __init__(self, longest_step_ms: int = LONGEST_STEP_MS) -> None:
        self._longest_step_ms = longest_step_ms
        self._before_ms: int | None = None

    def is_steady(self, now_ms: int) -> bool:
        """Return whether time went on since the last call, and no further than a worker at work lets it."""
        before_ms, self._before_ms = self._before_ms, now_ms
        return before_ms is not None and 0 <= now_ms - before_ms <= self._longest_step_ms
