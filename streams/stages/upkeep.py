"""When an owner writes the rows of a partition again, though they have not changed.

At recovery an older row that a late writer left does not win (`rows.Newer`), but only as long as the newer one
lies there too: of each key compaction keeps what lies last. So an owner that finds records of others among
its own writes its rows again, before compaction comes to them. They show as holes between the offsets of its
own; where it has nothing to write, it writes a probe now and then.
"""

from collections.abc import Iterable

#: With the longest pause between two looks, less than `rows.MIN_COMPACTION_LAG_MS`.
PROBED_AFTER_MS = 20_000


class Upkeep:
    """Where an owner's own records lie in a partition of its changelog.

    Parameters
    ----------
    next_offset
        Where its first record lies, if nobody else has written since it read the partition.
    now_ms
        A clock that is never set, as everywhere here.

    Examples
    --------
    >>> upkeep = Upkeep(7, 0)
    >>> upkeep.wrote([7, 8], 10)
    >>> upkeep.take_disturbed(), upkeep.probe_due(20_000), upkeep.probe_due(20_010)
    (False, False, True)
    >>> upkeep.wrote([10], 20_010)
    >>> upkeep.take_disturbed(), upkeep.take_disturbed()
    (True, False)
    """

    def __init__(self, next_offset: int, now_ms: int) -> None:
        self._next_offset = next_offset
        self._wrote_ms = now_ms
        self._disturbed = False

    def wrote(self, offsets: Iterable[int], now_ms: int) -> None:
        """Take note of where records lie that were written one after the other."""
        for offset in offsets:
            self._disturbed |= offset != self._next_offset
            self._next_offset = offset + 1
            self._wrote_ms = now_ms

    def probe_due(self, now_ms: int) -> bool:
        """Return whether it is time to write a record, only to see where it comes to lie."""
        return now_ms - self._wrote_ms >= PROBED_AFTER_MS

    def take_disturbed(self) -> bool:
        """Return whether others have written meanwhile, once."""
        disturbed, self._disturbed = self._disturbed, False
        return disturbed
