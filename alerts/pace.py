"""How fast one place is told: a receiver that takes one message a second refuses what comes faster."""

#: What Slack takes for one channel, in ms between messages.
SLACK_MS = 1_000


class Pace:
    """Gives out turns, one an interval, in the order they are asked for.

    Who has to wait keeps its turn: asked again at that time or later, it may go.

    Examples
    --------
    >>> pace = Pace(1_000)
    >>> pace.wait_ms("a", 5_000), pace.wait_ms("b", 5_000), pace.wait_ms("c", 5_100)
    (0, 1000, 1900)
    >>> pace.wait_ms("b", 6_000), pace.wait_ms("c", 6_200), pace.wait_ms("d", 9_000)
    (0, 800, 0)
    """

    def __init__(self, every_ms: int) -> None:
        self._every_ms = every_ms
        self._next_ms = 0
        self._turns: dict[str, int] = {}

    def wait_ms(self, who: str, now_ms: int) -> int:
        """Return how long somebody has to wait, in ms; 0 if it may go now, which uses its turn up."""
        # A clock that was set back must not keep anybody waiting.
        turn_ms = min(self._turns.pop(who, self._next_ms), now_ms + self._every_ms * (len(self._turns) + 1))
        if who not in self._turns and turn_ms <= now_ms:
            self._next_ms = max(self._next_ms, now_ms + self._every_ms)
            return 0
        self._turns[who] = turn_ms
        self._next_ms = max(self._next_ms, turn_ms + self._every_ms)
        return turn_ms - now_ms
