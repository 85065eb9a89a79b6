"""How far stage 1 has come with a source partition, told as a time: everything that came before it is counted.

Told by where the broker said that the partition ended, and when. The records' own times only help: they are
the producers' where the topic keeps them, and old where a backlog is sent again.
"""

from collections import deque

from streams.watermark import NEVER_MS

#: A backlog's age is known to this part of itself: of one that grows for a week, some 900 ends are remembered.
FINENESS = 64


class Standing:
    """Until when a source partition is counted, by a clock that is never set.

    Examples
    --------
    >>> standing = Standing()
    >>> standing.note(next_offset=0, end_offset=500, at_ms=1_000)
    >>> standing.until_ms == NEVER_MS
    True
    >>> standing.note(next_offset=499, end_offset=900, at_ms=2_000)
    >>> standing.note(next_offset=500, end_offset=1_300, at_ms=3_000)
    >>> standing.until_ms
    1000
    >>> standing.note(next_offset=1_300, end_offset=1_300, at_ms=4_000)
    >>> standing.until_ms
    4000
    """

    def __init__(self) -> None:
        self.until_ms = NEVER_MS
        self._marks: deque[tuple[int, int]] = deque()

    def note(self, *, next_offset: int, end_offset: int, at_ms: int) -> None:
        """Take note of where the partition ended at a time, and of the next offset to count.

        Parameters
        ----------
        at_ms
            When the request left whose answer named the end: nothing that came before lies beyond it.
        """
        if next_offset >= end_offset:
            self._marks.clear()
            self._counted(at_ms)
            return
        first_ms, last_ms = (self._marks[0][1], self._marks[-1][1]) if self._marks else (at_ms, NEVER_MS)
        if at_ms - last_ms > (at_ms - first_ms) / FINENESS:
            self._marks.append((end_offset, at_ms))
        while self._marks and self._marks[0][0] <= next_offset:
            self._counted(self._marks.popleft()[1])

    def passed(self, *, age_ms: int, at_ms: int) -> None:
        """Take it that what came before a record is counted, by the age of the record: known soon after a start.

        Parameters
        ----------
        age_ms
            Wall clock less the record's time. A record from the future tells nothing: so a producer's clock
            that is fast makes a partition look further by no more than it is fast.
        """
        if age_ms >= 0:
            self._counted(at_ms - age_ms)

    def _counted(self, until_ms: int) -> None:
        self.until_ms = max(self.until_ms, until_ms)
